"""Qdrant: a collection of a folder or of a server, as a migration reads and writes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from ....errors import DataError
from ....vectors import Float32Array
from ..address import Address
from ..qdrant import QdrantIndex
from ..qdrant_clients import QdrantAccess, resolved
from .kept import KeptCollection
from .protocol import StoredRow
from .qdrant_points import point_id, point_of, row_of
from .qdrant_settings import creation, dense_names, other_vectors, settings_of

_PAGE = 1000
_NUMBERS = 1_000_000
"""Coordinates that are sent at once: a server takes 32 MB, and each is some 20 bytes of JSON."""


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
                yield [row_of(point, self._vector, cosines) for point in points]
            if offset is None:
                return

    def rows(self, ids: Sequence[str]) -> Mapping[str, StoredRow]:
        """Return the points of these ids, as far as they are there."""
        if not ids:
            return {}
        cosines, known = other_vectors(self._info(), self._vector), list(map(point_id, ids))
        points = self._client.retrieve(
            self._collection, known, with_payload=True, with_vectors=True
        )
        return {str(point.id): row_of(point, self._vector, cosines) for point in points}

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
        pairs = zip(rows, vectors.tolist(), strict=True)
        points = [point_of(row.payload, self._vector, vector) for row, vector in pairs]
        if points:
            self._client.upsert(self._collection, points, wait=True)

    def delete(self, ids: Sequence[str]) -> None:
        """Delete points; those that are not there are no error."""
        if ids:
            self._client.delete(self._collection, [point_id(each) for each in ids], wait=True)

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
