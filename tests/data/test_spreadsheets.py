"""Spreadsheets as Excel and LibreOffice write them."""

import datetime
import struct
import zipfile
from pathlib import Path

import openpyxl
import pytest

from kakehashi import read_index, read_pairs
from kakehashi.data.readers import read_texts
from kakehashi.data.readers import spreadsheets as module
from kakehashi.errors import PairsError, ReaderError

MADE = Path(__file__).parent / "spreadsheets"
HEADER = ["source", "target", "group"]
ROWS = [["弁を締める", "close the valve", "a"], ["油を抜く", "drain the oil", "b"]]


def book(path, *sheets, **others):
    """Write a workbook of one sheet for each list of rows."""
    workbook = openpyxl.Workbook()
    workbook.remove(workbook.active)
    for number, rows in enumerate(sheets, 1):
        sheet = workbook.create_sheet(f"Sheet{number}")
        for row in rows:
            sheet.append(row)
    for name, rows in others.items():
        sheet = workbook.create_sheet(name)
        for row in rows:
            sheet.append(row)
    workbook.save(path)
    return path


def test_the_first_sheet_is_read_or_the_one_that_is_named(tmp_path):
    path = book(tmp_path / "x.xlsx", [HEADER, *ROWS], 検査=[["日本語", "英語"], ["栓", "plug"]])
    pairs = read_pairs(path)
    assert pairs.source_texts == ("弁を締める", "油を抜く")
    assert pairs.groups == ("a", "b")
    named = read_pairs(path, sheet="検査", source="日本語", target="英語")
    assert named.target_texts == ("plug",)
    assert read_texts(path, sheet="検査", column="英語") == ["plug"]
    assert read_index(path, sheet="検査", column="英語").texts == ("plug",)
    with pytest.raises(ReaderError, match="has no sheet '検査2'; it has 'Sheet1', '検査'"):
        read_pairs(path, sheet="検査2")


def test_a_cover_sheet_is_said_with_the_sheets_behind_it(tmp_path):
    cover = [["対訳表"], ["2024年5月"]]
    path = book(tmp_path / "x.xlsx", cover, 対訳=[HEADER, *ROWS])
    said = r"sheet 'Sheet1', line 2: no field 'source'; it has 対訳表\..*--sheet.*'対訳'"
    with pytest.raises(ReaderError, match=said):
        read_pairs(path)
    assert len(read_pairs(path, sheet="対訳")) == 2


def test_a_title_above_the_names_of_the_columns_is_said_with_their_row(tmp_path):
    title = [["対訳一覧", "", ""], [], ["品質保証部"]]
    path = book(tmp_path / "x.xlsx", [*title, [" 和文", "英文", "章"], *ROWS])
    with pytest.raises(ReaderError, match=r"sheet 'Sheet1': row 4 names the columns.* Delete what"):
        read_pairs(path, source="和文", target="英文")
    with pytest.raises(ReaderError, match="row 4 names the columns"):
        read_texts(path, column="英文")


@pytest.mark.parametrize("name", ["old.xls", "open.ods"])
def test_older_and_open_formats_are_read(name):
    pairs = read_pairs(MADE / name)
    assert (pairs.source_texts, pairs.groups) == (("弁を締める", "油を抜く"), ("a", "b"))


def test_a_locked_file_is_said_to_be_locked():
    with pytest.raises(ReaderError, match=r"locked\.xlsx is locked by a password\. Save a copy"):
        read_pairs(MADE / "locked.xlsx")


def test_numbers_dates_and_truths_are_read_as_texts(tmp_path):
    cells = [
        [74, "74"],
        [3.5, "3.5"],
        [1e21, "1000000000000000000000"],
        [True, "TRUE"],
        [datetime.date(2024, 5, 1), "2024-05-01"],
        [datetime.datetime(2024, 5, 1, 10, 3), "2024-05-01 10:03:00"],
        [datetime.time(1, 2), "01:02:00"],
    ]
    path = book(tmp_path / "x.xlsx", [["source", "target"], *([c, "t"] for c, _ in cells)])
    assert read_pairs(path).source_texts == tuple(text for _, text in cells)


def test_a_formula_is_read_as_its_last_result_and_is_empty_before_one(tmp_path):
    """openpyxl computes nothing, so its formulas have no result yet."""
    path = book(tmp_path / "x.xlsx", [HEADER, *ROWS, ["=A2", "x", "c"]])
    assert read_pairs(path, on_invalid="drop").validation.dropped == (2,)
    content = zipfile.ZipFile(path).read("xl/worksheets/sheet1.xml")
    with_result = content.replace(b"<f>A2</f><v />", b"<f>A2</f><v>12</v>")
    with_result = with_result.replace(b"<f>A2</f><v></v>", b"<f>A2</f><v>12</v>")
    assert with_result != content
    copied(path, tmp_path / "y.xlsx", {"xl/worksheets/sheet1.xml": with_result})
    assert read_pairs(tmp_path / "y.xlsx").source_texts[-1] == "12"


def copied(path, to, changed):
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, changed.get(name, old.read(name)))


def test_a_merged_cell_counts_in_each_of_its_rows(tmp_path):
    """A chapter is often merged beside its sentences; a title above the table is no row of it."""
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    sheet.append(["章", *HEADER[:2]])
    for row in [["ch. 1", "弁", "valve"], [None, "油", "oil"], ["ch. 2", "栓", "plug"]]:
        sheet.append(row)
    sheet.merge_cells("A2:A3")
    workbook.save(tmp_path / "x.xlsx")
    assert read_pairs(tmp_path / "x.xlsx", group="章").groups == ("ch. 1", "ch. 1", "ch. 2")


