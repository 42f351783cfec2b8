"""The task of every baseline, and the system that a fitted one is.

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
from ..metrics.relevance import Relevance
from ..training.inputs import identities_of
from ..training.spaces import share_space
from ..types import SIDES, Mode, Role, Side
from ..vectors import Float32Array


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
