"""LanceDB: a table of a folder, as a migration reads and writes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ....errors import DataError
from ....vectors import Float32Array
from ..address import Address
from ..arrow import schema_of, vector_column
from ..arrow_document import ID
from ..lancedb import LanceDBIndex, opened_lancedb
from .arrow_rows import require_ids, require_unique, rows_of, table_of
from .kept import KeptCollection
from .lancedb_indices import build_missing, stated
from .protocol import StoredRow

_PAGE = 1000


class LanceDBCollection(KeptCollection):
    """A table of LanceDB, in the order in which its rows were added.

    Args:
        connection: of lancedb.
        address: of the table.
        table: its name.
        vector: the name of the column of vectors.
        origin: the table whose indices are to be made here, too.
    """

    remedy = "take lancedb 0.34 or newer."

    def __init__(
        self, connection: Any, address: Address, table: str, vector: str, origin: str | None = None
    ) -> None:
        self._connection, self._address, self._name = connection, address, table
        self._vector, self._origin = vector, origin

    @property
    def name(self) -> str:
        """Kind and name, for messages."""
        return f"the table {self._name!r} of LanceDB"

    @property
    def address(self) -> str:
        """Its address."""
        return self._address.of_collection(self._name).text

    @property
    def dimension(self) -> int:
        """The dimension that the column of vectors declares, or that its first row has."""
        table = self._table()
        column = table.schema.field(self._vector).type
        declared = getattr(column, "list_size", 0)
        if declared > 0 or not table.count_rows():
            return max(0, int(declared))
        return len(table.head(1).column(self._vector)[0].as_py() or ())

    page_size = _PAGE

    @property
    def settings(self) -> Mapping[str, Any]:
        """The indices of the table, by their columns."""
        return {"indices": stated(self._table())}

    def _table(self) -> Any:
        """Return the table as it is now: a table at hand stays as it was when it was opened."""
        return self._connection.open_table(self._name)

    def count(self) -> int:
        """Return the number of rows."""
        return int(self._table().count_rows())

    def pages(self) -> Iterator[Sequence[StoredRow]]:
        """Yield all rows in their order."""
        import pyarrow as pa

        for batch in self._table().search().to_batches(_PAGE):
            if batch.num_rows:
                yield rows_of(pa.Table.from_batches([batch]), self._vector)

    def rows(self, ids: Sequence[str]) -> Mapping[str, StoredRow]:
        """Return the rows of these ids, as far as they are there."""
        if not ids:
            return {}
        found = self._table().search().where(self._among(ids)).limit(len(ids)).to_arrow()
        return {row.id: row for row in rows_of(found, self._vector)}

    def _among(self, ids: Sequence[str]) -> str:
        """Return the condition that a row has one of these ids."""
        numbers = not _is_text(self._table().schema.field(ID).type)
        quoted = (each if numbers else "'" + each.replace("'", "''") + "'" for each in ids)
        return f"{ID} IN ({', '.join(quoted)})"

    def beside(self, name: str) -> LanceDBCollection | None:
        """Return the table of this name in the same folder; None where there is none."""
        if name not in tables_of(self._connection):
            return None
        return LanceDBCollection(
            self._connection, self._address, name, self._vector, origin=self._name
        )

    def create_beside(self, name: str, dimension: int) -> LanceDBCollection:
        """Create an empty table with the columns of this one, and their indices.

        That of the vectors learns from them, so ``finish`` builds it.

        Raises:
            DataError: see the protocol; or an id that several rows have.
        """
        origin = self._table()
        require_unique(
            (batch.column(ID) for batch in origin.search().select([ID]).to_batches(1 << 16)),
            self.name,
        )
        schema = schema_of(origin.schema, self._vector, dimension)
        try:
            made = self._connection.create_table(name, schema=schema)
        except ValueError as error:
            raise DataError(f"LanceDB does not create {name!r}: {error!s:.200}") from error
        build_missing(made, origin, dimension)
        return LanceDBCollection(
            self._connection, self._address, name, self._vector, origin=self._name
        )

    def write(self, rows: Sequence[StoredRow], vectors: Float32Array) -> None:
        """Write rows; one whose id is there is replaced."""
        if rows:
            table = self._table()
            merge = table.merge_insert(ID).when_matched_update_all().when_not_matched_insert_all()
            merge.execute(table_of(rows, vectors, table.schema, self._vector))

    def delete(self, ids: Sequence[str]) -> None:
        """Delete rows; those that are not there are no error."""
        if ids:
            self._table().delete(self._among(ids))

    def finish(self) -> None:
        """Join the small files of many writes, and build the indices that the origin has."""
        table = self._table()
        if self._origin in tables_of(self._connection):
            build_missing(table, self._connection.open_table(self._origin), self.dimension)
        table.optimize()

    def drop(self) -> None:
        """Delete the table."""
        self._connection.drop_table(self._name)

    def kept(self, key: str) -> str | None:
        """Return a text of the metadata of the column of vectors."""
        return self._index().kept(key)

    def keep(self, key: str, value: str) -> bool:
        """Write a text beside the metadata that are there."""
        return self._index().keep(key, value)

    def _index(self) -> LanceDBIndex:
        return LanceDBIndex(self._table(), self._vector, lambda row: ("", row))

    def close(self) -> None:
        """Do nothing: a folder of LanceDB is not locked."""


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def tables_of(connection: Any) -> list[str]:
    """Return the names of all tables."""
    names: list[str] = []
    while page := list(connection.table_names(names[-1] if names else None, limit=100)):
        names += page
    return names


def open_lancedb(address: Address) -> LanceDBCollection:
    """Open a table.

    Raises:
        DataError: it has no column of ids, or several columns of vectors to choose from.
    """
    connection, name = opened_lancedb(address)
    table = connection.open_table(name)
    require_ids(table.schema.names, address.text)
    return LanceDBCollection(connection, address, name, vector_column(table.schema, address))
