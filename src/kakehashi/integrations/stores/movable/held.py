"""Collections of one file or a few, which are held in memory and written as a whole."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ....vectors import Float32Array
from ..address import Address
from .kept import KeptCollection
from .protocol import StoredRow

_PAGE = 1000


class Held(NamedTuple):
    """A document: its vector, and what the files have of it beside."""

    vector: Float32Array | None
    payload: Any


class HeldCollection(KeptCollection):
    """A collection whose documents are read from files at once.

    What is written stays in memory until ``finish`` writes the files, in one step. A process that
    is killed before leaves the files as they were, and a migration then begins anew.

    Args:
        address: of the file or folder.
    """

    page_size = _PAGE

    def __init__(self, address: Address) -> None:
        self._address = address
        self._path = address.required_folder()
        self._held: dict[str, Held] = {}
        self._read_at: object = None
        self._is_written = True

    @abstractmethod
    def read(self) -> dict[str, Held]:
        """Read all documents from the files, in their order."""

    @abstractmethod
    def save(self, documents: Mapping[str, Held]) -> None:
        """Write all documents into the files, in one step."""

    @abstractmethod
    def row_of(self, name: str, document: Held) -> StoredRow:
        """Return a document as a row."""

    def files(self) -> list[Path]:
        """Return the files that are read: where one was changed, all are read again."""
        return [self._path]

    @property
    def address(self) -> str:
        """Its address."""
        return self._address.text

    @property
    def dimension(self) -> int:
        """The dimension of the first vector; 0 where there is none."""
        vectors = (document.vector for document in self._documents().values())
        return next((len(vector) for vector in vectors if vector is not None), 0)

    @property
    def settings(self) -> Mapping[str, Any]:
        """Files have no index."""
        return {}

    def _documents(self) -> dict[str, Held]:
        if self._is_written and (now := _state(self.files())) != self._read_at:
            self._held, self._read_at = self.read(), now
        return self._held

    def count(self) -> int:
        """Return the number of documents."""
        return len(self._documents())

    def pages(self) -> Iterator[Sequence[StoredRow]]:
        """Yield all documents in the order of the file."""
        documents = list(self._documents().items())
        for start in range(0, len(documents), _PAGE):
            yield [self.row_of(*each) for each in documents[start : start + _PAGE]]

    def rows(self, ids: Sequence[str]) -> Mapping[str, StoredRow]:
        """Return the documents of these ids, as far as they are there."""
        there = self._documents()
        return {name: self.row_of(name, there[name]) for name in ids if name in there}

    def write(self, rows: Sequence[StoredRow], vectors: Float32Array) -> None:
        """Put documents into memory; ``finish`` writes them."""
        documents = self._documents()
        for row, vector in zip(rows, vectors, strict=True):
            documents[row.id] = Held(vector.copy(), row.payload)
        self._is_written = self._is_written and not rows

    def delete(self, ids: Sequence[str]) -> None:
        """Delete documents from memory; ``finish`` deletes them from the files."""
        documents = self._documents()
        for name in ids:
            if documents.pop(name, None) is not None:
                self._is_written = False

    def finish(self) -> None:
        """Write the files, where they differ from what is held."""
        if not self._is_written:
            self.save(self._held)
            self._is_written, self._read_at = True, _state(self.files())

    def close(self) -> None:
        """Let go of what is held."""
        self._held, self._read_at = {}, None


def _state(files: Sequence[Path]) -> object:
    """Return what tells whether a file was changed."""
    stats = [path.stat() for path in files if path.exists()]
    return [(stat.st_mtime_ns, stat.st_size, stat.st_ino) for stat in stats]
