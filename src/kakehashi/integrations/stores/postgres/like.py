"""A new table with all that another one is: columns, constraints, defaults, indices, rights."""

from __future__ import annotations

import re
from dataclasses import replace

from ....errors import DataError
from .catalogue import columns_of
from .keeping import forget
from .table import Table
from .transactions import Sql, quoted
from .vector_indices import build_missing, drop_indices

_LONGEST = 63
"""Bytes of a name: PostgreSQL cuts off the rest."""


def create_like(sql: Sql, origin: Table, name: str, dimension: int) -> Table:
    """Create an empty table beside another one, for vectors of a dimension, and return it.

    The indices of vectors are left out: they are built after the last row (:mod:`.vector_indices`).
    A collection of LangChain's older PGVector becomes a table of its own, since an id is there once
    only among all collections.

    Raises:
        DataError: the name is taken or too long, or the table cannot be moved as it is.
    """
    require_name(name)
    made = replace(origin, name=name, collection=None)
    if exists(sql, made):
        raise DataError(f"{name!r} is taken: PostgreSQL has such a table.")
    _require_movable(sql, origin)
    columns = {column.name: column for column in columns_of(sql, str(origin.schema), origin.name)}
    kind = columns[origin.vector].kind
    sql(f"CREATE TABLE {made.written} (LIKE {origin.written} INCLUDING ALL)")
    if origin.collection is not None:
        sql(f"ALTER TABLE {made.written} DROP COLUMN collection_id")
    drop_indices(sql, made)
    for (check,) in sql(
        "SELECT conname FROM pg_constraint WHERE conrelid = to_regclass(%(table)s)"
        " AND contype = 'c' AND conkey @> ARRAY[(SELECT attnum FROM pg_attribute"
        " WHERE attrelid = conrelid AND attname = %(column)s)]",
        table=made.regclass,
        column=made.vector,
    ):  # of the old dimension
        sql(f"ALTER TABLE {made.written} DROP CONSTRAINT {quoted(check)}")
    vector = quoted(made.vector)
    sql(f"ALTER TABLE {made.written} ALTER COLUMN {vector} TYPE {kind}({dimension:d})")
    build_missing(sql, made, origin, dimension)  # fails here where it would after the last row
    drop_indices(sql, made)
    _own_sequences(sql, origin, made)
    if not _is_unique(sql, made):
        sql(f"CREATE INDEX ON {made.written} ({quoted(made.id)})")
    _grant(sql, origin, made)
    forget(sql, made)
    return made


def require_name(name: str) -> None:
    """Refuse what names no table.

    Raises:
        DataError: it is empty or too long, or no text of PostgreSQL.
    """
    size = len(name.encode(errors="replace"))
    if not 0 < size <= _LONGEST or "\0" in name or name != name.encode(errors="replace").decode():
        raise DataError(f"{name!r:.80} is no name of a table; give 1 to {_LONGEST} bytes.")


def count_on(sql: Sql, table: Table) -> None:
    """Let the columns that count go on from the numbers that are there."""
    for column, is_identity in _identities(sql, table):
        if is_identity:
            sql(
                f"SELECT setval(pg_get_serial_sequence(%(table)s, %(column)s),"
                f" (SELECT GREATEST(MAX({quoted(column)}), 1) FROM {table.written}))",
                table=table.regclass,
                column=column,
            )


def exists(sql: Sql, table: Table) -> bool:
    """Whether there is a table, or anything else, of this name."""
    return bool(sql("SELECT to_regclass(%(table)s) IS NOT NULL", table=table.regclass)[0][0])


def _require_movable(sql: Sql, origin: Table) -> None:
    [[secured]] = sql(
        "SELECT relrowsecurity FROM pg_class WHERE oid = to_regclass(%(table)s)",
        table=origin.regclass,
    )
    if secured:
        raise DataError(
            f"The table {origin.name!r} has row security, whose policies a new table would lack. "
            "Create the new table and its policies by hand."
        )
    if origin.collection is not None or _is_unique(sql, origin):
        return
    column = quoted(origin.id)
    twice = sql(
        f"SELECT CAST({column} AS text) FROM {origin.written} GROUP BY {column}"
        f" HAVING COUNT(*) > 1 OR {column} IS NULL LIMIT 1"
    )
    if twice:
        raise DataError(
            f"The table {origin.name!r} holds the id {twice[0][0]!r} in several rows, or none: "
            f"which of them is meant? Delete the others (the column {origin.id!r})."
        )


def _is_unique(sql: Sql, table: Table) -> bool:
    """Whether an index says that an id is there once."""
    return bool(
        sql(
            "SELECT 1 FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid"
            " AND a.attnum = i.indkey[0] WHERE i.indrelid = to_regclass(%(table)s)"
            " AND i.indisunique AND i.indnkeyatts = 1 AND i.indpred IS NULL"
            " AND a.attname = %(column)s",
            table=table.regclass,
            column=table.id,
        )
    )


def _identities(sql: Sql, table: Table) -> list[tuple[str, bool]]:
    """Return the columns that count, and whether each is an identity column."""
    rows = sql(
        "SELECT attname, attidentity <> '' FROM pg_attribute WHERE attrelid = to_regclass(%(t)s)"
        " AND attnum > 0 AND NOT attisdropped"
        " AND pg_get_serial_sequence(%(t)s, attname) IS NOT NULL",
        t=table.regclass,
    )
    return [(str(name), bool(is_identity)) for name, is_identity in rows]


def _own_sequences(sql: Sql, origin: Table, made: Table) -> None:
    """Let the columns of a new table count by themselves: a copied default counts with the old."""
    for column, is_identity in _identities(sql, origin):
        if not is_identity:
            altered = f"ALTER TABLE {made.written} ALTER COLUMN {quoted(column)}"
            sql(f"{altered} DROP DEFAULT")
            sql(f"{altered} SET NOT NULL")
            sql(f"{altered} ADD GENERATED BY DEFAULT AS IDENTITY")


def _grant(sql: Sql, origin: Table, made: Table) -> None:
    """Let those read and write the new table who may read and write the old one."""
    for role, right, is_owner in sql(
        "SELECT CASE WHEN a.grantee = 0 THEN NULL ELSE pg_get_userbyid(a.grantee) END,"
        " a.privilege_type, a.grantee = c.relowner"
        " FROM pg_class c, aclexplode(c.relacl) a WHERE c.oid = to_regclass(%(table)s)",
        table=origin.regclass,
    ):
        if not is_owner and re.fullmatch(r"[A-Z]+", right):
            whom = "PUBLIC" if role is None else quoted(role)
            sql(f"GRANT {right} ON {made.written} TO {whom}")
