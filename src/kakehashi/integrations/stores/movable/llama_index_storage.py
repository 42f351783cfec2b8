"""LlamaIndex: a storage that was persisted to a folder, as a migration reads and writes it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ....bundle.writing import exchanged
from ....retrieval.index_record import KEY
from ....retrieval.move_note import NOTE_KEY
from ..address import Address
from ..faiss_index import settings_of
from ..llama_index_storage import DOCUMENTS, INDICES, VECTORS
from ..node_text import node_of_entry
from ..replacing import replace_file
from .files import beside_of, new_beside, remove
from .held import Held, HeldCollection
from .llama_index_files import (
    StoredNode,
    empty_faiss,
    indices_with,
    kept_in_indices,
    read_storage,
)
from .protocol import StoredRow
from .untouched import untouched_bytes


class StorageCollection(HeldCollection):
    """The nodes of ``storage_context.persist(folder)`` that have a vector, in its order.

    The new folder holds all else that the old one does: other documents, graphs, indices without
    vectors. ``load_index_from_storage`` loads it.

    Args:
        address: of the folder.
        origin: the folder whose other documents are to be there, too.
    """

    def __init__(self, address: Address, origin: Path | None = None) -> None:
        super().__init__(address)
        self._origin = origin

    @property
    def name(self) -> str:
        """Kind and name, for messages."""
        return f"the storage {str(self._path)!r} of LlamaIndex"

    @property
    def settings(self) -> Mapping[str, Any]:
        """Of vectors in FAISS, the kind of the index and its metric."""
        return settings_of(read_storage(self._path).faiss)

    def files(self) -> list[Path]:
        """Return the files that are read for documents."""
        return [self._path / name for name in (DOCUMENTS, VECTORS)]

    def read(self) -> dict[str, Held]:
        """Read the folder."""
        return read_storage(self._path).held

    def save(self, documents: Mapping[str, Held]) -> None:
        """Write the folder again, with what the origin has beside these nodes."""
        origin = self._origin if self._origin and self._origin.is_dir() else self._path
        like = read_storage(origin)
        faiss = empty_faiss(like, self.dimension)
        texts = {key: self.kept(key) for key in (KEY, NOTE_KEY)}
        with exchanged(self._path) as folder:
            like.save(folder, documents, faiss)
            for key, text in texts.items():
                if text is not None:
                    (folder / INDICES).write_bytes(indices_with(folder, key, text))

    def row_of(self, name: str, document: Held) -> StoredRow:
        """Return a node as a row."""
        stored: StoredNode = document.payload
        text, metadata = node_of_entry(stored.documents.get("docstore/data"))
        untouched = untouched_bytes(name, *stored)
        return StoredRow(name, document.vector, text, metadata, untouched, stored)

    def beside(self, name: str) -> StorageCollection | None:
        """Return the storage of this name beside this one; None where there is none."""
        address = beside_of(self._address, name)
        there = address.required_place().exists()
        return StorageCollection(address, self._path) if there else None

    def create_beside(self, name: str, dimension: int) -> StorageCollection:
        """Write a storage beside this one that has all but its nodes."""
        address = new_beside(self._address, name)
        like = read_storage(self._path)
        faiss = empty_faiss(like, dimension)
        with exchanged(address.required_place()) as folder:
            like.save(folder, {}, faiss)
        return StorageCollection(address, self._path)

    def drop(self) -> None:
        """Delete the folder."""
        remove(self._path)

    def kept(self, key: str) -> str | None:
        """Return a text of the index store."""
        return kept_in_indices(self._path, key)

    def keep(self, key: str, value: str) -> bool:
        """Write a text into the index store, where our retrievers look for it."""
        content = indices_with(self._path, key, value)
        replace_file(self._path / INDICES, lambda file: file.write(content))
        return True


def open_llama_index_storage(address: Address) -> StorageCollection:
    """Open a storage.

    Raises:
        ReaderError: the folder is none, or its vectors lie in a store of their own.
        DataError: it holds several indices with vectors.
    """
    opened = StorageCollection(address)
    opened.count()
    return opened
