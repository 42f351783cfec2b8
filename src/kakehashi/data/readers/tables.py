"""Tables: JSONL, CSV, TSV and Parquet; and plain text, one text a line.

Every reader takes a path and the name of each column (``fields``), and returns the columns and the
names of all columns of the file. Those of text take its encoding, too.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from ...errors import MissingExtraError, ReaderError
from ...printable import printable
from .columns import Contents, as_in_file, columns_of
from .decoding import read_text

_CSV_LIMIT = Lock()
_DELIMITERS = (",", ";", "\t")


def plain_lines(path: Path, fields: dict[str, str], encoding: str | None = None) -> Contents:
    """Read one text a line, without the white space around it."""
    return {"texts": [line.strip() for line in _lines(path, encoding)]}, []


def jsonl_of_texts(path: Path, fields: dict[str, str], encoding: str | None = None) -> Contents:
    """Read JSON lines; a line that is a string is itself the text."""
    return jsonl(path, fields, encoding, text_field=fields["texts"])


def jsonl(
    path: Path,
    fields: dict[str, str],
    encoding: str | None = None,
    *,
    text_field: str | None = None,
) -> Contents:
    """Read JSON lines of objects; a string is taken for an object with ``text_field`` alone."""
    rows = []
    for number, line in enumerate(_lines(path, encoding), 1):
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


def _lines(path: Path, encoding: str | None) -> io.StringIO:
    """Return the lines of a file; splitlines() would also cut at U+2028, a part of a text."""
    return io.StringIO(read_text(path, encoding), newline=None)


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


def delimited(path: Path, fields: dict[str, str], encoding: str | None = None) -> Contents:
    """Read CSV with commas, semicolons or tabs, or TSV where the ending says so.

    Rows without any text are left out, as spreadsheets write them below a table.
    """
    text = read_text(path, encoding)
    rows = []
    with _long_cells():
        delimiter = "\t" if path.suffix.lower() == ".tsv" else _delimiter_of(text, fields)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        try:
            header = next(reader, [])
            for cells in reader:
                if not any(cell.strip() for cell in cells):
                    continue
                if len(cells) != len(header):
                    raise ReaderError(
                        f"{path}, line {reader.line_num}: another number of cells than the header."
                    )
                rows.append((reader.line_num, dict(zip(header, cells, strict=True))))
        except csv.Error as error:
            raise ReaderError(f"{path}, line {reader.line_num}: {error}") from error
    return columns_of(path, rows, fields, names=header)


def _delimiter_of(text: str, fields: dict[str, str]) -> str:
    """Return the delimiter by which the header has most of the wanted columns, and most cells.

    Spreadsheets write semicolons where the comma is the decimal sign.
    """

    def of_header(delimiter: str) -> tuple[int, int]:
        try:
            cells = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [])
        except csv.Error:  # the reading that follows says where
            cells = []
        return sum(as_in_file(name, cells) in cells for name in fields.values()), len(cells)

    return max(_DELIMITERS, key=of_header)  # of equal ones the first


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
