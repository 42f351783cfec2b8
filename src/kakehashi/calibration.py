"""Calibration: what a score is worth, so that documents of two modalities fit in one list.

A query and a document of one modality share a language, an alphabet, the habits of one encoder:
their score is high for no reason of meaning. A document of the other modality is scored on another
scale. So for each modality of the query and each of the document a line turns scores into the log
odds that the document answers the query:

    log odds = dense * s + lexical * l + offset

where s is the inner product of unit vectors, and l the BM25 score of the document as a share of
the best one that any document of its modality has for this query: a part number in a text of the
other modality is then not measured by all the words that the query shares with its own. It is a
logistic regression (Platt, Probabilistic outputs for support vector machines, 1999), fitted on
held-out pairs. Within a modality nobody has said what answers; but what two texts have to do with
each other does not depend on the language they are written in, so the pair that all four views
together find nearest counts as the answer, in each of them. A query's own pair is left out, also
across, where it could stand: a line drawn through translations would only find translations
worth something, and bury the documents of the query's own modality, which has none. Odds are those
of a pool of the held-out pairs: they order documents, and are no promise about another index.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .errors import DataError
from .pairs import SIDES, Side
from .vectors import Float32Array, FloatArray

MIN_CALIBRATED = 30
"""Held-out pairs below which four lines would be drawn through next to nothing."""
_PENALTY = 1e-2
_STEPS = 50


class Line(NamedTuple):
    """Log odds from scores; ``lexical`` is 0 where no word is counted."""

    dense: float
    lexical: float
    offset: float


@dataclass(frozen=True)
class Calibration:
    """The lines of each (modality of the query, modality of the document).

    Attributes:
        plain: of the score of the vectors alone.
        hybrid: of that and the BM25 share; empty where texts were missing.
        n_pairs: held-out pairs behind them.
    """

    plain: Mapping[tuple[str, str], Line]
    hybrid: Mapping[tuple[str, str], Line]
    n_pairs: int

    def log_odds(
        self, dense: Any, lexical: Any = None, *, query: str, document: str
    ) -> NDArray[np.float64]:
        """Return the log odds that documents of one modality answer a query, (n,) float64.

        Args:
            dense: (n,) inner products of unit vectors.
            lexical: (n,) BM25 scores, each as a share of the query's best in the modality (0 to 1).

        Raises:
            DataError: lexical scores, and the aligner was fitted without texts.
        """
        if lexical is not None and not self.hybrid:
            raise DataError(
                "This aligner was fitted without texts, so it does not know what a BM25 score is "
                "worth. Fit on pairs with texts, or fuse by rank (fusion='rank')."
            )
        of = (self.plain if lexical is None else self.hybrid)[query, document]
        found = of.dense * np.asarray(dense, np.float64) + of.offset
        return found if lexical is None else found + of.lexical * np.asarray(lexical, np.float64)

    @property
    def modalities(self) -> tuple[str, ...]:
        """Whose scores it compares."""
        return tuple(dict.fromkeys(query for query, _ in self.plain))

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready record that :meth:`from_dict` reads back."""
        found: dict[str, Any] = {"n_pairs": self.n_pairs}
        for name in ("plain", "hybrid"):
            lines: Mapping[tuple[str, str], Line] = getattr(self, name)
            found[name] = {f"{q} {d}": list(numbers) for (q, d), numbers in lines.items()}
        return found

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Calibration:
        """Rebuild from :meth:`to_dict`.

        Raises:
            ValueError, KeyError, TypeError: no such record, or a number that is not finite.
        """
        read: dict[str, dict[tuple[str, str], Line]] = {"plain": {}, "hybrid": {}}
        for name, lines in read.items():
            given = record[name]
            for query in SIDES:
                for document in SIDES:
                    if name == "plain" or given:
                        numbers = [float(x) for x in given[f"{query} {document}"]]
                        if not np.isfinite(numbers).all():
                            raise ValueError(f"a line of the calibration is not finite: {numbers}")
                        lines[query, document] = Line(*numbers)
        return cls(read["plain"], read["hybrid"], int(record["n_pairs"]))


