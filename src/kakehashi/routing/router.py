"""Which modality is this text? Learned from pairs, whose sides label their texts for nothing.

A text is read as the set of its hashed character n-grams. Least squares tells the sides apart, and
a logistic of its held-out scores says how sure it is. A text near the border, or one of which too
little was ever seen, is left undecided: a caller who knows better, or a default, decides then.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..data.pairs import Pairs, check_pairs
from ..data.splits import folds
from ..data.validation import checked_seed
from ..errors import DataError, FitError
from ..projection.ngrams import ngram_hashes
from ..types import SIDES, Side
from ..vectors import Float32Array
from .classifier import BucketRows, Buckets, platt, ridge_classifier
from .scripts import ScriptRouter, checked_texts, folded

__all__ = ["Router", "RoutingReport", "ScriptRouter", "ngrams_of", "router_from"]

_DIMENSION = 2**14
"""Buckets of the classifier (64 KB). With 2,048 of them held-out errors were half as many again."""
_KNOWN_BITS = 2**18
"""Buckets that tell whether an n-gram was seen (32 KB); few enough n-grams share one by chance."""
_REG = 1.0
_MAX_PAIRS, _MIN_PAIRS, _FOLDS = 2000, 10, 5
_WANTED_ERROR, _MAX_UNSURE = 0.01, 0.2
_RARE = 0.005
"""Share of the held-out texts that may be too strange to be answered."""
_STRANGE = 0.5
"""A text half of whose n-grams are known is never too strange: with few pairs a new topic would
be, and it is still of a modality."""


@dataclass(frozen=True)
class RoutingReport:
    """What a router did with texts of held-out groups. Both modalities count alike.

    Attributes:
        n_pairs: pairs that were read.
        error: share of the texts whose side is wrong where every text is answered: the mean of
            ``source_as_target`` and ``target_as_source``.
        source_as_target, target_as_source: the same, of one modality.
        error_answered: of the texts that are not left undecided, the share that is wrong.
        unsure: share of the texts that are left undecided.
        threshold: log-odds nearer to zero are undecided; the smallest with which at most 1% of
            the answers are wrong and at most 20% of the texts are undecided, or, where there is
            none, the one with the fewest wrong answers (see ``reached``).
    """

    n_pairs: int
    error: float
    source_as_target: float
    target_as_source: float
    error_answered: float
    unsure: float
    threshold: float

    @property
    def reached(self) -> bool:
        """At most 1% of the answers were wrong, and at most 20% of the texts undecided."""
        return self.error_answered <= _WANTED_ERROR and self.unsure <= _MAX_UNSURE

    def __str__(self) -> str:
        missed = "" if self.reached else "; more than 1% wrong with at most 20% undecided"
        return (
            f"{self.n_pairs} pairs: {self.error:.1%} of held-out texts read as the wrong side "
            f"(source {self.source_as_target:.1%}, target {self.target_as_source:.1%}); with "
            f"{self.unsure:.1%} undecided {self.error_answered:.1%} of the answers{missed}"
        )


@dataclass(frozen=True, eq=False)
class Router:
    """Tells source texts from target texts, and when it cannot.

    Attributes:
        weights: (16384,) float32, of each bucket in the log-odds.
        intercept: log-odds of a text without n-grams.
        known: (32768,) uint8, packed bits: which unigrams and bigrams, hashed, were seen.
        least_known: a text with a smaller share of known unigrams and bigrams is undecided.
        report: how it did on held-out groups.
    """

    weights: Float32Array
    intercept: float
    known: NDArray[np.uint8]
    least_known: float
    report: RoutingReport

    def __repr__(self) -> str:
        """Say how good it is, without its arrays."""
        return f"Router({self.report})"

    def __str__(self) -> str:
        return str(self.report)

    @property
    def threshold(self) -> float:
        """Evidence nearer to zero than this tells nothing."""
        return self.report.threshold

    @classmethod
    def fit(cls, pairs: Pairs, *, seed: int = 0) -> Router:
        """Learn from pairs with texts on both sides; of more than 2,000, a sample is read.

        Every text is scored by a classifier that has not seen its group (nor, without groups, rows
        that share its text); the report, the threshold and the scale of the log-odds come of these
        scores. What serves is fitted on all. A text that stands in many rows counts once, and both
        sides weigh the same, however many different texts they have.

        Args:
            seed: of the folds, and of the sample.

        Raises:
            DataError: no Pairs, a side without texts, or a seed that is none.
            FitError: fewer than ten pairs, or all linked by the texts that they share.
        """
        check_pairs(pairs)
        rng = np.random.default_rng(checked_seed(seed))
        for side in SIDES:
            if pairs.texts(side) is None:
                raise DataError(
                    f"The {side} side has vectors only, and a router reads texts; pass "
                    f"Pairs({side}_texts=...)."
                )
        if len(pairs) > _MAX_PAIRS:
            pairs = pairs.select(np.sort(rng.choice(len(pairs), _MAX_PAIRS, replace=False)))
        if len(pairs) < _MIN_PAIRS:
            raise FitError(
                f"{len(pairs)} pair(s) cannot teach a router; give at least {_MIN_PAIRS}, or use "
                "ScriptRouter where the modalities are written in different scripts."
            )
        rows, sides, parts = _different_texts(pairs, seed)
        return _fitted(rows, sides, parts, len(pairs))

    def log_odds(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Return the log-odds of being a source text, (n,): positive is source.

        They are sound where half of all texts are of each side, and mean little of a text that is
        of neither: :meth:`route` looks at what is known of it, too.

        Raises:
            DataError: no list of strings.
        """
        return np.array(
            [self._log_odds(ngrams_of(text)) for text in checked_texts(texts)], np.float64
        )

    def route(self, texts: Sequence[str]) -> list[Side | None]:
        """Return the modality of each text; None where the router is unsure.

        Unsure is what lies near the border, what has no letter (empty, digits, symbols: where
        nothing speaks for a side, least squares leans to the shorter one), and what has too few
        n-grams that were seen in training: another script, say.

        Raises:
            DataError: no list of strings.
        """
        return [_side(found, self.threshold) for found in self.evidence(texts)]

    def evidence(self, texts: Sequence[str]) -> list[float | None]:
        """Return the log-odds of each text; None where it is too strange to say.

        Raises:
            DataError: no list of strings.
        """
        return [self._evidence(ngrams_of(text)) for text in checked_texts(texts)]

    def _evidence(self, read: _Read) -> float | None:
        if not read.has_letter or self._seen[read.seen].mean() < self.least_known:
            return None
        return self._log_odds(read)

    def _log_odds(self, read: _Read) -> float:
        summed = float(self.weights[read.buckets].sum(dtype=np.float64))
        return summed / math.sqrt(max(len(read.buckets), 1)) + self.intercept

    @cached_property
    def _seen(self) -> NDArray[np.bool_]:
        return np.unpackbits(self.known).astype(bool)

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return what rebuilds this router: a JSON-ready record and named tensors."""
        record = {
            "intercept": self.intercept,
            "least_known": self.least_known,
            "report": asdict(self.report),
        }
        return record, {"weights": self.weights, "known": self.known}

    @classmethod
    def from_state(cls, record: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> Router:
        """Rebuild a router from :meth:`state`.

        Raises:
            ValueError, KeyError: record and tensors are not those of a router.
        """
        if set(tensors) != {"weights", "known"}:
            raise ValueError(f"unexpected tensors: {sorted(tensors)}; weights and known are wanted")
        weights, known = tensors["weights"], tensors["known"]
        for name, tensor, dtype, size in (
            ("weights", weights, np.float32, _DIMENSION),
            ("known", known, np.uint8, _KNOWN_BITS // 8),
        ):
            if tensor.dtype != dtype or tensor.shape != (size,) or not np.isfinite(tensor).all():
                raise ValueError(f"tensor {name} is not ({size},) finite {np.dtype(dtype)}")
        report = record["report"]
        if not isinstance(report, Mapping) or set(report) != set(RoutingReport.__annotations__):
            raise ValueError(f"the report of the router has other fields: {report!r:.200}")
        values = {name: _number(name, value) for name, value in report.items()}
        if not values["n_pairs"].is_integer() or min(values.values()) < 0:
            raise ValueError(f"the report of the router is not sound: {report!r:.200}")
        return cls(
            weights,
            _number("intercept", record["intercept"]),
            known,
            _number("least_known", record["least_known"]),
            RoutingReport(**{**values, "n_pairs": int(values["n_pairs"])}),  # type: ignore[arg-type]
        )


def router_from(
    record: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]
) -> Router | ScriptRouter:
    """Rebuild a router of either kind from its state.

    Raises:
        ValueError, KeyError, TypeError: no such record.
    """
    if "scripts" in record:
        return ScriptRouter(**record["scripts"])
    return Router.from_state(record, tensors)


def _side(evidence: float | None, threshold: float) -> Side | None:
    if evidence is None or abs(evidence) <= threshold:
        return None
    return "source" if evidence > 0 else "target"


class _Read(NamedTuple):
    """What is read of a text: the buckets of its n-grams, each once, in ascending order."""

    buckets: Buckets
    """Of unigrams, bigrams and trigrams, among those of the classifier."""
    seen: Buckets
    """Of unigrams and bigrams, among those of what is known."""
    has_letter: bool


def ngrams_of(text: str) -> _Read:
    """Cut a text into n-grams as it is written, and in small letters.

    Case tells code from prose; a text whose case is another than that of the pairs still has the
    n-grams of its small letters.
    """
    words = " ".join(folded(text).split())
    if not words:
        return _Read(np.empty(0, np.intp), np.empty(0, np.intp), False)
    found, short = [], []
    for padded in dict.fromkeys((f" {words} ", f" {words.lower()} ")):
        hashes = ngram_hashes(padded, (1, 2, 3))
        found.append(hashes)
        short.append(hashes[: 2 * len(padded) - 1])  # unigrams come first, then bigrams
    has_letter = any(map(str.isalpha, words))
    return _Read(_buckets(found, _DIMENSION), _buckets(short, _KNOWN_BITS), has_letter)


def _buckets(hashes: Sequence[NDArray[np.uint64]], dimension: int) -> Buckets:
    return np.unique(np.concatenate(hashes) % np.uint64(dimension)).astype(np.intp)


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not np.isfinite(value):
        raise ValueError(f"{name} of the router is not a finite number: {value!r:.60}")
    return float(value)


def _different_texts(
    pairs: Pairs, seed: int
) -> tuple[list[_Read], NDArray[np.float64], NDArray[np.intp]]:
    """Return what is read of each different text of a side, its label and its fold, (n,) each."""
    cut = folds(pairs, _FOLDS, seed=seed)
    if len(cut) < 2:
        raise FitError(
            f"All {len(pairs)} pairs are linked by texts that they share, so that none can be held "
            "out; give pairs of more texts, or groups."
        )
    part = np.empty(len(pairs), np.intp)
    for number, split in enumerate(cut):
        part[split.held_out] = number
    read: list[_Read] = []
    labels, parts = [], []
    for side, label in zip(SIDES, (1.0, -1.0), strict=True):
        first = np.sort(np.unique(pairs.keys(side), return_index=True)[1])
        texts = pairs.texts(side) or ()
        read += [ngrams_of(texts[row]) for row in first]
        labels.append(np.full(len(first), label))
        parts.append(part[first])
    return read, np.concatenate(labels), np.concatenate(parts)


def _fitted(
    read: list[_Read], y: NDArray[np.float64], parts: NDArray[np.intp], n_pairs: int
) -> Router:
    """Fit on texts of labels 1 (source) and -1, cross-fitted by their parts."""
    n = len(read)
    weights = np.where(y > 0, n / (2 * (y > 0).sum()), n / (2 * (y < 0).sum()))
    x = BucketRows([of_text.buckets for of_text in read], _DIMENSION)
    scores, shares = np.empty(n), np.empty(n)
    counts = _count(read, range(n))
    for part in np.unique(parts):
        held = parts == part
        w, b = ridge_classifier(x, y, weights * ~held, reg=_REG)
        scores[held] = x.times(w)[held] + b
        rows = np.flatnonzero(held)
        seen = counts > _count(read, rows)  # by another part, too
        shares[rows] = [seen[read[row].seen].mean() if read[row].has_letter else 0 for row in rows]
    slope, offset = platt(scores, y, weights)
    if slope <= 0:  # held-out scores say nothing: neither will the router
        slope = offset = 0.0
    lettered = np.array([of_text.has_letter for of_text in read])
    known = shares[lettered] if lettered.any() else np.zeros(1)
    least_known = min(float(np.quantile(known, _RARE, method="lower")), _STRANGE)
    familiar = lettered & (shares >= least_known)
    report = _judged(slope * scores + offset, familiar, y, weights, n_pairs)
    w, b = ridge_classifier(x, y, weights, reg=_REG)
    return Router(
        (slope * w).astype(np.float32),
        slope * b + offset,
        np.packbits(counts > 0),
        least_known,
        report,
    )


def _count(read: Sequence[_Read], rows: Sequence[int] | NDArray[np.intp]) -> NDArray[np.intp]:
    """Return in how many of the given texts each bucket of what is known occurs."""
    seen = [np.empty(0, np.intp), *(read[row].seen for row in rows)]
    return np.bincount(np.concatenate(seen), minlength=_KNOWN_BITS)


def _judged(
    log_odds: NDArray[np.float64],
    familiar: NDArray[np.bool_],
    y: NDArray[np.float64],
    weights: NDArray[np.float64],
    n_pairs: int,
) -> RoutingReport:
    """Choose the threshold and report on held-out texts, (n,) each."""
    shares = weights / weights.sum()
    wrong = log_odds * y <= 0
    distance = np.where(familiar, np.abs(log_odds), 0.0)
    order = np.argsort(distance, kind="stable")[::-1]
    # Of the most certain texts, one more at a time: how many, and how many of them are wrong.
    answered = np.concatenate([[0.0], np.cumsum(shares[order])])
    mistaken = np.concatenate([[0.0], np.cumsum((shares * wrong)[order])])
    thresholds = np.unique(np.concatenate([[0.0], distance]))
    beyond = np.searchsorted(-distance[order], -thresholds, side="left")
    rates = mistaken[beyond] / np.maximum(answered[beyond], 1e-12)
    allowed = 1 - answered[beyond] <= _MAX_UNSURE + 1e-9
    good = allowed & (rates <= _WANTED_ERROR)
    chosen = 0
    if good.any():
        chosen = int(np.argmax(good))
    elif allowed.any():
        chosen = int(np.argmin(np.where(allowed, rates, np.inf)))
    each = [float(wrong[y == label].mean()) for label in (1, -1)]
    return RoutingReport(
        n_pairs=n_pairs,
        error=sum(each) / 2,
        source_as_target=each[0],
        target_as_source=each[1],
        error_answered=float(rates[chosen]),
        unsure=float(max(0.0, 1 - answered[beyond[chosen]])),
        threshold=float(thresholds[chosen]),
    )
