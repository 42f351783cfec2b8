"""What the catalogue of PostgreSQL says of tables: which hold vectors, and their columns."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import NamedTuple

from ....errors import DataError
from ..postgres_address import PostgresAddress
from ..store_address import Address
from .table import Table
from .transactions import Sql, of_connection, quoted

VECTORS = ("vector", "halfvec")
"""Types of pgvector whose vectors are read."""
_JSON = ("json", "jsonb")
_IDS = ("langchain_id", "node_id", "id")
_TEXTS = ("content", "text", "document", "page_content", "chunk")
_METADATA = ("langchain_metadata", "metadata_", "metadata", "cmetadata")
"""Names of columns that LangChain, LlamaIndex and many users give."""
OLDER, COLLECTIONS = "langchain_pg_embedding", "langchain_pg_collection"
PREFIX = "data_"
"""Of the tables of LlamaIndex, before the name that was given."""


class Column(NamedTuple):
    """A column of a table.

    Attributes:
        kind: the name of its type; ``declared`` is that with its parameters.
        is_generated: whether PostgreSQL computes it from other columns.
        is_key: whether it is the primary key, alone.
    """

    name: str
    kind: str
    declared: str
    is_generated: bool
    is_key: bool


def columns_of(sql: Sql, schema: str, table: str) -> list[Column]:
    """Return the columns of a table in their order."""
    rows = sql(
        "SELECT a.attname, t.typname, format_type(a.atttypid, a.atttypmod), a.attgenerated <> '',"
        " EXISTS (SELECT FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisprimary"
        " AND i.indnatts = 1 AND i.indkey[0] = a.attnum)"
        " FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid"
        " WHERE a.attrelid = to_regclass(%(table)s) AND a.attnum > 0 AND NOT a.attisdropped"
        " ORDER BY a.attnum",
        table=quoted(schema, table).replace("%%", "%"),
    )
    return [Column(*row) for row in rows]


@contextmanager
def table_of(address: Address) -> Iterator[tuple[Sql, Table]]:
    """Yield the table at an address, and what reads its database for as long; it writes nothing.

    Raises:
        DataError: see :func:`table_at`.
    """
    assert isinstance(address, PostgresAddress)
    with closing(address.connection()) as connection, of_connection(connection)() as sql:
        sql("SET TRANSACTION READ ONLY")
        yield sql, table_at(sql, address)


def is_of_llama_index(table: Table) -> bool:
    """Whether a table has the name and the columns that LlamaIndex gives."""
    return table.name.startswith(PREFIX) and (table.id, table.metadata) == ("node_id", "metadata_")


def table_at(sql: Sql, address: PostgresAddress) -> Table:
    """Return the table, or the collection of LangChain's older PGVector, at an address.

    Raises:
        DataError: there is none, several to choose from, or a column that cannot be told.
    """
    tables = _tables(sql, address.schema)
    older = tables.pop(OLDER, None)
    collections = [] if older is None else _collections(sql, older)
    name = address.collection_of([*tables, *collections])
    if name in collections and not (address.is_table and name in tables):
        return pgvector_table(older, name)
    return described(sql, tables[name], name, address)


def described(sql: Sql, schema: str, name: str, address: PostgresAddress) -> Table:
    """Return a table with the columns that hold documents: as given, or by their usual names.

    Raises:
        DataError: a column that cannot be told.
    """
    columns = {column.name: column for column in columns_of(sql, schema, name)}
    key = [column.name for column in columns.values() if column.is_key]
    usual = {
        "id": [n for n in (*_IDS[:2], *key, _IDS[2]) if n in columns][:1],
        "content": [n for n in _TEXTS if n in columns][:1],
        "vector": [n for n, column in columns.items() if column.kind in VECTORS],
        "metadata": [n for n in _METADATA if n in columns and columns[n].kind in _JSON][:1],
    }
    found: dict[str, str | None] = {}
    for what, names in usual.items():
        given = address.columns.get(what)
        if given is not None and given not in columns:
            there = ", ".join(map(repr, columns))
            raise DataError(f"{address.text}: no column {given!r}; there are: {there}.")
        if given is None and len(names) != 1 and what != "metadata":
            several = ", ".join(map(repr, names or columns))
            raise DataError(
                f"{address.text}: which column of {name!r} is the {what}? Add &{what}=COLUMN, one "
                f"of {several}."
            )
        found[what] = given or next(iter(names), None)
    of_documents = {*found.values(), *key}
    also = tuple(
        column.name
        for column in columns.values()
        if column.name not in of_documents and column.kind not in (*VECTORS, "tsvector")
    )
    return Table(
        schema,
        name,
        id=str(found["id"]),
        text=str(found["content"]),
        vector=str(found["vector"]),
        metadata=found["metadata"],
        also=also,
        order=next(iter(key), None),
    )


def pgvector_table(schema: str | None, collection: str) -> Table:
    """Return where LangChain's older PGVector has the rows of a collection."""
    return Table(
        schema,
        OLDER,
        id="id",
        text="document",
        vector="embedding",
        metadata="cmetadata",
        collection=collection,
    )


def _tables(sql: Sql, schema: str | None) -> dict[str, str]:
    """Return the schema of each table with a column of vectors, by its name."""
    rows = sql(
        "SELECT c.relname, n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND"
        " CASE WHEN CAST(%(schema)s AS text) IS NULL THEN pg_table_is_visible(c.oid)"
        " ELSE n.nspname = CAST(%(schema)s AS text) END"
        " AND EXISTS (SELECT FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid"
        " WHERE a.attrelid = c.oid AND NOT a.attisdropped AND t.typname IN ('vector', 'halfvec'))",
        schema=schema,
    )
    return {str(name): str(of) for name, of in rows}


def _collections(sql: Sql, schema: str) -> list[str]:
    return [str(name) for (name,) in sql(f"SELECT name FROM {quoted(schema, COLLECTIONS)}")]
