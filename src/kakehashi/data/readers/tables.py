"""Tables: JSONL, CSV, TSV and Parquet; and plain text, one text a line.

Every reader takes a path and the name of each column (``fields``), and returns the columns and the
names of all columns of the file.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TextIO

from ...errors import MissingExtraError, ReaderError
from ...printable import printable
from .columns import Contents, columns_of

_CSV_LIMIT = Lock()
_DELIMITERS = (",", ";", "\t")


def plain_lines(path: Path, fields: dict[str, str]) -> Contents:
    """Read one text a line, without the white space around it."""
    # splitlines() would also cut at U+2028 and the like, which are part of a text.
    lines = path.read_text(encoding="utf-8-sig").split("\n")
    return {"texts": [line.strip() for line in lines]}, []


def jsonl_of_texts(path: Path, fields: dict[str, str]) -> Contents:
    """Read JSON lines; a line that is a string is itself the text."""
    return jsonl(path, fields, text_field=fields["texts"])


def jsonl(path: Path, fields: dict[str, str], *, text_field: str | None = None) -> Contents:
    """Read JSON lines of objects; a string is taken for an object with ``text_field`` alone."""
    rows = []
    with path.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise ReaderError(f"{path}, line {number}: not JSON: {printable(error)}") from error
            if isinstance(row, str) and text_field is not None:
                row = {text_field: row}
            if not isinstance(row, dict):
                raise ReaderError(f"{path}, line {number}: expected an object, got {line[:40]!r}.")
            rows.append((number, row))
    return columns_of(path, rows, fields)


@contextmanager
def _long_cells() -> Iterator[None]:
    """Let a cell be as long as a document may be.

    The limit of 131,072 characters holds for the whole process, so it is set back afterwards. Two
    readers take turns: otherwise the first to end would set the limit back for the other.
    """
    with _CSV_LIMIT:
        before = csv.field_size_limit(2**31 - 1)
        try:
            yield
        finally:
            csv.field_size_limit(before)


def delimited(path: Path, fields: dict[str, str]) -> Contents:
    """Read CSV with commas, semicolons or tabs, or TSV where the ending says so."""
    rows = []
    with path.open(encoding="utf-8-sig", newline="") as file, _long_cells():
        delimiter = "\t" if path.suffix.lower() == ".tsv" else _delimiter_of(file, fields)
        reader = csv.DictReader(file, delimiter=delimiter, strict=True)
        try:
            for row in reader:
                if None in row or None in row.values():
                    raise ReaderError(
                        f"{path}, line {reader.line_num}: another number of cells than the header."
                    )
                rows.append((reader.line_num, dict(row)))
        except csv.Error as error:  # DictReader's own count stops before the broken line
            raise ReaderError(f"{path}, line {reader.reader.line_num}: {error}") from error
    return columns_of(path, rows, fields)


def _delimiter_of(file: TextIO, fields: dict[str, str]) -> str:
    """Return the delimiter by which the header has most of the wanted columns, and most cells.

    Spreadsheets write semicolons where the comma is the decimal sign.
    """
    wanted = set(fields.values())

    def of_header(delimiter: str) -> tuple[int, int]:
        file.seek(0)
        try:
            cells = next(csv.reader(file, delimiter=delimiter), [])
        except csv.Error:  # the reading that follows says where
            cells = []
        return len(wanted.intersection(cells)), len(cells)

    best = max(_DELIMITERS, key=of_header)  # of equal ones the first
    file.seek(0)
    return best


def parquet(path: Path, fields: dict[str, str]) -> Contents:
    """Read Parquet, with pyarrow: only the columns that are asked for."""
    try:
        import pyarrow
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtraError("pyarrow", "readers") from error
    # Beside pyarrow's own errors those of Python, as over a date after the year 9999.
    faults = (pyarrow.ArrowException, ValueError, OverflowError, TypeError, KeyError, RuntimeError)
    try:
        with pq.ParquetFile(path) as file:
            names = list(file.schema_arrow.names)
            # A file of texts without a pair need not call them as asked.
            wanted = {*fields.values(), *(["text"] if "texts" in fields else [])}
            table = file.read(columns=[name for name in names if name in wanted])
            n_rows = table.num_rows
    except faults as error:
        raise ReaderError(f"{path} is not Parquet: {printable(error)}") from error
    if repeated := [name for name in wanted if names.count(name) > 1]:
        raise ReaderError(f"{path} has {names.count(repeated[0])} columns {repeated[0]!r}.")
    cells = {}
    for name in table.column_names:
        try:
            cells[name] = table.column(name).to_pylist()
        except faults as error:
            raise ReaderError(
                f"{path}: column {name!r} cannot be read: {printable(error)}. Save it as strings."
            ) from error
    rows = [(i + 1, {name: column[i] for name, column in cells.items()}) for i in range(n_rows)]
    return columns_of(path, rows, fields, names=names)
