"""The indices of the vectors of a table: what they are, and those of one table for another."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .table import Table
from .transactions import Sql, quoted

_METRIC = re.compile(r"(?:vector|halfvec)_(cosine|l2|ip)_ops")
_DIMENSION = re.compile(r"\b(vector|halfvec|bit)\(\d+\)")


def settings_of(sql: Sql, table: Table, origin: Table | None) -> Mapping[str, Any]:
    """Return the indices of the vectors by their method, those that are still to be built too.

    Where they agree on a metric, it is named: cosine, l2 or ip.
    """
    found: dict[str, Any] = {}
    metrics: set[str] = set()
    for stated in _stated(sql, table) | (_stated(sql, origin) if origin is not None else set()):
        method, _, rest = stated.partition(" ")
        columns, _, options = rest.partition(" WITH ")
        found.setdefault(method, {})[columns] = options.strip("()")
        metrics |= {*_METRIC.findall(columns)}
    return found | ({"metric": metrics.pop()} if len(metrics) == 1 else {})


def build_missing(sql: Sql, table: Table, origin: Table | None, dimension: int) -> None:
    """Build the indices of vectors that the origin has, for vectors of a dimension."""
    there = _stated(sql, table)
    for stated in sorted(_stated(sql, origin) - there) if origin is not None else []:
        of_new = _DIMENSION.sub(lambda found: f"{found[1]}({dimension:d})", stated)
        sql(f"CREATE INDEX ON {table.written} USING {of_new.replace('%', '%%')}")


def drop_indices(sql: Sql, table: Table) -> None:
    """Drop the indices of vectors."""
    for index, schema, _ in _indices(sql, table):
        sql(f"DROP INDEX {quoted(schema, index)}")


def _indices(sql: Sql, table: Table) -> list[tuple[str, str, str]]:
    """Return name, schema and definition of the indices of pgvector."""
    rows = sql(
        "SELECT c.relname, n.nspname, pg_get_indexdef(i.indexrelid) FROM pg_index i"
        " JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
        " JOIN pg_am m ON m.oid = c.relam WHERE i.indrelid = to_regclass(%(table)s)"
        " AND m.amname IN ('hnsw', 'ivfflat')",
        table=table.regclass,
    )
    return [(str(name), str(schema), str(stated)) for name, schema, stated in rows]


def _stated(sql: Sql, table: Table) -> set[str]:
    """Return the indices of vectors as they are stated after USING, without the dimension."""
    found = set()
    for _, _, definition in _indices(sql, table):
        stated = _DIMENSION.sub(r"\1(0)", definition.partition(" USING ")[2])
        # An index of the older PGVector may be of one collection, which a new table has no name of.
        found.add(stated if table.collection is None else stated.partition(" WHERE ")[0])
    return found