class Seen(NamedTuple):
    """Held-out pairs as they serve: (n, d) unit rows of each modality in each role, and texts."""

    queries: Mapping[Side, Float32Array]
    documents: Mapping[Side, Float32Array]
    texts: Mapping[Side, Sequence[str] | None]

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the vectors as float16, by name; of texts nothing is kept."""
        found: dict[str, NDArray[Any]] = {}
        for side in SIDES:
            asks, answers = self.queries[side], self.documents[side]
            found[f"{side}.query"] = asks.astype(np.float16)
            if not np.array_equal(asks, answers):  # in most spaces the roles are alike
                found[f"{side}.document"] = answers.astype(np.float16)
        return found

    @classmethod
    def from_state(cls, tensors: Mapping[str, NDArray[Any]]) -> Seen:
        """Rebuild from :meth:`state`.

        Raises:
            ValueError, KeyError: no such tensors.
        """
        shapes = {x.shape for x in tensors.values()}
        if len(shapes) != 1 or any(x.dtype != np.float16 or x.ndim != 2 for x in tensors.values()):
            raise ValueError(f"the sample is no float16 matrices of one shape: {sorted(shapes)}")
        read = {name: x.astype(np.float32) for name, x in tensors.items()}
        if not all(np.isfinite(x).all() for x in read.values()):
            raise ValueError("the sample of held-out pairs is not finite")
        queries: dict[Side, Float32Array] = {side: read.pop(f"{side}.query") for side in SIDES}
        documents = {side: read.pop(f"{side}.document", queries[side]) for side in SIDES}
        if read:
            raise ValueError(f"unexpected tensors of the sample: {sorted(read)}")
        return cls(queries, documents, dict.fromkeys(SIDES))


def calibrate(seen: Seen) -> Calibration | None:
    """Fit the lines on held-out pairs; None where they are too few, or scores order nothing.

    Args:
        seen: pairs that the projection was not fitted on, a few hundred: every query is scored
            with every document.
    """
    n = len(seen.queries["source"])
    if n < MIN_CALIBRATED:
        return None
    scores: dict[tuple[str, str], FloatArray] = {
        (q, d): seen.queries[q] @ seen.documents[d].T for q in SIDES for d in SIDES
    }
    own = {q: _same(seen.queries[q], seen.documents[q], seen.texts[q]) for q in SIDES}
    barred = own["source"] | own["target"]
    counted = ~barred
    y = _nearest(scores, barred)[counted].astype(np.float64)
    shares = _shares(seen.texts, own)
    plain, hybrid = {}, {}
    for query, document in scores:
        dense = scores[query, document][counted]
        plain[query, document] = line(y, dense)
        if shares is not None:
            hybrid[query, document] = line(y, dense, shares[query, document][counted])
    if min(found.dense for found in (*plain.values(), *hybrid.values())) <= 0:
        return None
    return Calibration(plain, hybrid, n)


def _same(
    queries: Float32Array, documents: Float32Array, texts: Sequence[str] | None
) -> NDArray[np.bool_]:
    """Say which documents are the query itself: they are in no index that is worth asking."""
    if texts is not None:
        _, known = np.unique(np.array(texts, object), return_inverse=True)
        found: NDArray[np.bool_] = known[:, None] == known
        return found
    return documents @ documents.T > 1 - 1e-5


def _nearest(scores: Mapping[Any, FloatArray], barred: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Say which pair is nearest to each by the mean of all four views, (n, n), one a row."""
    total = views_together(list(scores.values()))
    return nearest(total + total.T, barred)


def views_together(scores: Sequence[FloatArray]) -> FloatArray:
    """Return the sum of (n, m) scores of the same things, each on one scale."""
    found: FloatArray = np.sum(
        [(x - x.mean()) / max(float(x.std()), 1e-12) for x in scores], axis=0
    )
    return found


def nearest(scores: FloatArray, barred: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Say which column of (n, m) scores is the best of each row, of those that are not barred."""
    found = np.zeros(scores.shape, bool)
    found[np.arange(len(scores)), np.where(barred, -np.inf, scores).argmax(axis=1)] = True
    return found & ~barred


def _shares(
    texts: Mapping[Side, Sequence[str] | None], own: Mapping[Side, NDArray[np.bool_]]
) -> dict[tuple[str, str], FloatArray] | None:
    """Return BM25 scores, as shares of the query's best among the documents of a modality."""
    source, target = texts["source"], texts["target"]
    if source is None or target is None:
        return None
    from .evaluation.lexical import LexicalIndex  # which an aligner that serves does not need

    index, n = LexicalIndex([*source, *target]), len(source)
    asked: dict[Side, Sequence[str]] = {"source": source, "target": target}
    parts: dict[Side, slice] = {"source": slice(0, n), "target": slice(n, 2 * n)}
    found: dict[tuple[str, str], FloatArray] = {}
    for query in SIDES:
        scores = np.stack([index.scores(text) for text in asked[query]])
        scores[:, parts[query]][own[query]] = 0
        for document in SIDES:
            of_modality = scores[:, parts[document]]
            best = of_modality.max(axis=1, keepdims=True)
            found[query, document] = of_modality / np.where(best > 0, best, 1)
    return found


def line(y: FloatArray, dense: FloatArray, lexical: FloatArray | None = None) -> Line:
    """Fit one line; a lexical score that would count against a document counts nothing."""
    if lexical is None:
        slope, offset = _logistic(dense[:, None], y)
        return Line(float(slope), 0.0, float(offset))
    slope, share, offset = _logistic(np.stack([dense, lexical], axis=1), y)
    return Line(float(slope), float(share), float(offset)) if share > 0 else line(y, dense)


def _logistic(x: FloatArray, y: FloatArray) -> NDArray[np.float64]:
    """Fit a logistic regression by Newton's method, (n, k) -> (k + 1,), the offset last.

    A small penalty on the weights of the standardised columns keeps them finite where the classes
    can be told apart without error.
    """
    mean, deviation = x.mean(axis=0, dtype=np.float64), x.std(axis=0, dtype=np.float64)
    deviation = np.where(deviation > 0, deviation, 1)
    z = np.hstack([(x - mean) / deviation, np.ones((len(x), 1))])
    share = np.clip(y.mean(), 1e-9, 1 - 1e-9)
    beta = np.zeros(z.shape[1])
    beta[-1] = np.log(share / (1 - share))
    penalty = np.full(len(beta), _PENALTY)
    penalty[-1] = 0
    for _ in range(_STEPS):
        odds = np.clip(z @ beta, -30, 30)
        p = 1 / (1 + np.exp(-odds))
        gradient = z.T @ (p - y) + penalty * beta
        curvature = (z * (p * (1 - p))[:, None]).T @ z + np.diag(penalty)
        step = np.linalg.solve(curvature + 1e-9 * np.eye(len(beta)), gradient)
        step *= min(1.0, 4 / max(float(np.abs(step).max()), 1e-12))  # far steps overshoot
        beta -= step
        if np.abs(step).max() < 1e-8:
            break
    weights = beta[:-1] / deviation
    return np.append(weights, beta[-1] - weights @ mean)
