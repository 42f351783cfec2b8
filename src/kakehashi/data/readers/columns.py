"""Columns of a file: picked by name from its rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...errors import ReaderError
from ...printable import printable

Columns = dict[str, list[Any]]
Contents = tuple[Columns, list[str]]
"""The requested columns, and the names of all columns of the file."""
Row = dict[str, Any]


def columns_of(
    path: Path,
    rows: list[tuple[int, Row]],
    fields: dict[str, str],
    *,
    names: list[str] | None = None,
) -> Contents:
    """Pick columns from the rows of a file.

    Args:
        path: names the file in errors.
        rows: the line number of each row, and its cells by name.
        fields: the name in the file of each column: ``source``, ``target``, ``texts``, ``group``,
            ``id``. The last two are left out where a row lacks them.
        names: of all columns, where the rows hold some of them only.

    Raises:
        ReaderError: a row lacks a field that is needed.
    """
    columns: Columns = {}
    advice = {side: f"name the field with `{side}` (--{side})" for side in ("source", "target")}
    advice["texts"] = "name the field with `column` (--target), or give every row a field 'text'"
    for column, name in fields.items():
        required = column in advice
        # A file of texts without a pair need not call them "target".
        is_plain = all(name not in row and "text" in row for _, row in rows)
        field = "text" if column == "texts" and is_plain else name
        if not required and not all(row.get(field) is not None for _, row in rows):
            continue
        values = []
        for line, row in rows:
            if field not in row:
                present = ", ".join(map(printable, row if names is None else names))
                raise ReaderError(
                    f"{path}, line {line}: no field {field!r}; it has {present or 'none'}. "
                    f"Rename it, or {advice[column]}."
                )
            values.append(row[field])
        columns[column] = values
    if names is None:
        names = list(dict.fromkeys(str(name) for _, row in rows for name in row))
    return columns, names
