"""Where PostgreSQL keeps texts of ours: beside the vectors that they are about.

A table keeps them in the comment on its column of vectors, below the comment of the user: they are
renamed, restored from a dump and dropped with the table. A collection of LangChain's older PGVector
keeps them in its metadata.
"""

from __future__ import annotations

import json
from typing import Any

from ..in_memory import Keeper
from .table import Table
from .transactions import Sql, Transaction, literal, quoted

_LINE = "kakehashi: "
"""The beginning of our line in a comment."""


def keeper_of(transaction: Transaction, table: Table) -> Keeper:
    """Return what reads and writes the texts that a table or a collection keeps."""
    kind = _Comment if table.collection is None else _CollectionMetadata

    def get(key: str) -> Any:
        with transaction() as sql:
            return kind.read(sql, table).get(key)

    def put(key: str, value: str) -> None:
        with transaction() as sql:
            kind.write(sql, table, key, value)

    return Keeper(get, put)


def forget(sql: Sql, table: Table) -> None:
    """Remove what a table keeps, and leave the comment of the user."""
    users, _ = _Comment.split(sql, table)
    _Comment.replace(sql, table, users, {})


class _Comment:
    @classmethod
    def read(cls, sql: Sql, table: Table) -> dict[str, Any]:
        return cls.split(sql, table)[1]

    @classmethod
    def write(cls, sql: Sql, table: Table, key: str, value: str) -> None:
        # Two that write at once would lose the key of one.
        sql(f"LOCK TABLE {table.written} IN SHARE UPDATE EXCLUSIVE MODE")
        users, there = cls.split(sql, table)
        cls.replace(sql, table, users, {**there, key: value})

    @staticmethod
    def split(sql: Sql, table: Table) -> tuple[str, dict[str, Any]]:
        """Return the user's comment, and ours."""
        found = sql(
            "SELECT col_description(attrelid, attnum) FROM pg_attribute"
            " WHERE attrelid = to_regclass(%(table)s) AND attname = %(column)s",
            table=table.regclass,
            column=table.vector,
        )
        comment = str(found[0][0] or "") if found else ""
        users, _, last = comment.rpartition("\n")
        if not last.startswith(_LINE):
            return comment, {}
        try:
            return users, dict(json.loads(last[len(_LINE) :]))
        except (ValueError, TypeError):  # somebody edited the line
            return users, {}

    @staticmethod
    def replace(sql: Sql, table: Table, users: str, ours: dict[str, Any]) -> None:
        """Write a comment of both parts."""
        line = _LINE + json.dumps(ours, ensure_ascii=False) if ours else ""
        comment = "\n".join(part for part in (users, line) if part)
        written = literal(comment) if comment else "NULL"
        sql(f"COMMENT ON COLUMN {table.written}.{quoted(table.vector)} IS {written}")


class _CollectionMetadata:
    @staticmethod
    def read(sql: Sql, table: Table) -> dict[str, Any]:
        of = f"SELECT cmetadata FROM {table.collections} WHERE name = %(collection)s"
        found = sql(of, collection=table.collection)
        return dict(found[0][0]) if found and isinstance(found[0][0], dict) else {}

    @staticmethod
    def write(sql: Sql, table: Table, key: str, value: str) -> None:
        # A collection without metadata has a null of JSON.
        sql(
            f"UPDATE {table.collections} SET cmetadata = CAST("
            "CASE WHEN json_typeof(CAST(cmetadata AS json)) = 'object'"
            " THEN CAST(cmetadata AS jsonb) ELSE '{}' END"
            " || jsonb_build_object(CAST(%(key)s AS text), CAST(%(value)s AS text)) AS json)"
            " WHERE name = %(collection)s",
            key=key,
            value=value,
            collection=table.collection,
        )
