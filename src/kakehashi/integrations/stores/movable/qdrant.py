"""Qdrant: a collection of a folder or of a server, as a migration reads and writes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np

from ....errors import DataError
from ....vectors import Float32Array
from ..address import Address
from ..node_text import node_of
from ..qdrant import QdrantIndex, metadata_of, text_of
from ..qdrant_clients import QdrantAccess, resolved
from ..rows import is_node_of_llama_index
from .kept import KeptCollection
from .protocol import StoredRow
from .qdrant_settings import creation, dense_names, other_vectors, settings_of
from .untouched import untouched_bytes

_PAGE = 1000
_NUMBERS = 1_000_000
"""Coordinates that are sent at once: a server takes 32 MB, and each is some 20 bytes of JSON."""


class _Point(NamedTuple):
    """What Qdrant stores beside the vector; ``others`` are vectors of other names."""

    id: int | str
    payload: Mapping[str, Any]
    others: Mapping[str, Any]


class QdrantCollection(KeptCollection):
    """A collection of Qdrant.

    Qdrant gives points back in the order of their ids.

    Args:
        access: to a folder or to a server.
        address: of the collection.
        collection: its name.
        vector: the name of the vectors that are moved; empty where they have none.
        origin: the collection whose indices of the payload are to be made here, too.
    """

    remedy = "take qdrant-client and a server of version 1.16 or newer."

    def __init__(
        self,
        access: QdrantAccess,
        address: Address,
        collection: str,
        vector: str,
        origin: str | None = None,
    ) -> None:
        self._access, self._address, self._collection = access, address, collection
        client = self._client = access.client
        self._vector, self._origin = vector, origin
        self._index = QdrantIndex(client, collection, lambda payload: ("", payload), vector)

    @property
    def name(self) -> str:
        """Kind and name, for messages."""
        return f"the collection {self._collection!r} of Qdrant"

    @property
    def address(self) -> str:
        """Its address."""
        return self._address.of_collection(self._collection).text

    @property
    def dimension(self) -> int:
        """The dimension that the collection declares."""
        vectors = self._info().config.params.vectors
        return int((vectors[self._vector] if isinstance(vectors, dict) else vectors).size)

    @property
    def page_size(self) -> int:
        """A thousand points, or what the server takes at once."""
        strict = getattr(self._info().config, "strict_mode_config", None)
        allowed = getattr(strict, "upsert_max_batchsize", None) or _PAGE
        return max(1, min(_PAGE, allowed, _NUMBERS // max(1, self.dimension)))

    @property
    def settings(self) -> Mapping[str, Any]:
        """The distance and all parameters that the server tells; no dimension."""
        return settings_of(self._info(), self._vector)

    def _info(self) -> Any:
        return self._client.get_collection(self._collection)

    def count(self) -> int:
        """Return the number of points."""
        return int(self._client.count(self._collection, exact=True).count)

    def pages(self) -> Iterator[Sequence[StoredRow]]:
        """Yield all points in the order of their ids."""
        size, cosines, offset = self.page_size, other_vectors(self._info(), self._vector), None
        while True:
            points, offset = self._client.scroll(
                self._collection, limit=size, offset=offset, with_payload=True, with_vectors=True
            )
            if points:
                yield [self._row(point, cosines) for point in points]
            if offset is None:
                return

    def rows(self, ids: Sequence[str]) -> Mapping[str, StoredRow]:
        """Return the points of these ids, as far as they are there."""
        known, cosines = (
            [_point_id(each) for each in ids],
            other_vectors(self._info(), self._vector),
        )
        if not known:
            return {}
        points = self._client.retrieve(
            self._collection, known, with_payload=True, with_vectors=True
        )
        return {str(point.id): self._row(point, cosines) for point in points}

    def _row(self, point: Any, cosines: frozenset[str]) -> StoredRow:
        payload = point.payload or {}
        vectors = point.vector if isinstance(point.vector, dict) else {"": point.vector}
        others = {n: v for n, v in vectors.items() if n != self._vector and v is not None}
        counted = {n: _counted(v, rounded=n in cosines) for n, v in others.items()}
        text, metadata = node_of(payload) if is_node_of_llama_index(payload) else _document(payload)
        vector = vectors.get(self._vector)
        return StoredRow(
            str(point.id),
            None if vector is None else np.asarray(vector, np.float32),
            text,
            metadata,
            untouched_bytes(str(point.id), payload, counted),
            _Point(point.id, payload, others),
        )

    def beside(self, name: str) -> QdrantCollection | None:
        """Return the collection of this name in the same database; None where there is none."""
        if name not in {each.name for each in self._client.get_collections().collections}:
            return None
        return self._beside(name)

    def create_beside(self, name: str, dimension: int) -> QdrantCollection:
        """Create an empty collection with all settings of this one.

        Aliases stay with this one, and so do its record and its note.
        """
        try:
            wanted = creation(self._info(), self._vector, dimension)
            self._client.create_collection(name, **wanted)
        except DataError:
            raise
        except Exception as error:
            raise DataError(f"Qdrant does not create {name!r}: {error!s:.200}") from error
        made = self._beside(name)
        made._index_payload()
        return made

    def _beside(self, name: str) -> QdrantCollection:
        return QdrantCollection(self._access, self._address, name, self._vector, self._collection)

    def _index_payload(self) -> None:
        """Make the indices of the payload that the origin has and this one lacks."""
        if self._origin is None or not self._client.collection_exists(self._origin):
            return
        there = self._info().payload_schema
        for field, index in self._client.get_collection(self._origin).payload_schema.items():
            if field not in there:
                schema = index.params or index.data_type
                self._client.create_payload_index(self._collection, field, schema, wait=True)

    def write(self, rows: Sequence[StoredRow], vectors: Float32Array) -> None:
        """Write points; one that is there is replaced."""
        from qdrant_client import models

        points = []
        for row, vector in zip(rows, vectors.tolist(), strict=True):
            point: _Point = row.payload
            named = {self._vector: vector, **point.others}
            stored: Any = vector if [*named] == [""] else named
            points.append(
                models.PointStruct(id=point.id, payload=dict(point.payload), vector=stored)
            )
        if points:
            self._client.upsert(self._collection, points, wait=True)

    def delete(self, ids: Sequence[str]) -> None:
        """Delete points; those that are not there are no error."""
        if ids:
            self._client.delete(self._collection, [_point_id(each) for each in ids], wait=True)

    def finish(self) -> None:
        """Make the indices of the payload, where a kill came before; a server indexes by itself."""
        self._index_payload()

    def drop(self) -> None:
        """Delete the collection.

        Raises:
            DataError: an alias names it, which Qdrant would delete with it.
        """
        aliases = [
            each.alias_name
            for each in self._client.get_aliases().aliases
            if each.collection_name == self._collection
        ]
        if aliases:
            raise DataError(
                f"{self.name} is not deleted: the alias {', '.join(map(repr, aliases))} names it, "
                "and programs that ask for the alias would find nothing. Point the alias to "
                "another collection first (client.update_collection_aliases)."
            )
        self._client.delete_collection(self._collection)

    def kept(self, key: str) -> str | None:
        """Return a text of the metadata of the collection."""
        return self._index.kept(key)

    def keep(self, key: str, value: str) -> bool:
        """Write a text beside the metadata that are there."""
        with suppress(TypeError):  # an old client knows no metadata
            return self._index.keep(key, value)
        return False

    def close(self) -> None:
        """Let go of the folder, of this collection and of all beside it."""
        self._access.close()


def _point_id(text: str) -> int | str:
    """Return the id of a point: an unsigned number, or a UUID."""
    return int(text) if text.isdigit() else text


def _document(payload: Mapping[str, Any]) -> tuple[str | None, Mapping[str, Any]]:
    return text_of(payload), metadata_of(payload)


def _counted(vector: Any, *, rounded: bool) -> Any:
    """Return the part of another vector that counts as untouched.

    Args:
        rounded: the store makes a unit vector of it at each write, so its last bits may change.
    """
    if hasattr(vector, "indices"):  # a sparse one
        return [list(vector.indices), np.asarray(vector.values, np.float32).tolist()]
    dense = np.asarray(vector, np.float32)
    return list(dense.shape) if rounded else dense.tolist()


def open_qdrant(address: Address) -> QdrantCollection:
    """Open a collection, which an alias may name.

    Raises:
        DataError: several dense vectors to choose from.
    """
    access = QdrantAccess(address)
    try:
        name = resolved(access.client, address)
        return QdrantCollection(access, address, name, _chosen(access.client, name, address))
    except BaseException:
        access.close()
        raise


def _chosen(client: Any, name: str, address: Address) -> str:
    """Return the name of the vectors that are moved."""
    names = dense_names(client.get_collection(name))
    if address.vector is None and len(names) == 1:
        return names[0]
    if address.vector in names:
        return address.vector
    listed = ", ".join(map(repr, names)) or "none"
    wanted = "name one with &vector=NAME" if address.vector is None else "there is no such vector"
    raise DataError(f"{address.text}: {wanted}; the dense vectors are: {listed}.")
