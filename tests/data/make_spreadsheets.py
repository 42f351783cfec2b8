"""Write tests/data/spreadsheets: files that no package of the tests' environment can write.

Run it where xlwt, odfpy, msoffcrypto-tool and openpyxl are installed: python make_spreadsheets.py
"""

from io import BytesIO
from pathlib import Path

import openpyxl
import xlwt
from msoffcrypto.format.ooxml import OOXMLFile
from odf.opendocument import OpenDocumentSpreadsheet
from odf.table import Table, TableCell, TableRow
from odf.text import P

OUT = Path(__file__).parent / "spreadsheets"
ROWS = [
    ["source", "target", "group"],
    ["弁を締める", "close the valve", "a"],
    ["油を抜く", "drain the oil", "b"],
]


def old_excel(path: Path) -> None:
    book = xlwt.Workbook()
    sheet = book.add_sheet("S")
    for i, row in enumerate(ROWS):
        for j, cell in enumerate(row):
            sheet.write(i, j, cell)
    book.save(str(path))


def open_document(path: Path) -> None:
    document, table = OpenDocumentSpreadsheet(), Table(name="S")
    for row in ROWS:
        line = TableRow()
        for text in row:
            cell = TableCell(valuetype="string")
            cell.addElement(P(text=text))
            line.addElement(cell)
        table.addElement(line)
    document.spreadsheet.addElement(table)
    document.save(str(path))


def locked(path: Path) -> None:
    book, plain = openpyxl.Workbook(), BytesIO()
    for row in ROWS:
        book.active.append(row)
    book.save(plain)
    with path.open("wb") as file:
        OOXMLFile(plain).encrypt("secret", file)


if __name__ == "__main__":
    old_excel(OUT / "old.xls")
    open_document(OUT / "open.ods")
    locked(OUT / "locked.xlsx")
