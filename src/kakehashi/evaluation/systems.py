"""Systems: fitted baselines over the documents of one index.

A system gives the ranks of all queries, and the scores of one. ``scores`` starts from a query that
is already encoded. ``ask`` starts from its text, as a user's query does, and is timed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..data.pairs import Pairs
from ..encoders import Encoder, EncoderIdentity
from ..encoders.cache import encode_texts
from ..encoders.functions import FunctionEncoder
from ..encoders.protocol import checked_encode
from ..metrics.pool import Pool
from ..metrics.ranking import ranks, ranks_of_scores, scores
from ..metrics.relevance import Relevance
from ..retrieval.bm25 import LexicalIndex, bm25_ranks
from ..training.inputs import identities_of
from ..training.spaces import share_space
from ..types import SIDES, Metric, Mode, Role, Side
from ..vectors import Float32Array, unit_rows

Project = Callable[[Float32Array, Sequence[str] | None], Float32Array]


class CannotRunError(Exception):
    """A baseline cannot run on these data; the message becomes its row."""


@contextmanager
def calling(what: str) -> Iterator[None]:
    """Turn any error of a caller's function into the reason of its row.

    One failure of a service must not lose the other rows.
    """
    try:
        yield
    except Exception as error:
        text = " ".join(str(error).split())  # a row is one line
        raise CannotRunError(f"{what} raised {type(error).__name__}: {text}") from error


def guarded(encoder: Encoder) -> Encoder:
    """Return an encoder whose errors become the reason of a row."""

    def encode(role: Role, texts: list[str]) -> Float32Array:
        with calling(f"the encoder {encoder.name!r}"):
            return checked_encode(encoder, texts, role)

    return FunctionEncoder(encoder.name, partial(encode, "document"), partial(encode, "query"))


class System(Protocol):
    """A fitted baseline over n test queries and the m documents of the index."""

    def ranks(self) -> NDArray[np.intp]:
        """Return the rank of the best answer to each query, (n,), ties counted against it."""

    def scores(self, query: int) -> Float32Array:
        """Score all documents for one encoded query, (m,)."""

    def ask(self, query: int) -> Float32Array:
        """Score all documents for one query, (m,), from its text or its stored vector."""


SystemFactory = Callable[[], System]
"""Prepares the documents for search; a fit returns it, and it is called once."""


@dataclass(frozen=True, eq=False)
class Task:
    """The work of every baseline: pairs to fit on, pairs to search, and the settings.

    Attributes:
        train, test: pairs to fit on, and pairs to judge by; no training pair leaks into ``test``.
        pool: the documents of the index, in which every test query searches.
        encoders: the encoder of each side, or None.
        mode: whether target vectors are kept as they are, or may be moved.
        seed: of all random choices.
        cache: a file that keeps encoded vectors between runs.
    """

    train: Pairs
    test: Pairs
    pool: Pool
    encoders: dict[Side, Encoder | None]
    mode: Mode
    seed: int
    cache: str | Path | None

    @cached_property
    def relevance(self) -> Relevance:
        """The documents of the index, and which of them answer which test query."""
        return self.pool.relevance(self.test)

    @property
    def document_texts(self) -> tuple[str, ...]:
        """The m texts of the documents, or raise CannotRunError."""
        if self.pool.texts is None:
            raise CannotRunError("no target texts")
        return self.pool.texts

    @property
    def document_vectors(self) -> Float32Array:
        """The (m, d) float32 vectors of the documents, or raise CannotRunError."""
        if self.pool.vectors is None:
            raise _no_vectors("target")
        return np.asarray(self.pool.vectors, np.float32)

    def texts(self, side: Side) -> tuple[str, ...]:
        """Return the test texts of a side, or raise CannotRunError."""
        texts = self.test.texts(side)
        if texts is None:
            raise CannotRunError(f"no {side} texts")
        return texts

    def vectors(self, part: Pairs, side: Side) -> Float32Array:
        """Return the (n, d) float32 vectors of a side, or raise CannotRunError."""
        vectors = part.vectors(side)
        if vectors is None:
            raise _no_vectors(side)
        return np.asarray(vectors, np.float32)

    @cached_property
    def same_space(self) -> bool:
        """Whether raw cosines between the two sides mean anything."""
        for side in SIDES:
            self.vectors(self.train, side)
        return share_space(self.train, self.identities, self.seed)

    @cached_property
    def identities(self) -> dict[Side, EncoderIdentity | None]:
        """The identity of each side's encoder, or None."""
        return identities_of(self.encoders)

    def encode(self, encoder: Encoder, texts: Sequence[str], role: Role) -> Float32Array:
        """Encode texts -> (n, d) float32, each different text once."""
        return encode_texts(guarded(encoder), texts, role, cache=self.cache)

    def encode_one(self, encoder: Encoder | None) -> Callable[[str], Float32Array] | None:
        """Return a function from one query to (1, d), or None where queries come as vectors."""
        if encoder is None or self.test.source_texts is None:
            return None
        safe = guarded(encoder)
        return lambda text: safe.encode([text], "query")


def _no_vectors(side: Side) -> CannotRunError:
    return CannotRunError(
        f"no {side} vectors: name an encoder ({side}_encoder=, or --{side}-encoder)"
    )


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
    """Search, then order the best ``top`` documents by a reranker's scores.

    Attributes:
        rerank: takes a query and k documents, and returns (k,) finite scores.
    """

    task: Task
    base: System
    rerank: Callable[[str, list[str]], Float32Array]
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
        texts, question = self.task.document_texts, self.task.texts("source")[query]
        return best, self.rerank(question, [texts[i] for i in best])
