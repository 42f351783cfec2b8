"""The probability that a document answers a query, from its calibrated score.

A calibrated score orders the documents of one query. How high it is depends on the encoders, so no
threshold could be chosen for it. Platt scaling turns it into a probability:

    P(the document answers) = 1 / (1 + exp(-(slope * score + offset)))

(Platt, Probabilistic outputs for support vector machines, 1999). Both numbers are learned on
held-out questions in the whole index. Each is asked twice: with its answer in the index, and as if
its answer were missing. So the probability holds for users half of whose questions have an answer.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..data.arguments import is_number
from ..errors import DataError
from .conditional_logit import newton

RECOMMENDED = "recommended"
MinScore = float | Literal["recommended"]
"""The least probability of a document, or the one that was learned."""

DEPTH = 5
"""Documents of a question that are judged, the best first."""
KEPT = 0.9
"""The recommended probability keeps this share of the right first documents."""
MIN_RIGHT = 10
"""Least number of right first documents; fewer do not tell where most of them are."""
_PENALTY = np.array([1e-3, 1e-12])
"""On half the squares of the slope of standardised scores, and of the offset."""


class AnswerProbability(NamedTuple):
    """How the probability of an answer follows from a score, for queries of one modality.

    Attributes:
        recommended: the probability that 90% of the right first documents reach.
    """

    slope: float
    offset: float
    recommended: float

    def of(self, scores: Any) -> NDArray[np.float64]:
        """Return the probability of each score."""
        return _sigmoid(self.slope * np.asarray(scores, np.float64) + self.offset)

    def least(self, min_score: MinScore) -> float:
        """Return the least probability of a document that is to be kept."""
        return self.recommended if isinstance(min_score, str) else float(min_score)


def fit_probability(
    scores: NDArray[np.float64], right: NDArray[np.bool_], unanswered: NDArray[np.float64]
) -> AnswerProbability | None:
    """Learn the probability; return None where a higher score is not more often right.

    Args:
        scores: (n, k) scores of the best documents of each question.
        right: (n, k) bool, whether they answer it.
        unanswered: (n, k) scores of the best documents where the answers are missing; -inf where
            there are fewer than k others.
    """
    if right[:, 0].sum() < MIN_RIGHT:
        return None
    x = np.concatenate([scores.ravel(), unanswered.ravel()])
    y = np.concatenate([right.ravel(), np.zeros(unanswered.size, bool)]).astype(np.float64)
    found = np.isfinite(x)
    slope, offset = _logistic(x[found], y[found])
    if not slope > 0:
        return None
    fitted = AnswerProbability(slope, offset, 0.0)
    first = fitted.of(scores[right[:, 0], 0])
    return fitted._replace(recommended=float(np.quantile(first, 1 - KEPT)))


def check_min_score(min_score: Any) -> None:
    """Raise DataError for what is no probability and not ``"recommended"``."""
    if min_score == RECOMMENDED:
        return
    if not is_number(min_score) or not 0 <= min_score <= 1:
        raise DataError(
            f"min_score={min_score!r:.80}; give the least probability that a document answers, 0 "
            f"to 1, or {RECOMMENDED!r}, the one that the fit learned."
        )


def _logistic(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    """Fit P(y=1) = sigmoid(slope x + offset): a choice between slope x + offset and 0."""
    mean, deviation = float(x.mean()), float(x.std()) or 1.0
    design = np.zeros((len(x), 2, 2))
    design[:, 0] = np.stack([(x - mean) / deviation, np.ones_like(x)], axis=1)
    chosen = np.stack([y > 0, y == 0], axis=1)
    beta = newton(design, np.ones_like(chosen), chosen, _PENALTY)
    slope = float(beta[0] / deviation)
    return slope, float(beta[1] - slope * mean)


def _sigmoid(z: NDArray[np.float64]) -> NDArray[np.float64]:
    values: NDArray[np.float64] = np.exp(-np.logaddexp(0, -z))
    return values
