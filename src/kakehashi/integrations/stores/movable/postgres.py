"""PostgreSQL: a table with a column of pgvector, as a migration reads and writes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import cached_property
from typing import Any

from ....errors import DataError
from ....vectors import Float32Array
from ..address import Address
from ..postgres.catalogue import columns_of, table_at
from ..postgres.keeping import keeper_of
from ..postgres.like import count_on, create_like, exists, require_name
from ..postgres.table import Table
from ..postgres.transactions import Sql, of_connection, quoted
from ..postgres.vector_indices import build_missing, settings_of
from ..postgres_address import PostgresAddress
from .kept import KeptCollection
from .postgres_rows import RawRows
from .protocol import StoredRow

_PAGE = 1000
_ANY = {"any": None}
"""A value that no statement names: with none at all, psycopg reads no doubled percent sign."""


class PostgresCollection(KeptCollection):
    """A table, or a collection of LangChain's older PGVector.

    The order is that of the rows in the table: as they were added, until rows are changed.

    Args:
        connection: of psycopg, shared with the collections beside.
        address: of any table in the database.
        table: its table and columns.
        origin: the table whose indices are to be built here, too.
    """

    remedy = "take the role that owns the table."
    page_size = _PAGE

    def __init__(
        self, connection: Any, address: PostgresAddress, table: Table, origin: Table | None = None
    ) -> None:
        self._connection, self._address = connection, address
        self._table, self._origin = table, origin
        self._transaction = of_connection(connection)
        self._keeper = keeper_of(self._transaction, table)

    @property
    def name(self) -> str:
        """Kind and name, for messages."""
        if self._table.collection is not None:
            return f"the collection {self._table.collection!r} of PGVector"
        return f"the table {self._table.name!r} of PostgreSQL"

    @property
    def address(self) -> str:
        """Its address, without a password."""
        of_table = self._address.of_collection(self._table.collection or self._table.name)
        return replace(of_table, is_table=self._table.collection is None).written().text

    @property
    def dimension(self) -> int:
        """The dimension that the column declares, or that its first vector has."""
        table = self._table
        with self._reading() as sql:
            declared = table.type_of(sql, table.vector).partition("(")[2].rstrip(")")
            if declared:
                return int(declared)
            vector = quoted(table.vector)
            first = f"SELECT vector_dims({vector}) FROM {table.written} WHERE {table.rows}"
            found = sql(f"{first} AND {vector} IS NOT NULL LIMIT 1")
        return int(found[0][0]) if found else 0

    @property
    def settings(self) -> Mapping[str, Any]:
        """The indices of its vectors, with their metric and parameters."""
        with self._reading() as sql:
            return settings_of(sql, self._table, self._origin)

    def count(self) -> int:
        """Return the number of rows."""
        with self._reading() as sql:
            counted = f"SELECT COUNT(*) FROM {self._table.written} WHERE {self._table.rows}"
            return int(sql(counted)[0][0])

    def pages(self) -> Iterator[Sequence[StoredRow]]:
        """Yield all rows in the order of the table, in one snapshot of it."""
        page: list[StoredRow] = []
        select = self._raw.select()
        with closing(self._address.connection()) as connection, connection.transaction():
            connection.execute("SET TRANSACTION READ ONLY")
            connection.execute("SET LOCAL synchronize_seqscans = off")
            connection.execute("SET LOCAL max_parallel_workers_per_gather = 0")
            connection.execute("SET LOCAL statement_timeout = 0")
            for row in self._read(connection, select):
                page.append(row)
                if len(page) == _PAGE:
                    yield page
                    page = []
        if page:
            yield page

    def rows(self, ids: Sequence[str]) -> Mapping[str, StoredRow]:
        """Return the rows of these ids, as far as they are there."""
        if not ids:
            return {}
        select = self._raw.select(self._among)
        with self._reading():
            return {row.id: row for row in self._read(self._connection, select, ids=list(ids))}

    def _read(self, connection: Any, select: str, **values: Any) -> Iterator[StoredRow]:
        raw = self._raw
        with connection.cursor().copy(select, values or _ANY) as copy:
            for row in copy.rows():
                yield raw.row(row)

    @cached_property
    def _raw(self) -> RawRows:
        with self._reading() as sql:
            return RawRows(self._table, columns_of(sql, str(self._table.schema), self._table.name))

    @cached_property
    def _among(self) -> str:
        """The condition that an id is one of ``ids``, which an index of ids serves."""
        with self._reading() as sql:
            kind = self._table.type_of(sql, self._table.id)
        return f"{quoted(self._table.id)} = ANY(CAST(CAST(%(ids)s AS text[]) AS {kind}[]))"

    def beside(self, name: str) -> PostgresCollection | None:
        """Return the table of this name in the same schema; None where there is none.

        Raises:
            DataError: it has other columns, or no table has such a name.
        """
        require_name(name)
        table = replace(self._table, name=name, collection=None)
        with self._reading() as sql:
            if not exists(sql, table):
                return None
            there = {column.name for column in columns_of(sql, str(table.schema), name)}
        if not {table.id, table.text, table.vector} <= there:
            raise DataError(f"{name!r} is taken: there is a table with other columns.")
        return PostgresCollection(self._connection, self._address, table, self._table)

    def create_beside(self, name: str, dimension: int) -> PostgresCollection:
        """Create an empty table like this one; see :func:`create_like`."""
        with self._transaction() as sql:
            made = create_like(sql, self._table, name, dimension)
        return PostgresCollection(self._connection, self._address, made, self._table)

    def write(self, rows: Sequence[StoredRow], vectors: Float32Array) -> None:
        """Write rows in one transaction; one whose id is there is replaced."""
        if rows:
            raw, delete = self._raw, self._deletion
            with self._transaction() as sql:
                sql(delete, ids=[row.id for row in rows])
                with self._connection.cursor().copy(raw.copy, _ANY) as copy:
                    for each in raw.raw(rows, vectors):
                        copy.write_row(each)

    def delete(self, ids: Sequence[str]) -> None:
        """Delete rows; those that are not there are no error."""
        if ids:
            delete = self._deletion
            with self._transaction() as sql:
                sql(delete, ids=list(ids))

    @property
    def _deletion(self) -> str:
        table = self._table
        return f"DELETE FROM {table.written} WHERE {table.rows} AND {self._among}"

    def finish(self) -> None:
        """Build the indices of vectors that the origin has."""
        dimension = self.dimension
        with self._transaction() as sql:
            origin = self._origin if self._origin and exists(sql, self._origin) else None
            build_missing(sql, self._table, origin, dimension)
            count_on(sql, self._table)
            sql(f"ANALYZE {self._table.written}")

    def drop(self) -> None:
        """Drop the table, or delete the collection with its rows."""
        with self._transaction() as sql:
            if self._table.collection is None:
                sql(f"DROP TABLE {self._table.written}")
            else:
                named = f"DELETE FROM {self._table.collections} WHERE name = %(name)s"
                sql(named, name=self._table.collection)

    def identity(self) -> str | None:
        """Return the id of a collection of PGVector; None of a table."""
        with self._reading() as sql:
            return self._table.identity(sql)

    def kept(self, key: str) -> str | None:
        """Return a text of the comment on the column of vectors."""
        found: str | None = self._keeper.get(key)
        return found

    def keep(self, key: str, value: str) -> bool:
        """Write a text beside the others."""
        assert self._keeper.put is not None
        self._keeper.put(key, value)
        return True

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    @contextmanager
    def _reading(self) -> Iterator[Sql]:
        """Begin a transaction that can only read."""
        with self._transaction() as sql:
            sql("SET TRANSACTION READ ONLY")
            yield sql


def open_postgres(address: Address) -> PostgresCollection:
    """Open the table or the collection at an address."""
    assert isinstance(address, PostgresAddress)
    connection = address.connection()
    try:
        with of_connection(connection)() as sql:
            table = table_at(sql, address)
    except BaseException:
        connection.close()
        raise
    return PostgresCollection(connection, address, table)
