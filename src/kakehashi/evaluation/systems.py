"""The kinds of system: search by vectors, by words, and with a reranker after a search."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..metrics.ranking import ranks, ranks_of_scores, scores
from ..retrieval.bm25 import LexicalIndex, bm25_ranks
from ..types import Metric
from ..vectors import Float32Array, unit_rows
from .task import CannotRunError, System, Task

Project = Callable[[Float32Array, Sequence[str] | None], Float32Array]


@dataclass(frozen=True, eq=False)
class Dense:
    """Search by vectors.

    Attributes:
        queries: (n, d) vectors of the queries before ``project``.
        documents: (m, d') vectors of the documents, as they are stored.
        project: maps query vectors into the documents' space; it also gets their texts, if there
            are any.
        encode: text to (1, d); None where queries come as vectors.
    """

    task: Task
    queries: Float32Array
    documents: Float32Array
    metric: Metric = "cosine"
    project: Project | None = None
    encode: Callable[[str], Float32Array] | None = None

    def __post_init__(self) -> None:
        if self._prepared.shape[1] != self.documents.shape[1]:
            raise CannotRunError(
                f"queries of {self._prepared.shape[1]} and documents of "
                f"{self.documents.shape[1]} dimensions are not comparable"
            )

    def ranks(self) -> NDArray[np.intp]:
        """Return the rank of the best answer to each query, (n,)."""
        return ranks(self._prepared, self.documents, self.metric, relevance=self.task.relevance)

    def scores(self, query: int) -> Float32Array:
        """Score all documents for one encoded query, (m,)."""
        return self._score(self._prepared[query : query + 1])

    def ask(self, query: int) -> Float32Array:
        """Encode, project and score one query, (m,)."""
        if self.encode is None:
            vector = self.queries[query : query + 1]
        else:
            vector = self.encode(self.task.texts("source")[query])
        if self.project is not None:
            texts = self.task.test.source_texts
            vector = self.project(vector, None if texts is None else [texts[query]])
        return self._score(vector)

    def _score(self, vector: Float32Array) -> Float32Array:
        if self.metric == "cosine":  # a store keeps unit vectors
            block = scores(unit_rows(vector), self._stored)
        else:
            block = scores(vector, self._stored, self.metric)
        row: Float32Array = block[0]
        return row

    @cached_property
    def _prepared(self) -> Float32Array:
        if self.project is None:
            return self.queries
        return self.project(self.queries, self.task.test.source_texts)

    @cached_property
    def _stored(self) -> Float32Array:
        return unit_rows(self.documents) if self.metric == "cosine" else self.documents


@dataclass(frozen=True, eq=False)
class Lexical:
    """Search by BM25; ``prepared`` are the queries, translated where that is asked for."""

    task: Task
    prepared: Sequence[str]
    translate: Callable[[str], str] = str

    def ranks(self) -> NDArray[np.intp]:
        """Return the rank of the best answer to each query, (n,)."""
        documents = self.task.document_texts
        return bm25_ranks(self.prepared, documents, relevance=self.task.relevance)

    def scores(self, query: int) -> Float32Array:
        """Score all documents for one query, (m,)."""
        return self._index.scores(self.prepared[query])

    def ask(self, query: int) -> Float32Array:
        """Translate, where that is asked for, and score one query, (m,)."""
        return self._index.scores(self.translate(self.task.texts("source")[query]))

    @cached_property
    def _index(self) -> LexicalIndex:
        return LexicalIndex(self.task.document_texts)


@dataclass(frozen=True, eq=False)
class TwoStage:
    """Search, then order the best ``top`` documents by other scores.

    Attributes:
        rerank: takes the number of a query and the (k,) positions of documents, and returns (k,)
            finite scores.
    """

    task: Task
    base: System
    rerank: Callable[[int, NDArray[np.intp]], Float32Array]
    top: int

    def ranks(self) -> NDArray[np.intp]:
        """Return the rank of the best answer to each query, (n,).

        An answer that the first stage does not rank among the ``top`` keeps its rank.
        """
        all_ranks = self.base.ranks().copy()
        for query in np.flatnonzero(all_ranks <= self.top):
            best, score = self._reranked(int(query), self.base.scores(int(query)))
            answers = np.flatnonzero(np.isin(best, self.task.relevance.answers[query]))
            if len(answers):
                all_ranks[query] = ranks_of_scores(score[None], [answers])[0]
        return all_ranks

    def scores(self, query: int) -> Float32Array:
        """Score all documents for one encoded query, (m,)."""
        return self._in_order(query, self.base.scores(query))

    def ask(self, query: int) -> Float32Array:
        """Search and rerank one query, (m,)."""
        return self._in_order(query, self.base.ask(query))

    def _in_order(self, query: int, first: Float32Array) -> Float32Array:
        """Put the reranked documents before all others, which keep their order: (m,) scores."""
        best, score = self._reranked(query, first)
        places = np.empty(len(first), np.float32)
        places[np.argsort(-first, kind="stable")] = -np.arange(len(first))
        places[best] = 1 + np.unique(score, return_inverse=True)[1]
        return places

    def _reranked(self, query: int, first: Float32Array) -> tuple[NDArray[np.intp], Float32Array]:
        """Return the pool positions of the best documents, and the reranker's scores of them."""
        best = np.argsort(-first, kind="stable")[: self.top]
        return best, self.rerank(query, best)
