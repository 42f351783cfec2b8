"""LangChain: the dump of an in-memory store, as a migration reads and writes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any

from ..address import Address
from ..kept_file import beside, keep_in, kept_in
from ..langchain_dump import read_entries
from ..replacing import replace_file
from .files import beside_of, new_beside, remove
from .held import Held, HeldCollection
from .protocol import StoredRow
from .untouched import untouched_bytes


class DumpCollection(HeldCollection):
    """The file of ``InMemoryVectorStore.dump``, in its order; our texts lie in a file beside it."""

    @property
    def name(self) -> str:
        """Kind and name, for messages."""
        return f"the dump {str(self._path)!r} of LangChain"

    def read(self) -> dict[str, Held]:
        """Read the file."""
        entries = read_entries(self._path)
        return {name: Held(entry.pop("vector"), entry) for name, entry in entries.items()}

    def save(self, documents: Mapping[str, Held]) -> None:
        """Write the file again."""
        replace_file(self._path, lambda file: _write(file, documents))

    def row_of(self, name: str, document: Held) -> StoredRow:
        """Return a document as a row."""
        stored: dict[str, Any] = document.payload
        text, metadata = stored.get("text"), stored.get("metadata") or {}
        untouched = untouched_bytes(name, stored)
        return StoredRow(name, document.vector, text, metadata, untouched, stored)

    def beside(self, name: str) -> DumpCollection | None:
        """Return the dump of this name beside this one; None where there is none."""
        address = beside_of(self._address, name)
        return DumpCollection(address) if address.required_place().exists() else None

    def create_beside(self, name: str, dimension: int) -> DumpCollection:
        """Write an empty dump beside this one."""
        address = new_beside(self._address, name)
        place = address.required_place()
        beside(place).unlink(missing_ok=True)  # of a dump that was deleted by hand
        replace_file(place, lambda file: _write(file, {}))
        return DumpCollection(address)

    def drop(self) -> None:
        """Delete the file and the one of our texts."""
        remove(self._path)
        beside(self._path).unlink(missing_ok=True)

    def kept(self, key: str) -> str | None:
        """Return a text of the file beside."""
        return kept_in(beside(self._path), key)

    def keep(self, key: str, value: str) -> bool:
        """Write a text into the file beside."""
        keep_in(beside(self._path), key, value)
        return True


def _write(file: IO[bytes], documents: Mapping[str, Held]) -> None:
    """Write one document after another: all at once would fill the memory with numbers."""
    start = b"{"
    for name, document in documents.items():
        vector = None if document.vector is None else document.vector.tolist()
        entry = json.dumps({**document.payload, "vector": vector}, ensure_ascii=False)
        named = f"{json.dumps(name, ensure_ascii=False)}: {entry}"
        file.write(start + b"\n" + named.encode("utf-8", "surrogatepass"))
        start = b","
    file.write(b"{}" if start == b"{" else b"\n}")


def open_langchain_dump(address: Address) -> DumpCollection:
    """Open a dump.

    Raises:
        ReaderError: the file is none.
    """
    opened = DumpCollection(address)
    opened.count()
    return opened