def test_empty_rows_and_empty_margins_are_passed_over(tmp_path):
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    for row, cells in {4: HEADER, 5: ROWS[0], 7: ROWS[1], 9: [" ", "", "  "]}.items():
        for column, cell in enumerate(cells, 3):
            sheet.cell(row, column, cell)
    workbook.save(tmp_path / "x.xlsx")
    assert len(read_pairs(tmp_path / "x.xlsx")) == 2


def test_a_line_of_an_error_is_the_row_of_the_spreadsheet(tmp_path):
    path = book(tmp_path / "x.xlsx", [["s", "target"], *ROWS[:1]])
    with pytest.raises(ReaderError, match=r"x\.xlsx, sheet 'Sheet1', line 2: no field 'source'"):
        read_pairs(path)


def test_line_breaks_stay_inside_a_cell(tmp_path):
    path = book(tmp_path / "x.xlsx", [["source", "target"], ["弁を\n締める", "close\nit"]])
    assert read_pairs(path).source_texts == ("弁を\n締める",)


@pytest.mark.parametrize(
    ("sheets", "said"),
    [
        ([[]], r"sheet 'Sheet1' is empty\.$"),
        ([[], [HEADER]], r"sheet 'Sheet1' is empty\. Other sheets, for --sheet .*: 'Sheet2'"),
        ([[HEADER]], "has one filled row: source, target, group. The first filled row names"),
        ([[["source", "source", "target"], ["a", "b", "c"]]], "has 2 columns 'source'"),
    ],
)
def test_a_sheet_without_pairs_says_why(sheets, said, tmp_path):
    with pytest.raises((ReaderError, PairsError), match=said):
        read_pairs(book(tmp_path / "x.xlsx", *sheets))


@pytest.mark.parametrize("content", [b"", b"source,target\na,b\n", b"PK\x03\x04", None])
def test_a_file_that_is_no_spreadsheet_says_so(content, tmp_path):
    path = tmp_path / "x.xlsx"
    if content is None:  # cut off
        book(path, [HEADER, *ROWS])
        content = path.read_bytes()[:3000]
    path.write_bytes(content)
    with pytest.raises(ReaderError, match=r"x\.xlsx is no spreadsheet that can be read: .*CSV"):
        read_pairs(path)


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    path = book(tmp_path / "x.xlsx", [HEADER, *ROWS])
    monkeypatch.setattr(module, "_MAX_UNPACKED", 1000)
    with pytest.raises(ReaderError, match=r"would unpack to [\d,]+ bytes; save it as CSV"):
        read_pairs(path)


def test_an_archive_that_understates_its_size_is_refused(tmp_path):
    path, name = book(tmp_path / "x.xlsx", [HEADER, *ROWS]), "xl/worksheets/sheet1.xml"
    sheet = zipfile.ZipFile(path).read(name)
    spaces = sheet.replace(b"<sheetData>", b"<sheetData>" + b" " * 3_000_000)
    copied(path, tmp_path / "y.xlsx", {name: spaces})
    content = (tmp_path / "y.xlsx").read_bytes()
    stated, less = (struct.pack("<I", size) for size in (len(spaces), len(sheet)))
    assert content.count(stated) == 2
    (tmp_path / "y.xlsx").write_bytes(content.replace(stated, less))
    with pytest.raises(ReaderError, match=r"y\.xlsx is no spreadsheet that can be read"):
        read_pairs(tmp_path / "y.xlsx")


def test_a_cell_far_from_the_others_is_refused_before_room_is_made_for_all_between(tmp_path):
    """Room for all cells of a sheet of Excel ended the process, which no error can tell."""
    workbook = openpyxl.Workbook()
    for row in [HEADER, *ROWS]:
        workbook.active.append(row)
    workbook.active["XFD1048576"] = "x"
    workbook.save(tmp_path / "x.xlsx")
    with pytest.raises(ReaderError, match=r"spans 17,179,869,184 cells.*CSV"):
        read_pairs(tmp_path / "x.xlsx")


def test_a_cell_that_is_repeated_without_end_is_refused(tmp_path):
    plain = Path(__file__).parent / "spreadsheets" / "open.ods"
    content = zipfile.ZipFile(plain).read("content.xml")
    cell, row = b"<table:table-cell ", b"<table:table-row>"
    many = content.replace(cell, cell + b'table:number-columns-repeated="16384" ', 1)
    many = many.replace(row, b'<table:table-row table:number-rows-repeated="1048576">', 1)
    assert len(many) > len(content) + 60
    copied(plain, tmp_path / "x.ods", {"content.xml": many})
    with pytest.raises(ReaderError, match=r"spans 17,\d{3},\d{3},\d{3} cells"):
        read_pairs(tmp_path / "x.ods")


def test_empty_cells_far_away_span_nothing(tmp_path):
    """A format of whole columns leaves them."""
    workbook = openpyxl.Workbook()
    for row in [HEADER, *ROWS]:
        workbook.active.append(row)
    workbook.active["XFD1048576"].font = openpyxl.styles.Font(bold=True)
    workbook.save(tmp_path / "x.xlsx")
    assert len(read_pairs(tmp_path / "x.xlsx")) == len(ROWS)
