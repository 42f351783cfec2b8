"""Ranks of a search whose first hits are ordered again by other scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..types import Metric
from ..vectors import Float32Array, chunks, unit_rows
from .ranking import scores

_ROUNDING = np.float32(1e-6)
"""Two scores of unit vectors that differ by no more are a tie."""
_GATHERED = 20_000_000
"""Numbers of documents' vectors held at a time (80 MB of float32)."""

Ranks = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class FirstHits:
    """The first hits of each query, in the order of a first search, with the scores of a second.

    Attributes:
        ranks: (n,) rank of the best answer in the first search.
        hits: (n, k) positions of documents.
        scores: (n, k) float32, inner products of unit vectors, by which hits are ordered again.
        answers: (n, k) bool, whether a hit answers its query.
    """

    ranks: Ranks
    hits: NDArray[np.intp]
    scores: Float32Array
    answers: NDArray[np.bool_]

    def rescored(self, n_hits: int | None = None) -> Ranks:
        """Return the rank of the best answer where the first ``n_hits`` are ordered again, (n,).

        By default all hits that are here are ordered again.
        All others follow in the order of the first search, so an answer among them keeps its rank.
        Ties count against the query, and other answers of it do not.
        """
        n_hits = min(n_hits or self.hits.shape[1], self.hits.shape[1])
        scores, answers = self.scores[:, :n_hits], self.answers[:, :n_hits]
        best = np.where(answers, scores, -np.inf).max(axis=1, keepdims=True)
        before = ~(scores < best - _ROUNDING) & ~answers
        found = (self.ranks <= n_hits) & answers.any(axis=1)
        return np.where(found, 1 + before.sum(axis=1), self.ranks)

    @property
    def first(self) -> NDArray[np.intp]:
        """The position of the document that each query finds first after rescoring, (n,)."""
        best = self.scores.argmax(axis=1)
        return np.take_along_axis(self.hits, best[:, None], axis=1)[:, 0]


def first_hits(
    queries: Float32Array, documents: Float32Array, metric: Metric, k: int
) -> NDArray[np.intp]:
    """Return the positions of the first k documents of each query, (n, k), the best first."""
    k = min(k, len(documents))
    hits = np.empty((len(queries), k), np.intp)
    if metric == "cosine":
        queries, documents, metric = unit_rows(queries), unit_rows(documents), "ip"
    for part in chunks(len(queries), 256):
        block = -scores(queries[part], documents, metric)
        nearest = np.argpartition(block, k - 1, axis=1)[:, :k]
        nearest.sort(axis=1)  # equal scores stay in the order of the documents
        order = np.argsort(np.take_along_axis(block, nearest, axis=1), axis=1, kind="stable")
        hits[part] = np.take_along_axis(nearest, order, axis=1)
    return hits


def score_hits(
    queries: Float32Array, documents: Float32Array, hits: NDArray[np.intp]
) -> Float32Array:
    """Return the inner product of each query (n, d) with the documents (m, d) of its hits: (n, k).

    A score that is not a number ranks last.
    """
    result = np.empty(hits.shape, np.float32)
    size = max(1, _GATHERED // max(1, hits.shape[1] * documents.shape[1]))
    for part in chunks(len(queries), size):
        result[part] = (documents[hits[part]] @ queries[part][:, :, None])[:, :, 0]
    result[np.isnan(result)] = -np.inf
    return result


def are_answers(hits: NDArray[np.intp], answers: Sequence[NDArray[np.intp]]) -> NDArray[np.bool_]:
    """Whether each hit (n, k) is one of the ``answers[i]`` of its query."""
    return np.stack([np.isin(row, of_query) for row, of_query in zip(hits, answers, strict=True)])
