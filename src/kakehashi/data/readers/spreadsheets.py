"""Spreadsheets: .xlsx and .xlsm of Excel, its older .xls, and .ods, read with python-calamine."""

from __future__ import annotations

import zipfile
import zlib
from datetime import date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import MissingExtraError, ReaderError
from ...printable import printable
from .columns import Contents, Row, as_in_file, columns_of
from .sheet_extent import refuse_wide

if TYPE_CHECKING:
    from python_calamine import CalamineSheet, CalamineWorkbook

ENDINGS = (".xlsx", ".xlsm", ".xls", ".ods")
_LOOKED_AT = 20
"""Rows in which the names of the columns are looked for, to say that a title stands above them."""
_MAX_UNPACKED = 1 << 29
"""Half a gigabyte of XML: some ten million cells."""
_MAX_CELLS = 20_000_000
"""Of the rectangle around all filled cells, which the reader holds in memory whole."""


def spreadsheet(path: Path, fields: dict[str, str], sheet: str | None = None) -> Contents:
    """Read a sheet whose first filled row names the columns.

    A cell is read as the text that it holds; a formula as its last result. A merged cell counts in
    each of its rows. Rows without any text are left out.

    Args:
        sheet: its name; by default the first sheet.

    Raises:
        ReaderError: a file that is no spreadsheet, or is locked by a password; no such sheet; an
            empty one.
    """
    try:
        import python_calamine
    except ImportError as error:
        raise MissingExtraError("python-calamine", "readers") from error
    _refuse_bomb(path)
    refuse_wide(path, _MAX_CELLS)
    try:
        with python_calamine.load_workbook(path) as workbook:
            name = _sheet_of(path, workbook, sheet)
            found = workbook.get_sheet_by_name(name)
            cells, first = _cells(found), (found.start or (0, 0))[0] + 1
            others = [each for each in workbook.sheet_names if each != name]
    except python_calamine.PasswordError as error:
        raise ReaderError(
            f"{path} is locked by a password. Save a copy without one, and read that."
        ) from error
    except python_calamine.CalamineError as error:
        raise _unreadable(path, printable(error)) from error
    place = f"{path}, sheet {printable(name)!r}"
    advice = ""
    if others:
        listed = ", ".join(printable(repr(each)) for each in others[:5])
        advice = f" Other sheets, for --sheet (Python: sheet=): {listed}."
    if not cells:
        raise ReaderError(f"{place} is empty.{advice}")
    header = [_text(cell).strip() for cell in cells[0]]
    for below, row in enumerate(cells[1:_LOOKED_AT], 1):
        if _names_columns(row, fields) and not _names_columns(cells[0], fields):
            raise ReaderError(
                f"{place}: row {first + below} names the columns, and has to be the first filled "
                "row. Delete what stands above it, and read it again."
            )
    rows: list[tuple[int, Row]] = []
    for number, row in enumerate(cells[1:], first + 1):
        texts = list(map(_text, row))
        if any(text.strip() for text in texts):
            # The first of equal names wins here; columns_of refuses the others if they are asked.
            rows.append((number, dict(zip(reversed(header), reversed(texts), strict=True))))
    if not rows:
        raise ReaderError(
            f"{place} has one filled row: {', '.join(map(printable, header))}. The first filled "
            f"row names the columns, and texts stand below.{advice}"
        )
    return columns_of(place, rows, fields, names=header, advice=advice)


def _names_columns(row: list[Any], fields: dict[str, str]) -> bool:
    """Whether a row holds the names of all columns of texts that are wanted."""
    cells = [_text(cell) for cell in row]
    wanted = [name for column, name in fields.items() if column not in ("group", "id")]
    return all(as_in_file(name, cells) in cells for name in wanted)


def _sheet_of(path: Path, workbook: CalamineWorkbook, sheet: str | None) -> str:
    """Return the name of the sheet that is wanted, or of the first."""
    from python_calamine import SheetTypeEnum

    about = workbook.sheets_metadata
    names = [each.name for each in about if each.typ == SheetTypeEnum.WorkSheet]  # and no charts
    if sheet is None and names:
        return names[0]
    if sheet is None or sheet not in names:
        listed = ", ".join(printable(repr(name)) for name in names) or "none"
        raise ReaderError(f"{path} has no sheet {printable(repr(sheet))}; it has {listed}.")
    return sheet


def _cells(sheet: CalamineSheet) -> list[list[Any]]:
    """Return the cells of a sheet, from its first filled row and column."""
    if sheet.start is None:
        return []
    cells: list[list[Any]] = [list(row) for row in sheet.to_python()]
    top, left = sheet.start
    for (first, column), (last, last_column) in sheet.merged_cell_ranges or []:
        if column == last_column and first > top:  # over rows of one column, below the header
            for row in range(first, min(last, top + len(cells) - 1) + 1):
                cells[row - top][column - left] = cells[first - top][column - left]
    return cells


def _text(cell: Any) -> str:
    """Return a cell as text: 74 and not 74.0, TRUE, 2024-05-01."""
    if isinstance(cell, bool):
        return str(cell).upper()
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, (datetime, date, time)):
        return cell.isoformat(" ") if isinstance(cell, datetime) else cell.isoformat()
    return str(cell)


def _refuse_bomb(path: Path) -> None:
    """Raise ReaderError for an archive that unpacks to more than a sheet of texts can hold.

    A file in it that holds more than it states fails its checksum, which is read here.
    """
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
            damaged = archive.testzip() if unpacked <= _MAX_UNPACKED else None
    # RuntimeError: encrypted; NotImplementedError: an unknown compression
    except (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, ValueError) as error:
        raise _unreadable(path, printable(error)) from error
    if unpacked > _MAX_UNPACKED:
        raise ReaderError(f"{path} would unpack to {unpacked:,} bytes; save it as CSV.")
    if damaged is not None:
        raise _unreadable(path, f"{printable(damaged)} is damaged")


def _unreadable(path: Path, fault: str) -> ReaderError:
    return ReaderError(
        f"{path} is no spreadsheet that can be read: {fault}. Save it again as .xlsx, or as CSV."
    )
