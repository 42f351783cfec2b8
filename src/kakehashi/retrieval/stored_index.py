"""An index at hand, of any store and framework, as a check and a search read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from ..vectors import Float32Array, squared_norms
from .index_record import IndexRecord

SAMPLE = 32
"""Documents that are read of an index."""
_UNIT = 2e-3
"""Largest difference of the squared length of a unit vector from 1: stores round."""


class StoredDocument(NamedTuple):
    """A document of a store.

    Attributes:
        text: as it was embedded, as far as the store tells.
        metadata: of the document.
        vector: (d,) as it is stored; None where the store does not return vectors.
    """

    text: str
    metadata: Mapping[str, Any]
    vector: Float32Array | None


class StoredIndex(Protocol):
    """An index at hand, of any store and framework."""

    @property
    def name(self) -> str:
        """Its name, for messages."""

    @property
    def collection(self) -> str | None:
        """The name of its collection in the store; None where the store tells none."""

    def identity(self) -> str | None:
        """Return the id that the store gave the collection; None where it gives none."""
        ...

    @property
    def scale(self) -> str | None:
        """The scale of its scores for unit vectors, as the store declares it; None if unknown."""

    @property
    def by_cosine(self) -> bool:
        """Whether its scores are those of unit vectors, however long the stored ones are."""

    def record(self) -> IndexRecord | None:
        """Return the record that was written into it, if there is one."""

    def write(self, record: IndexRecord) -> bool:
        """Write a record into it; say whether the store can hold one."""
        ...

    def kept(self, key: str) -> str | None:
        """Return the text that it keeps under a key, as its store holds it now."""
        ...

    def keep(self, key: str, value: str) -> bool:
        """Keep a text under a key, beside all others; say whether the store can."""
        ...

    def sample(self, n: int) -> Sequence[StoredDocument]:
        """Return at most n of its documents."""
        ...


@runtime_checkable
class Searched(Protocol):
    """What an index has beside that, if it may return documents without their vectors."""

    def nearest(self, vector: Float32Array) -> str | None:
        """Return the text of the document that a search for a vector finds first."""
        ...


def declared_scale(index: StoredIndex) -> str | None:
    """Return the scale of an index's scores, as far as it declares one that can be converted."""
    scale = index.scale
    if scale is None or index.by_cosine:
        return scale
    vectors = [d.vector for d in index.sample(SAMPLE) if d.vector is not None]
    unit = bool(vectors) and np.allclose(squared_norms(np.stack(vectors)), 1, atol=_UNIT)
    return scale if unit else None
