"""A learned router: tells the modality of a text by its character n-grams.

The texts of pairs are labelled by their sides, so a router needs no labels of its own
(:mod:`kakehashi.routing.learn_router`). A text near the border, or one with too few n-grams that
were seen in training, has no modality: the caller decides, or a default.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.arguments import strings
from ..data.pairs import Pairs
from ..types import Side
from ..vectors import Float32Array
from .learn_router import learn_router
from .routing_report import RoutingReport
from .scripts import ScriptRouter
from .text_features import CLASSIFIER_BUCKETS, SEEN_BUCKETS, TextFeatures, features_of


@dataclass(frozen=True, eq=False)
class Router:
    """Tells source texts from target texts, or that it is unsure.

    Attributes:
        weights: (16384,) float32, log-odds of each bucket of n-grams.
        intercept: log-odds of a text without n-grams.
        known: (32768,) uint8, packed bits: which buckets of unigrams and bigrams were seen in
            training.
        least_known: a text with a smaller share of seen unigrams and bigrams gets no answer.
        report: errors on held-out texts.
    """

    weights: Float32Array
    intercept: float
    known: NDArray[np.uint8]
    least_known: float
    report: RoutingReport

    def __repr__(self) -> str:
        """Return the report, without the arrays."""
        return f"Router({self.report})"

    def __str__(self) -> str:
        return str(self.report)

    @property
    def threshold(self) -> float:
        """A text with log-odds of this size or less gets no answer."""
        return self.report.threshold

    @classmethod
    def fit(cls, pairs: Pairs, *, seed: int = 0) -> Router:
        """Learn a router from the texts of pairs; see :mod:`kakehashi.routing.learn_router`.

        Args:
            pairs: with texts on both sides. Of more than 2,000, a sample is read.
            seed: of the folds, and of the sample.

        Raises:
            DataError: no Pairs, a side without texts, or an invalid seed.
            FitError: fewer than ten pairs, or pairs that are all linked by shared texts.
        """
        return cls(*learn_router(pairs, seed))

    def log_odds(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Return the log-odds that each text is a source text, (n,) float64.

        They hold where both modalities are equally frequent. For a text of neither modality they
        mean little; :meth:`route` also checks whether its n-grams were seen in training.

        Raises:
            DataError: no list of strings.
        """
        return np.array(
            [self._log_odds(features_of(text)) for text in strings(texts, "texts")], np.float64
        )

    def route(self, texts: Sequence[str]) -> list[Side | None]:
        """Return the modality of each text; None where the router is unsure.

        It is unsure of a text near the border, of one with too few n-grams that were seen in
        training (another script, say), and of one without a letter. Nothing in digits or symbols
        speaks for a side, and least squares would lean to the side of shorter texts.

        Raises:
            DataError: no list of strings.
        """
        return [_side(log_odds, self.threshold) for log_odds in self.evidence(texts)]

    def evidence(self, texts: Sequence[str]) -> list[float | None]:
        """Return the log-odds of each text; None without a letter, or with too few seen n-grams.

        Raises:
            DataError: no list of strings.
        """
        return [self._evidence(features_of(text)) for text in strings(texts, "texts")]

    def _evidence(self, features: TextFeatures) -> float | None:
        if not features.has_letter:
            return None
        if self._seen[features.short_buckets].mean() < self.least_known:
            return None
        return self._log_odds(features)

    def _log_odds(self, features: TextFeatures) -> float:
        summed = float(self.weights[features.buckets].sum(dtype=np.float64))
        return summed / math.sqrt(max(len(features.buckets), 1)) + self.intercept

    @cached_property
    def _seen(self) -> NDArray[np.bool_]:
        return np.unpackbits(self.known).astype(bool)

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return a JSON-ready record and named tensors; see :meth:`from_state`."""
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
            ValueError, KeyError: the record or a tensor is missing or not valid.
        """
        if set(tensors) != {"weights", "known"}:
            raise ValueError(f"unexpected tensors: {sorted(tensors)}; weights and known are wanted")
        weights, known = tensors["weights"], tensors["known"]
        for name, tensor, dtype, size in (
            ("weights", weights, np.float32, CLASSIFIER_BUCKETS),
            ("known", known, np.uint8, SEEN_BUCKETS // 8),
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
        ValueError, KeyError, TypeError: the record or a tensor is missing or not valid.
    """
    if "scripts" in record:
        return ScriptRouter(**record["scripts"])
    return Router.from_state(record, tensors)


def _side(log_odds: float | None, threshold: float) -> Side | None:
    if log_odds is None or abs(log_odds) <= threshold:
        return None
    return "source" if log_odds > 0 else "target"


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not np.isfinite(value):
        raise ValueError(f"{name} of the router is not a finite number: {value!r:.60}")
    return float(value)
