"""Chroma: a collection of a folder or of a server, as a migration reads and writes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ....errors import DataError
from ....retrieval.index_record import KEY, IndexRecord
from ....retrieval.move_note import NOTE_KEY
from ....vectors import Float32Array
from ..address import Address
from ..chroma import ChromaIndex, opened_chroma
from .protocol import StoredRow
from .untouched import untouched_bytes

_PAGE = 1000
_FIELDS = ("documents", "metadatas", "uris")
_KINDS = ("hnsw", "spann")


class _Payload(NamedTuple):
    """What Chroma stores beside a vector; each None where there is none."""

    document: str | None
    metadata: Mapping[str, Any] | None
    uri: str | None


class ChromaCollection:
    """A collection of Chroma.

    Chroma gives the documents back in the order in which they were added.

    Args:
        client: of chromadb, of a folder or of a server.
        address: of the collection.
        collection: of chromadb, opened without its embedding function.
    """

    def __init__(self, client: Any, address: Address, collection: Any) -> None:
        self._client, self._address, self._collection = client, address, collection
        self._index = ChromaIndex(collection)

    @property
    def name(self) -> str:
        """Kind and name, for messages."""
        return f"the collection {self._collection.name!r} of Chroma"

    @property
    def address(self) -> str:
        """Its address."""
        return self._address.of_collection(self._collection.name).text

    @property
    def dimension(self) -> int:
        """The dimension of its vectors; 0 where it is empty."""
        first = self._collection.get(limit=1, include=["embeddings"])["embeddings"]
        return len(first[0]) if len(first) else 0

    @property
    def page_size(self) -> int:
        """A thousand rows, or what the server allows at once."""
        return min(_PAGE, int(self._client.get_max_batch_size()))

    @property
    def settings(self) -> Mapping[str, Any]:
        """The metric and the parameters of its index: space, ef, M."""
        configuration = self._collection.configuration_json
        return {kind: configuration[kind] for kind in _KINDS if configuration.get(kind)}

    def count(self) -> int:
        """Return the number of documents."""
        return int(self._collection.count())

    def pages(self) -> Iterator[Sequence[StoredRow]]:
        """Yield all documents in the order in which they were added."""
        size, offset = self.page_size, 0
        while rows := self._read(limit=size, offset=offset):
            yield rows
            offset += len(rows)

    def part(self, start: int, n: int) -> Sequence[StoredRow]:
        """Return at most n documents from a place in the order of the store."""
        return self._read(limit=n, offset=start)

    def rows(self, ids: Sequence[str]) -> Mapping[str, StoredRow]:
        """Return the documents of these ids, as far as they are there."""
        return {row.id: row for row in self._read(ids=list(ids))} if ids else {}

    def _read(self, **where: Any) -> list[StoredRow]:
        page = self._collection.get(include=["embeddings", *_FIELDS], **where)
        found = []
        parts = (page["ids"], page["embeddings"], *(page[field] for field in _FIELDS))
        for name, vector, *stored in zip(*parts, strict=True):
            payload = _Payload(*stored)
            untouched = untouched_bytes(name, *payload)
            metadata, v = payload.metadata or {}, np.asarray(vector, np.float32)
            found.append(StoredRow(name, v, payload.document, metadata, untouched, payload))
        return found

    def beside(self, name: str) -> ChromaCollection | None:
        """Return the collection of this name in the same database; None where there is none."""
        if name not in {each.name for each in self._client.list_collections()}:
            return None
        collection = self._client.get_collection(name, embedding_function=None)
        return ChromaCollection(self._client, self._address, collection)

    def create_beside(self, name: str, dimension: int) -> ChromaCollection:
        """Create an empty collection with the metric, the parameters and the metadata of this one.

        Its embedding function is none: that of this one belongs to the old vectors.
        """
        ours = (KEY, NOTE_KEY)
        there = (self._collection.metadata or {}).items()
        # The configuration holds the metric, which old versions of Chroma kept among the metadata.
        kept = {k: v for k, v in there if k not in ours and not k.startswith("hnsw:")}
        settings: Any = dict(self.settings)
        try:
            collection = self._client.create_collection(
                name, configuration=settings, metadata=kept or None, embedding_function=None
            )
        except Exception as error:
            if self.beside(name) is not None:
                raise DataError(f"{name!r} is taken: Chroma holds such a collection.") from error
            raise DataError(f"Chroma does not create {name!r}: {error!s:.200}") from error
        return ChromaCollection(self._client, self._address, collection)

    def write(self, rows: Sequence[StoredRow], vectors: Float32Array) -> None:
        """Write documents; one that is there is replaced.

        It is deleted first: Chroma's upsert keeps a text and metadata that the new row has not.
        """
        ids = [row.id for row in rows]
        self.delete(self._collection.get(ids=ids, include=[])["ids"])
        stored = zip(*(row.payload for row in rows), strict=True)
        fields = {
            field: list(values)
            for field, values in zip(_FIELDS, stored, strict=True)
            if any(value is not None for value in values)
        }
        self._collection.add(ids=ids, embeddings=vectors, **fields)

    def delete(self, ids: Sequence[str]) -> None:
        """Delete documents; those that are not there are no error."""
        if ids:
            self._collection.delete(ids=list(ids))

    def finish(self) -> None:
        """Do nothing: Chroma indexes what it writes."""

    def drop(self) -> None:
        """Delete the collection, with its documents, its record and its note."""
        self._client.delete_collection(self._collection.name)

    def identity(self) -> str | None:
        """Return the id that Chroma gave the collection."""
        return self._index.identity()

    def record(self) -> IndexRecord | None:
        """Return the record of its aligner."""
        return self._index.record()

    def write_record(self, record: IndexRecord) -> None:
        """Write the record into the metadata of the collection."""
        self._index.write(record)

    def note(self) -> str | None:
        """Return the note in the metadata of the collection, as it is now."""
        return self._index.kept(NOTE_KEY)

    def write_note(self, note: str) -> None:
        """Write the note beside the metadata that are there."""
        self._index.keep(NOTE_KEY, note)

    def close(self) -> None:
        """Let go of the folder, where it is one."""
        getattr(self._client, "close", lambda: None)()


def open_chroma(address: Address) -> ChromaCollection:
    """Open a collection; its own embedding function is not loaded."""
    client, name = opened_chroma(address)
    return ChromaCollection(client, address, client.get_collection(name, embedding_function=None))
