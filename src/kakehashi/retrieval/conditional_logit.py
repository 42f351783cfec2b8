"""Conditional logit: weights with which the answers of a query lead all documents.

A query finds documents of every modality in one list. A document of modality M has the utility

    u = w_M,similarity * s + w_M,place * log(rank) + w_M,lexical * l + offset_M

where s is the inner product of unit vectors, rank the place (from 1) that s gives the document
among the documents of M, and l its share of BM25. The probability that the document answers the
query is the softmax of u over all documents of the list:

    p_j = exp(u_j) / sum_i exp(u_i)

The weights minimise  - sum over queries of the mean of log p_j over its answers  plus an L2
penalty. This is a conditional logit (McFadden, Conditional logit analysis of qualitative choice
behavior, 1974); as a loss for ranking it is ListNet (Cao et al., Learning to rank: from pairwise
approach to listwise approach, ICML 2007). It reads only the order within the list of a query: the
scores of one query compare, and those of two queries do not.

The loss is convex. Newton's method with halved steps minimises it; there are at most eight weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..vectors import Float64Array, FloatArray

_PENALTY, _OFFSET_PENALTY = 1.0, 1e-6
"""On half the squared weights of standardised features, and on half the squared offsets."""
_SIGNS = (1.0, -1.0, 1.0)
"""A larger similarity raises the score, a later place lowers it, and more words raise it."""
_MAX_STEPS, _TOLERANCE = 100, 1e-9
"""Newton steps, and the change of the summed loss below which they end."""


class ScoreWeights(NamedTuple):
    """Weights of similarity, log(place) and share of words, and an offset; 0 counts nothing."""

    similarity: float
    place: float
    lexical: float
    offset: float


class ScoredDocuments(NamedTuple):
    """The m documents of one modality, scored for n queries of one modality.

    Attributes:
        similarity: (n, m) inner products of unit vectors.
        lexical: (n, m) shares of BM25, or None.
        allowed: (n, m) bool, whether a query may find the document.
        answers: (n, m) bool, whether the document answers the query.
    """

    similarity: FloatArray
    lexical: FloatArray | None
    allowed: NDArray[np.bool_]
    answers: NDArray[np.bool_]


def fit_weights(by_modality: Mapping[str, ScoredDocuments]) -> dict[str, ScoreWeights]:
    """Fit the score weights for queries of one modality.

    Args:
        by_modality: the documents of each modality. The mean answer in the first modality scores 0.

    Returns:
        the weights for documents of each modality. Every weight has its sign of ``_SIGNS`` or is 0
        (see :func:`_fit_signed`).
    """
    features = {name: _features(documents) for name, documents in by_modality.items()}
    rows = np.concatenate([features[name][d.allowed] for name, d in by_modality.items()])
    mean, deviation = rows.mean(axis=0), rows.std(axis=0)
    deviation = np.where(deviation > 0, deviation, 1)
    design = _design([(x - mean) / deviation for x in features.values()])
    allowed = np.concatenate([d.allowed for d in by_modality.values()], axis=1)
    answers = np.concatenate([d.answers for d in by_modality.values()], axis=1) & allowed
    answered = answers.any(axis=1)
    beta = _fit_signed(design[answered], allowed[answered], answers[answered], len(features))
    weights = {}
    for name, standardised in zip(by_modality, beta.reshape(len(features), -1), strict=True):
        slopes = standardised[:-1] / deviation
        similarity, place, lexical = [*map(float, slopes), 0.0][:3]
        offset = float(standardised[-1] - slopes @ mean)
        weights[name] = ScoreWeights(similarity, place, lexical, offset)
    first, documents = next(iter(by_modality.items()))
    shift = _mean_score(weights[first], features[first][documents.answers & documents.allowed])
    return {name: w._replace(offset=w.offset - shift) for name, w in weights.items()}


def places(scores: FloatArray, allowed: NDArray[np.bool_]) -> Float64Array:
    """Return the place of each of (n, m) scores in its row, from 1; excluded columns come last.

    Equal scores keep their order: of a few hundred documents, hardly any are equally near.
    """
    order = np.argsort(np.where(allowed, -scores, np.inf), axis=1, kind="stable")
    rank = np.empty(order.shape)
    np.put_along_axis(rank, order, np.arange(1.0, order.shape[1] + 1)[None], axis=1)
    return rank


def _features(documents: ScoredDocuments) -> Float64Array:
    """Return similarity, log(place) and, if there are any, shares of words: (n, m, 2 or 3)."""
    features = [documents.similarity, np.log(places(documents.similarity, documents.allowed))]
    if documents.lexical is not None:
        features.append(documents.lexical)
    return np.stack(features, axis=2)


def _design(features: list[Float64Array]) -> Float64Array:
    """Put the features of each modality, and a 1 for its offset, into columns of their own.

    Returns:
        (n, documents of all modalities, columns) float64, 0 in the columns of other modalities.
    """
    blocks = []
    for number, of_modality in enumerate(features):
        n, m, c = of_modality.shape
        block = np.zeros((n, m, len(features), c + 1))
        block[:, :, number, :c] = of_modality
        block[:, :, number, c] = 1
        blocks.append(block.reshape(n, m, -1))
    return np.concatenate(blocks, axis=1)


def _mean_score(weights: ScoreWeights, features: Float64Array) -> float:
    """Return the mean score of documents with (n, 2 or 3) features."""
    slopes = np.array(weights[: features.shape[1]])
    return float((features @ slopes).mean() + weights.offset)


def _fit_signed(
    x: Float64Array, allowed: NDArray[np.bool_], answers: NDArray[np.bool_], n_modalities: int
) -> Float64Array:
    """Fit the columns of :func:`_design`, and set weights of a wrong sign to 0.

    The others are fitted again, until no sign is wrong. A weight that is 0 stays so, so the result
    is within thousandths of the loss of the best weights of these signs, and not always the best.

    Returns:
        (columns,) float64. The offset of the first modality is 0: only differences of offsets show
        in a softmax.
    """
    width = x.shape[2] // n_modalities
    signs = np.array([*_SIGNS[: width - 1], 0.0] * n_modalities)
    penalty = np.where(signs == 0, _OFFSET_PENALTY, _PENALTY)
    fitted = np.ones(len(signs), bool)
    fitted[width - 1] = False
    while True:
        beta = np.zeros(len(signs))
        beta[fitted] = newton(x[:, :, fitted], allowed, answers, penalty[fitted])
        wrong = fitted & (beta * signs < 0)
        if not wrong.any():
            return beta
        fitted &= ~wrong


def newton(
    x: Float64Array, allowed: NDArray[np.bool_], answers: NDArray[np.bool_], penalty: Float64Array
) -> Float64Array:
    """Fit softmax(x @ beta) to the answers: (n, m, p) -> (p,).

    Answers of one query share its weight. The penalty, (p,), keeps the weights finite where the
    answers always lead.
    """
    x = np.ascontiguousarray(x)
    rows = x.reshape(-1, x.shape[2])
    wanted = answers / answers.sum(axis=1, keepdims=True)
    beta, step, best_loss = np.zeros(x.shape[2]), np.zeros(x.shape[2]), np.inf
    for _ in range(_MAX_STEPS):
        utility = np.where(allowed, x @ beta, -np.inf)
        top = utility.max(axis=1, keepdims=True)
        exponentials = np.exp(utility - top)
        total = exponentials.sum(axis=1, keepdims=True)
        probability = exponentials / total
        fit = (top + np.log(total)).sum() - (wanted * np.where(allowed, utility, 0)).sum()
        loss = float(fit + penalty @ beta**2 / 2)
        if loss > best_loss + _TOLERANCE:  # too far: go back half the way
            step /= 2
            beta = beta + step
            continue
        if best_loss - loss < _TOLERANCE:
            break
        best_loss = loss
        mean = (probability[:, None] @ x)[:, 0]  # of the documents of each query, (n, p)
        gradient = (probability - wanted).ravel() @ rows + penalty * beta
        hessian = (rows * probability.reshape(-1, 1)).T @ rows - mean.T @ mean + np.diag(penalty)
        step = np.linalg.solve(hessian, gradient)
        beta = beta - step
    return beta
