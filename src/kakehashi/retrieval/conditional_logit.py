"""Choice: which documents answer a question, learned from the lists that they have to lead.

All documents that a query may find stand in one list, whatever their modality, and each scores

    dense * s + place * log(rank) + lexical * l + offset

with weights of its own modality: s is the inner product of unit vectors, rank the place that s
gives the document among those of its modality, from 1, and l its share of BM25. The softmax of the
scores is to fall on those that answer: a conditional logit (McFadden, Conditional logit analysis of
qualitative choice behavior, 1974; as a loss for ranking: Cao et al., Learning to rank: from
pairwise approach to listwise approach, ICML 2007). It reads the order within a question's list
alone, not whether a question is hard; so scores of one question compare, and those of two do not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..vectors import FloatArray

_PENALTY, _FREE = 1.0, 1e-6
"""On half the squared weights of standardised columns, and of offsets, beside the summed loss."""
_SIGNS = (1.0, -1.0, 1.0)
"""A nearer document scores more, a later place less, more words more."""
_STEPS = 100


class Line(NamedTuple):
    """A score from similarity, place and words; a weight is 0 where that counts nothing."""

    dense: float
    place: float
    lexical: float
    offset: float


class Choice(NamedTuple):
    """Documents of one modality beside n queries of one, as :func:`choose` reads them.

    Attributes:
        dense: (n, m) inner products.
        lexical: (n, m) shares of BM25, or None.
        counted: (n, m) bool, which documents a query may find.
        answers: (n, m) bool, which answer it.
    """

    dense: FloatArray
    lexical: FloatArray | None
    counted: NDArray[np.bool_]
    answers: NDArray[np.bool_]


def choose(choices: Mapping[str, Choice]) -> dict[str, Line]:
    """Fit the lines by which the answers to queries of one modality lead all documents.

    Args:
        choices: by modality of the documents; of the first the mean answer scores 0.

    Returns:
        a line for each modality. A weight that would count a nearer document, an earlier place or
        more words of the query against a document is 0 (and stays so while the others are fitted
        again: not quite the best of all such lines, within thousandths of its loss).
    """
    columns = {name: _columns(choice) for name, choice in choices.items()}
    every = np.concatenate([columns[name][choice.counted] for name, choice in choices.items()])
    mean, deviation = every.mean(axis=0), every.std(axis=0)
    deviation = np.where(deviation > 0, deviation, 1)
    standard = {name: (own - mean) / deviation for name, own in columns.items()}
    first = next(iter(choices))
    counted = np.concatenate([choice.counted for choice in choices.values()], axis=1)
    answers = np.concatenate([choice.answers for choice in choices.values()], axis=1) & counted
    asked = answers.any(axis=1)
    width = len(mean) + 1
    signs = np.array([*_SIGNS[: width - 1], 0.0] * len(choices))
    free = np.ones(len(signs), bool)
    free[width - 1] = False  # else all offsets could be shifted alike
    while True:
        beta = _conditional_logit(
            _design(standard)[asked],
            counted[asked],
            answers[asked],
            free=free,
            penalty=np.where(signs == 0, _FREE, _PENALTY),
        )
        wrong = free & (beta * signs < 0)
        if not wrong.any():
            break
        free &= ~wrong
    lines = {}
    for name, of in zip(choices, beta.reshape(-1, width), strict=True):
        weights = of[:-1] / deviation
        dense, place, lexical = [*map(float, weights), 0.0][:3]
        lines[name] = Line(dense, place, lexical, float(of[-1] - weights @ mean))
    of_answers = columns[first][choices[first].answers & choices[first].counted]
    mean_answer = (of_answers @ _weights(lines[first], of_answers)).mean() + lines[first].offset
    return {name: of._replace(offset=of.offset - float(mean_answer)) for name, of in lines.items()}


def _design(standard: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return columns and a one of each modality, 0 elsewhere: (n, documents, weights)."""
    blocks = []
    for number, own in enumerate(standard.values()):
        n, m, c = own.shape
        block = np.zeros((n, m, len(standard), c + 1))
        block[:, :, number, :c] = own
        block[:, :, number, c] = 1
        blocks.append(block.reshape(n, m, -1))
    return np.concatenate(blocks, axis=1)


def _columns(choice: Choice) -> NDArray[np.float64]:
    """Return what a line reads of each document, (n, m, 2 or 3) float64."""
    read = [choice.dense, np.log(places(choice.dense, choice.counted))]
    return np.stack(read if choice.lexical is None else [*read, choice.lexical], axis=2)


def places(scores: FloatArray, counted: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the place of each of (n, m) scores in its row, from 1; what is not counted is last.

    Equals stand as they come: of a few hundred documents hardly any are as near to a query.
    """
    order = np.argsort(np.where(counted, -scores, np.inf), axis=1, kind="stable")
    rank = np.empty(order.shape)
    np.put_along_axis(rank, order, np.arange(1.0, order.shape[1] + 1)[None], axis=1)
    return rank


def _weights(line: Line, columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weights of (..., c) columns."""
    return np.array(line[: columns.shape[-1]])


def _conditional_logit(
    x: NDArray[np.float64],
    counted: NDArray[np.bool_],
    answers: NDArray[np.bool_],
    *,
    free: NDArray[np.bool_],
    penalty: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Fit softmax(x @ beta) to the answers by Newton's method, (n, m, p) -> (p,).

    Several answers of a query share its weight. A small penalty keeps the weights finite where the
    answers always lead.

    Args:
        free: which of the p weights are fitted; the others stay 0.
        penalty: (p,), on half the squared weights.
    """
    beta = np.zeros(x.shape[2])
    x, penalty = np.ascontiguousarray(x[:, :, free]), penalty[free]
    flat = x.reshape(-1, x.shape[2])
    wanted = answers / answers.sum(axis=1, keepdims=True)
    found, before = np.zeros(int(free.sum())), np.inf
    step = np.zeros(len(found))
    for _ in range(_STEPS):
        utility = np.where(counted, x @ found, -np.inf)
        top = utility.max(axis=1, keepdims=True)
        weight = np.exp(utility - top)
        total = weight.sum(axis=1, keepdims=True)
        p = weight / total
        fit = (top + np.log(total)).sum() - (wanted * np.where(counted, utility, 0)).sum()
        loss = float(fit + penalty @ found**2 / 2)
        if loss > before + 1e-9:  # overshot: half the way is better
            step /= 2
            found = found + step
            continue
        if before - loss < 1e-9:
            break
        before = loss
        mean = (p[:, None] @ x)[:, 0]  # of each query's documents, by their weight
        gradient = (p - wanted).ravel() @ flat + penalty * found
        curvature = (flat * p.reshape(-1, 1)).T @ flat - mean.T @ mean
        step = np.linalg.solve(curvature + np.diag(penalty), gradient)
        found = found - step
    beta[free] = found
    return beta
