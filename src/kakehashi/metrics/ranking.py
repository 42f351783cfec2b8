"""Retrieval metrics, computed from the rank of the best answer to each query.

Every metric is a function of the rank r (1 is best) of the best document that answers:

    recall@k = [r <= k]      MRR@k = [r <= k] / r      nDCG@k = [r <= k] / log2(1 + r)

With one answer a query these are the usual metrics; the tests compare them with ir_measures. With
several answers, recall@k is a hit rate, and nDCG counts the first answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..types import Metric
from ..vectors import Float32Array, chunks, squared_norms, unit_rows

if TYPE_CHECKING:
    from .relevance import Relevance

METRICS = ("recall@1", "recall@5", "recall@10", "mrr@10", "ndcg@10")

_ROUNDING = np.float32(1e-6)
"""Share of the largest possible score within which two scores are a tie."""

_SCORE_CELLS = 16_000_000
"""Scores held at a time (64 MB of float32)."""


def scores(queries: Float32Array, documents: Float32Array, metric: Metric = "ip") -> Float32Array:
    """Score every document for every query as a vector store of this metric does.

    (n, d) and (m, d) give (n, m); higher is better. ``l2`` is the negated squared distance, up to
    a constant for each query, which does not change the order.
    """
    if metric == "cosine":
        return unit_rows(queries) @ unit_rows(documents).T
    products = queries @ documents.T
    if metric == "l2":
        return 2 * products - squared_norms(documents)
    return products


def ranks(
    queries: Float32Array,
    documents: Float32Array,
    metric: Metric = "ip",
    *,
    relevance: Relevance | None = None,
) -> NDArray[np.intp]:
    """Return the rank of the best answer to each of n queries, (n,), 1 being the best.

    Without ``relevance`` document i alone answers query i, among all n documents. Ties count
    against the query: a document that scores the same as the answer is taken to stand before it.
    A score that is not a number ranks last.
    """
    if relevance is not None and len(relevance.pool) < len(documents):  # else all, in order
        documents = documents[relevance.pool]
    if metric == "cosine":
        queries, documents, metric = unit_rows(queries), unit_rows(documents), "ip"
    # Equal documents may score a rounding error apart, so that near is as good as equal.
    largest = np.sqrt(squared_norms(documents).max() * squared_norms(queries))
    margin = _ROUNDING * (largest if metric == "ip" else largest + squared_norms(documents).max())
    rank = np.empty(len(queries), dtype=np.intp)
    for part in chunks(len(queries), max(1, _SCORE_CELLS // max(1, len(documents)))):
        block = scores(queries[part], documents, metric)
        if relevance is None:
            answers = list(np.arange(part.start, part.stop)[:, None])
        else:
            answers = relevance.answers[part]
        rank[part] = ranks_of_scores(block, answers, margin[part])
    return rank


def ranks_of_scores(
    block: Float32Array, answers: Sequence[NDArray[np.intp]], margin: Any = 0.0
) -> NDArray[np.intp]:
    """Return the rank of the best of ``answers[i]`` in row i of a score matrix, ties against.

    Scores that differ by no more than ``margin`` (one for all rows, or one a row) are a tie. The
    other answers of a query do not count against its best.
    """
    rows = np.repeat(np.arange(len(block)), [len(a) for a in answers])
    columns = np.concatenate(answers)
    starts = np.flatnonzero(np.diff(rows, prepend=-1))
    best = np.maximum.reduceat(block[rows, columns], starts) - margin
    # "not lower" rather than "at least": every comparison with NaN is false and so counts against.
    before = ~(block < best[:, None])
    others = before.sum(axis=1) - np.add.reduceat(before[rows, columns], starts, dtype=np.intp)
    result: NDArray[np.intp] = 1 + others
    return result


def per_query(rank: NDArray[np.intp]) -> dict[str, NDArray[np.float64]]:
    """Return each metric of each query, {name: (n,)}."""
    top_ten = rank <= 10
    return {
        "recall@1": (rank == 1).astype(np.float64),
        "recall@5": (rank <= 5).astype(np.float64),
        "recall@10": top_ten.astype(np.float64),
        "mrr@10": top_ten / rank,
        "ndcg@10": top_ten / np.log2(1.0 + rank),
    }


def reciprocal(rank: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return 1 / rank, not cut at ten: the smooth score by which hyper-parameters are chosen."""
    return 1.0 / rank
