"""How far the cells of a spreadsheet reach, seen before a reader makes room for all of them.

A reader holds the rectangle around all filled cells. One letter in the last cell that Excel has
makes that 17 thousand million cells, which no memory holds.
"""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from xml.parsers import expat

from ...errors import ReaderError

_CELL = re.compile(r"([A-Z]{1,4})([0-9]{1,8})")
_PART = 1 << 20


def refuse_wide(path: Path, most: int) -> None:
    """Raise ReaderError where the filled cells of a sheet span more than ``most`` cells.

    Old Excel's files (.xls) are no archives, and reach 17 million cells at most.
    """
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            cells = _cells_of(path, archive, member)
            if cells > most:
                raise ReaderError(
                    f"{path}: a cell lies so far from the others that the sheet spans {cells:,} "
                    "cells. Delete that cell, or save the sheet as CSV."
                )


def _cells_of(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> int:
    """Return how many cells the largest sheet in a part of an archive spans."""
    extent = _Extent()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = extent.start
    with archive.open(member) as file:
        try:
            while part := file.read(_PART):
                parser.Parse(part, False)
        except expat.ExpatError as error:
            if extent.is_sheet:
                raise ReaderError(
                    f"{path} is no spreadsheet that can be read: {error}. Save it again as .xlsx, "
                    "or as CSV."
                ) from error
    return extent.largest  # of a picture: none


class _Extent:
    """Counts rows and columns as the elements of a sheet of Excel or LibreOffice come."""

    def __init__(self) -> None:
        self.is_sheet = False
        self.largest = 0
        self._begin()

    def _begin(self) -> None:
        self._row = self._column = self._first_row = self._last_row = 0
        self._rows = self._columns = 1  # times that a row and a cell are repeated
        self._first_column = self._last_column = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Take the start of an element."""
        kind = name.rpartition(" ")[2]
        if kind in ("sheetData", "table"):
            self.is_sheet = True
            self._begin()
        elif kind in ("row", "table-row"):
            self._next_row(attributes)
        elif kind in ("c", "table-cell", "covered-table-cell"):
            self._next_cell(attributes)
        elif kind in ("v", "is", "p") and self._row and self._column:
            self._filled()

    def _next_row(self, attributes: dict[str, str]) -> None:
        self._row = _whole(attributes.get("r")) or self._row + self._rows
        self._rows = _repeated(attributes, " number-rows-repeated")
        self._column, self._columns = 0, 1

    def _next_cell(self, attributes: dict[str, str]) -> None:
        self._column += self._columns
        self._columns = _repeated(attributes, " number-columns-repeated")
        if (named := _CELL.fullmatch(attributes.get("r", "").upper())) is not None:
            self._column, self._row = _number_of(named[1]), int(named[2])
        if any(key.endswith(" value-type") for key in attributes):
            self._filled()

    def _filled(self) -> None:
        """Count a cell that holds something: all others cost no room."""
        self._first_row = min(self._first_row or self._row, self._row)
        self._first_column = min(self._first_column or self._column, self._column)
        self._last_row = max(self._last_row, self._row + self._rows - 1)
        self._last_column = max(self._last_column, self._column + self._columns - 1)
        rows = self._last_row - self._first_row + 1
        self.largest = max(self.largest, rows * (self._last_column - self._first_column + 1))


def _repeated(attributes: dict[str, str], ending: str) -> int:
    found = next((value for key, value in attributes.items() if key.endswith(ending)), None)
    return _whole(found) or 1


def _whole(text: str | None) -> int:
    """Return a number of at most eight digits; 0 where there is none."""
    return int(text) if text is not None and text.isdecimal() and len(text) < 9 else 0


def _number_of(letters: str) -> int:
    """Return the number of a column: A is 1, AA is 27."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number
