"""A collection of a store, as a migration reads and writes it.

A collection is whatever holds the documents of one index: a collection of Chroma or Qdrant, a table
of LanceDB or PostgreSQL, a folder of files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from ....retrieval.index_record import IndexRecord
from ....vectors import Float32Array


class StoredRow(NamedTuple):
    """A document of a collection.

    Attributes:
        id: its name in the store, as text.
        vector: (d,) float32 as it is stored; None where the store holds none for it.
        text: as it was embedded; None where the store holds none.
        metadata: as the application gave them.
        untouched: all that a migration leaves as it is (id, text, metadata, the fields of the
            framework), as bytes that are equal where these are equal: for checksums.
        payload: what the collection itself needs to write the document again.
    """

    id: str
    vector: Float32Array | None
    text: str | None
    metadata: Mapping[str, Any]
    untouched: bytes
    payload: Any


class MovableCollection(Protocol):
    """A collection that a migration reads, or writes.

    Nothing that only reads may change the store.
    """

    @property
    def name(self) -> str:
        """Kind and name, for messages: ``the collection 'manual' of Chroma``."""

    @property
    def address(self) -> str:
        """Its address, as :func:`kakehashi.read_index` takes it."""

    @property
    def dimension(self) -> int:
        """The dimension of its vectors; 0 where it is empty and declares none."""

    @property
    def page_size(self) -> int:
        """The rows that the store reads or writes at once: its own limit, 1,000 at most."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings of its index (metric, parameters), JSON-ready; for the report of a move."""

    def identity(self) -> str | None:
        """Return the id that the store gave the collection; None where it gives none."""
        ...

    def count(self) -> int:
        """Return the number of documents."""
        ...

    def pages(self) -> Iterator[Sequence[StoredRow]]:
        """Yield all documents in the order of the store, at most ``page_size`` at once.

        The order is that in which they were added, where the store knows it. Documents that are
        written or deleted meanwhile may be missed or come twice; a migration reads again.
        """
        ...

    def rows(self, ids: Sequence[str]) -> Mapping[str, StoredRow]:
        """Return the documents of these ids, as far as they are there."""
        ...

    def beside(self, name: str) -> MovableCollection | None:
        """Return the collection of this name in the same store; None where there is none.

        Of a store of files, ``name`` is the name of a file or folder beside this one.
        """
        ...

    def create_beside(self, name: str, dimension: int) -> MovableCollection:
        """Create an empty collection with the settings of this one, and return it.

        Args:
            dimension: of the vectors that it will hold.

        Raises:
            DataError: the name is taken, or none that the store allows.
        """
        ...

    def write(self, rows: Sequence[StoredRow], vectors: Float32Array) -> None:
        """Write documents of a collection of the same kind, each with its new vector.

        A document whose id is there is replaced: a second write of the same rows changes nothing.
        When this returns, a killed process or a restarted server has lost none of them.

        Args:
            vectors: (n, d) float32.
        """
        ...

    def delete(self, ids: Sequence[str]) -> None:
        """Delete documents; those that are not there are no error."""
        ...

    def finish(self) -> None:
        """Complete what a store does after the last row: build an index, join files."""
        ...

    def drop(self) -> None:
        """Delete the collection, all its documents, and its note."""
        ...

    def record(self) -> IndexRecord | None:
        """Return which aligner made the vectors, as it was recorded in the store."""
        ...

    def write_record(self, record: IndexRecord) -> None:
        """Record which aligner made the vectors, where every retriever of ours looks for it."""
        ...

    def note(self) -> str | None:
        """Return the note that a migration left in the collection."""
        ...

    def write_note(self, note: str) -> None:
        """Leave a note in the collection, in one step: nobody reads half of it."""
        ...

    def close(self) -> None:
        """Let go of the store: of a lock, or of a connection."""
        ...
