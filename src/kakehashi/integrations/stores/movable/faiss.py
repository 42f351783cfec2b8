"""FAISS: an index in a file with texts beside it, as a migration reads and writes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ....bundle.writing import exchanged
from ..address import Address
from ..faiss import FaissFiles, entries_of, files_of, require_equal_length
from ..faiss_index import like, read_index_file, settings_of, vectors_of, write_index
from ..kept_file import beside, keep_in, kept_in
from .files import beside_of, new_beside, remove
from .held import Held, HeldCollection
from .protocol import StoredRow
from .untouched import untouched_bytes


class FaissCollection(HeldCollection):
    """A folder with an index of FAISS and a file of texts, in the order of its vectors.

    The new index is of the same kind, metric and parameters; our texts lie in a file of the folder.
    """

    @property
    def name(self) -> str:
        """Kind and name, for messages."""
        return f"the FAISS folder {str(self._path)!r}"

    @property
    def settings(self) -> Mapping[str, Any]:
        """The kind of the index and its metric."""
        return settings_of(self._index())

    def _index(self) -> Any:
        return read_index_file(files_of(self._path).vectors)

    def files(self) -> list[Path]:
        """Return the two files."""
        return list(files_of(self._path))

    def read(self) -> dict[str, Held]:
        """Read the two files."""
        files = files_of(self._path)
        entries = entries_of(files)
        vectors = vectors_of(read_index_file(files.vectors), str(files.vectors))
        require_equal_length(len(vectors), entries, files)
        pairs = zip(entries, vectors, strict=True)
        return {entry["id"]: Held(vector, entry) for entry, vector in pairs}

    def save(self, documents: Mapping[str, Held]) -> None:
        """Write the folder again."""
        files, ours = files_of(self._path), beside(self._path)
        kept = ours.read_bytes() if ours.is_file() else None
        index = like(self._index(), self.dimension) if documents else self._index()
        with exchanged(self._path) as folder:
            _write(folder, files, documents, index)
            if kept is not None:
                (folder / ours.name).write_bytes(kept)

    def row_of(self, name: str, document: Held) -> StoredRow:
        """Return a document as a row."""
        entry: dict[str, Any] = document.payload
        text, metadata = entry.get("text"), entry.get("metadata") or {}
        return StoredRow(name, document.vector, text, metadata, untouched_bytes(entry), entry)

    def beside(self, name: str) -> FaissCollection | None:
        """Return the folder of this name beside this one; None where there is none."""
        address = beside_of(self._address, name)
        return FaissCollection(address) if address.required_place().exists() else None

    def create_beside(self, name: str, dimension: int) -> FaissCollection:
        """Write a folder beside this one, with an empty index of the same kind."""
        address = new_beside(self._address, name)
        index = like(self._index(), dimension)
        with exchanged(address.required_place()) as folder:
            _write(folder, files_of(self._path), {}, index)
        return FaissCollection(address)

    def drop(self) -> None:
        """Delete the folder."""
        remove(self._path)

    def kept(self, key: str) -> str | None:
        """Return a text of our file in the folder."""
        return kept_in(beside(self._path), key)

    def keep(self, key: str, value: str) -> bool:
        """Write a text into our file in the folder."""
        keep_in(beside(self._path), key, value)
        return True


def _write(folder: Path, files: FaissFiles, documents: Mapping[str, Held], index: Any) -> None:
    """Write both files, under the names that they have elsewhere."""
    with (folder / files.texts.name).open("w", encoding="utf-8") as file:
        for document in documents.values():
            file.write(json.dumps(document.payload, ensure_ascii=False) + "\n")
    vectors = [each.vector for each in documents.values() if each.vector is not None]
    write_index(index, folder / files.vectors.name, np.array(vectors, np.float32))


def open_faiss(address: Address) -> FaissCollection:
    """Open a folder.

    Raises:
        ReaderError: it holds no index of FAISS with texts beside it.
        DataError: an index of a kind that gives no vectors back.
    """
    opened = FaissCollection(address)
    opened.count()
    return opened
