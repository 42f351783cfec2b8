"""What a baseline becomes for one test set: something that ranks, and that can be asked and timed.

A system has ``ranks``, ``scores`` of a query that is prepared already, and ``ask``, which does all
that stands between a user's query and its scores, and is what latency is measured on.
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
from ..encoders.adapters import FunctionEncoder
from ..encoders.cache import encode_texts
from ..encoders.protocol import checked_encode
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
    """Turn whatever a function of the caller's raises into the reason of its row.

    A service that does not answer once must not cost the other rows.
    """
    try:
        yield
    except Exception as error:
        text = " ".join(str(error).split())  # a row is one line
        raise CannotRunError(f"{what} raised {type(error).__name__}: {text}") from error


def guarded(encoder: Encoder) -> Encoder:
    """Return an encoder that makes whatever goes wrong in it the reason of its row."""

    def encode(role: Role, texts: list[str]) -> Float32Array:
        with calling(f"the encoder {encoder.name!r}"):
            return checked_encode(encoder, texts, role)

    return FunctionEncoder(encoder.name, partial(encode, "document"), partial(encode, "query"))


class System(Protocol):
    """A fitted baseline over the documents of one test set of n queries and m documents."""

    def ranks(self) -> NDArray[np.intp]:
        """Return the rank of the best answer to each query, (n,), ties counted against it."""

    def scores(self, query: int) -> Float32Array:
        """Score all documents for one query, (m,), from what is prepared."""

    def ask(self, query: int) -> Float32Array:
        """Score all documents for one query, (m,), from its text (or its stored vector) on."""


Index = Callable[[], System]
"""What a fit returns: called once, it prepares the test documents for search."""


@dataclass(frozen=True, eq=False)
class Task:
    """What every baseline is given: pairs to fit on, pairs to search, and the settings."""

    train: Pairs
    test: Pairs
    encoders: dict[Side, Encoder | None]
    mode: Mode
    seed: int
    cache: str | Path | None

    @cached_property
    def relevance(self) -> Relevance:
        """The different test targets, and which of them answer which query."""
        return Relevance.of(self.test)

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
            raise CannotRunError(
                f"no {side} vectors: name an encoder ({side}_encoder=, or --{side}-encoder)"
            )
        return np.asarray(vectors, np.float32)

    @cached_property
    def same_space(self) -> bool:
        """Whether raw cosines between the two sides mean anything."""
        for side in SIDES:
            self.vectors(self.train, side)
        return share_space(self.train, self.identities, self.seed)

    @cached_property
    def identities(self) -> dict[Side, EncoderIdentity | None]:
        """What the encoders do with the probe texts."""
        return identities_of(self.encoders)

    def encode(self, encoder: Encoder, texts: Sequence[str], role: Role) -> Float32Array:
        """Encode texts -> (n, d) float32, each different one once."""
        made = guarded(encoder)
        return encode_texts(made, texts, role, cache=self.cache)

    def encode_one(self, encoder: Encoder | None) -> Callable[[str], Float32Array] | None:
        """Return what encodes one query -> (1, d), or None where queries come as vectors."""
        if encoder is None or self.test.source_texts is None:
            return None
        made = guarded(encoder)
        return lambda text: made.encode([text], "query")


@dataclass(frozen=True, eq=False)
class Dense:
    """Search by vectors.

    Attributes:
        queries: (n, d) vectors of the queries before ``project``.
        documents: (n, d') vectors of all n targets, as they are stored.
        project: what carries query vectors into the documents' space; it also gets their texts,
            if there are any.
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
        """Score all documents for a query whose vector is known, (m,)."""
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
        if self.metric == "cosine":  # a store keeps unit vectors, and does not scale them again
            block = scores(unit_rows(vector), self._stored)
        else:
            block = scores(vector, self._stored, self.metric)
        found: Float32Array = block[0]
        return found

    @cached_property
    def _prepared(self) -> Float32Array:
        if self.project is None:
            return self.queries
        return self.project(self.queries, self.task.test.source_texts)

    @cached_property
    def _stored(self) -> Float32Array:
        documents = self.documents[self.task.relevance.pool]
        return unit_rows(documents) if self.metric == "cosine" else documents


@dataclass(frozen=True, eq=False)
class Lexical:
    """Search by BM25; ``prepared`` are the queries as they are looked up."""

    task: Task
    prepared: Sequence[str]
    translate: Callable[[str], str] = str

    def ranks(self) -> NDArray[np.intp]:
        """Return the rank of the best answer to each query, (n,)."""
        documents = self.task.texts("target")
        return bm25_ranks(self.prepared, documents, relevance=self.task.relevance)

    def scores(self, query: int) -> Float32Array:
        """Score all documents for one query, (m,)."""
        return self._index.scores(self.prepared[query])

    def ask(self, query: int) -> Float32Array:
        """Translate, where that is asked for, and score one query, (m,)."""
        return self._index.scores(self.translate(self.task.texts("source")[query]))

    @cached_property
    def _index(self) -> LexicalIndex:
        documents = self.task.texts("target")
        return LexicalIndex([documents[i] for i in self.task.relevance.pool])


@dataclass(frozen=True, eq=False)
class TwoStage:
    """Search, then put the best ``top`` documents into the order of a reranker's scores.

    Attributes:
        rerank: a query's text and k documents to (k,) finite scores.
    """

    task: Task
    base: System
    rerank: Callable[[str, list[str]], Float32Array]
    top: int

    def ranks(self) -> NDArray[np.intp]:
        """Return the rank of the best answer to each query, (n,).

        An answer that the first stage does not bring among the ``top`` keeps its rank.
        """
        found = self.base.ranks().copy()
        for query in np.flatnonzero(found <= self.top):
            best, score = self._reranked(int(query), self.base.scores(int(query)))
            answers = np.flatnonzero(np.isin(best, self.task.relevance.answers[query]))
            if len(answers):
                found[query] = ranks_of_scores(score[None], [answers])[0]
        return found

    def scores(self, query: int) -> Float32Array:
        """Score all documents for a query that the first stage has prepared, (m,)."""
        return self._in_order(query, self.base.scores(query))

    def ask(self, query: int) -> Float32Array:
        """Search and rerank one query, (m,)."""
        return self._in_order(query, self.base.ask(query))

    def _in_order(self, query: int, first: Float32Array) -> Float32Array:
        """Lift the reranked above all others, which keep their order: (m,) places, negated."""
        best, score = self._reranked(query, first)
        places = np.empty(len(first), np.float32)
        places[np.argsort(-first, kind="stable")] = -np.arange(len(first))
        places[best] = 1 + np.unique(score, return_inverse=True)[1]
        return places

    def _reranked(self, query: int, first: Float32Array) -> tuple[NDArray[np.intp], Float32Array]:
        """Return the places in the pool of the best documents, and what the reranker says."""
        best = np.argsort(-first, kind="stable")[: self.top]
        texts, pool = self.task.texts("target"), self.task.relevance.pool
        question = self.task.texts("source")[query]
        return best, self.rerank(question, [texts[i] for i in pool[best]])
