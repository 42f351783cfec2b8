"""A table of PostgreSQL that holds documents with their vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ....errors import DataError
from .transactions import Sql, literal, quoted


@dataclass(frozen=True)
class Table:
    """A table, or the rows of one that hold a collection.

    Attributes:
        schema: None where the search path of the connection finds the table.
        id, text, vector: names of columns.
        metadata: name of the column of JSON; None where there is none.
        also: names of columns that are metadata, too.
        order: the column of the primary key, if it is another than ``id``.
        collection: the name of a collection of LangChain's older PGVector, which has one table for
            all of them; None where the table is the collection.
    """

    schema: str | None
    name: str
    id: str
    text: str
    vector: str
    metadata: str | None
    also: Sequence[str] = ()
    order: str | None = None
    collection: str | None = None

    @property
    def written(self) -> str:
        """The name of the table, as a statement holds it."""
        return quoted(*(n for n in (self.schema, self.name) if n is not None))

    @property
    def regclass(self) -> str:
        """The name of the table as a value, which PostgreSQL looks up."""
        return self.written.replace("%%", "%")

    @property
    def rows(self) -> str:
        """The condition that its documents fulfil."""
        if self.collection is None:
            return "true"
        named = f"name = {literal(self.collection)}"
        return f"collection_id = (SELECT uuid FROM {self.collections} WHERE {named})"

    @property
    def collections(self) -> str:
        """The table of the collections, which lies beside that of their rows."""
        return quoted(*(n for n in (self.schema, "langchain_pg_collection") if n is not None))

    def identity(self, sql: Sql) -> str | None:
        """Return the id of a collection of PGVector; None of a table, whose number a dump loses."""
        if self.collection is None:
            return None
        named = f"SELECT uuid FROM {self.collections} WHERE name = %(name)s"
        found = sql(named, name=self.collection)
        return str(found[0][0]) if found else None

    def type_of(self, sql: Sql, column: str) -> str:
        """Return the type of a column.

        Raises:
            DataError: there is no such column.
        """
        found = sql(
            "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attnum > 0"
            " AND attrelid = to_regclass(%(table)s) AND attname = %(column)s AND NOT attisdropped",
            table=self.regclass,
            column=column,
        )
        if not found:
            raise DataError(f"The table {self.name!r} of PostgreSQL has no column {column!r}.")
        return str(found[0][0])

    def document(self, row: Sequence[Any]) -> tuple[str, Mapping[str, Any]]:
        """Return text and metadata of a row (text, metadata, and the columns ``also``)."""
        text, metadata, *values = row
        fields = metadata if isinstance(metadata, dict) else {}
        return text or "", {**fields, **dict(zip(self.also, values, strict=True))}

    @property
    def columns_of_documents(self) -> str:
        """Text, metadata and the columns ``also``, as a statement holds them."""
        metadata = "NULL" if self.metadata is None else quoted(self.metadata)
        return ", ".join([quoted(self.text), metadata, *map(quoted, self.also)])
