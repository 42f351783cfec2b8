"""Columns of a file: picked by name from its rows."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...errors import ReaderError
from ...printable import printable

Columns = dict[str, list[Any]]
Contents = tuple[Columns, list[str]]
"""The requested columns, and the names of all columns of the file."""
Row = dict[str, Any]


def columns_of(
    path: Path | str,
    rows: list[tuple[int, Row]],
    fields: dict[str, str],
    *,
    names: list[str] | None = None,
    advice: str = "",
) -> Contents:
    """Pick columns from the rows of a file.

    Args:
        path: names the file in errors.
        rows: the line number of each row, and its cells by name.
        fields: the name in the file of each column: ``source``, ``target``, ``texts``, ``group``,
            ``id``. The last two are left out where a row lacks them.
        names: of all columns, where the rows hold some of them only.
        advice: ends the error over a field that is needed and not there.

    Raises:
        ReaderError: a row lacks a field that is needed, or two columns have its name.
    """
    columns: Columns = {}
    naming = {side: f"name the field with `{side}` (--{side})" for side in ("source", "target")}
    naming["texts"] = "name the field with `column` (--target), or give every row a field 'text'"
    present = names or list(dict.fromkeys(str(name) for _, row in rows for name in row))
    for column, wanted in fields.items():
        required = column in naming
        name = as_in_file(wanted, present)
        if present.count(name) > 1:
            raise ReaderError(f"{path} has {present.count(name)} columns {printable(name)!r}.")
        # A file of texts without a pair need not call them "target".
        is_plain = all(name not in row and "text" in row for _, row in rows)
        field = "text" if column == "texts" and is_plain else name
        if not required and not all(row.get(field) is not None for _, row in rows):
            continue
        values = []
        for line, row in rows:
            if field not in row:
                listed = ", ".join(map(printable, row if names is None else names))
                raise ReaderError(
                    f"{path}, line {line}: no field {field!r}; it has {listed or 'none'}. "
                    f"Rename it, or {naming[column]}.{advice}"
                )
            values.append(row[field])
        columns[column] = values
    return columns, present


def as_in_file(wanted: str, names: Sequence[str]) -> str:
    """Return a name as the file has it, where width of letters or spaces around them differ only.

    A name that is there as it stands is meant. Otherwise exactly one has to be alike.
    """
    if wanted in names:
        return wanted
    alike = [name for name in dict.fromkeys(names) if _plain(name) == _plain(wanted)]
    return alike[0] if len(alike) == 1 else wanted


def _plain(name: str) -> str:
    """Return a name with letters of the usual width, and no space around them."""
    return unicodedata.normalize("NFKC", name).strip()
