"""Every format of pairs, what is read from it, and what is said of a file that cannot be read."""

import contextlib
import csv
import json
import struct
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kakehashi import read_pairs
from kakehashi.data.readers import read_texts
from kakehashi.errors import KakehashiError, PairsError, ReaderError

JA = ("弁を締める", "油を抜く", "栓")
EN = ("close the valve", 'drain, "the" oil', "plug")
GROUPS = ("a", "a", "b")
IDS = ("1", "2", "3")


def jsonl(path, rows):
    path.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows), "utf-8")


def table(delimiter):
    def write(path, rows):
        def cell(text):
            return '"' + text.replace('"', '""') + '"'

        lines = [list(rows[0]), *(row.values() for row in rows)]
        text = "\r\n".join(delimiter.join(map(cell, line)) for line in lines)
        path.write_bytes(text.encode())

    return write


def parquet(path, rows):
    pq.write_table(pa.Table.from_pylist(rows), path)


WRITERS = {
    "jsonl": jsonl,
    "ndjson": jsonl,
    "csv": table(","),
    "tsv": table("\t"),
    "parquet": parquet,
}
TABULAR = pytest.mark.parametrize("ending", WRITERS)


def rows_of(fields):
    columns = zip(JA, EN, GROUPS, IDS, strict=True)
    return [dict(zip(fields, row, strict=True)) for row in columns]


@TABULAR
@pytest.mark.parametrize("fields", [("source", "target", "group", "id"), ("ja", "en", "doc", "#")])
def test_fields_are_read_under_the_names_that_are_asked_for(ending, fields, tmp_path):
    path = tmp_path / f"pairs.{ending}"
    WRITERS[ending](path, rows_of(fields))
    names = dict(zip(("source", "target", "group", "id"), fields, strict=True))
    pairs = read_pairs(path, **names)
    assert (pairs.source_texts, pairs.target_texts) == (JA, EN)
    assert (pairs.groups, pairs.ids) == (GROUPS, IDS)


@TABULAR
def test_group_and_id_may_be_absent(ending, tmp_path):
    path = tmp_path / f"pairs.{ending}"
    rows = [{"source": s, "target": t} for s, t in zip(JA, EN, strict=True)]
    WRITERS[ending](path, rows)
    pairs = read_pairs(path)
    assert (pairs.groups, pairs.ids, pairs.name) == (None, None, path.name)


@TABULAR
def test_a_missing_column_is_named_with_those_that_are_there(ending, tmp_path):
    path = tmp_path / f"pairs.{ending}"
    WRITERS[ending](path, rows_of(("source", "en", "group", "id")))
    with pytest.raises(ReaderError, match=r"no field 'target'; it has source, en.*--target"):
        read_pairs(path)


@TABULAR
def test_a_group_that_is_not_there_is_named_with_the_columns_that_are(ending, tmp_path):
    path = tmp_path / f"pairs.{ending}"
    WRITERS[ending](path, rows_of(("source", "target", "chapter", "#")))
    wanted = r"group 'doc' is not there; it has source, target, chapter, #"
    with pytest.raises(ReaderError, match=wanted):
        read_pairs(path, group="doc")


def test_a_cell_may_be_as_long_as_a_document(tmp_path):
    before = csv.field_size_limit()
    long = "弁を締める。" * 30_000
    rows = [{"source": "a", "target": long}, {"source": "b", "target": "c"}]
    for ending in ("csv", "tsv"):
        WRITERS[ending](tmp_path / f"x.{ending}", rows)
        assert read_pairs(tmp_path / f"x.{ending}").target_texts == (long, "c")
        assert read_texts(tmp_path / f"x.{ending}") == [long, "c"]
    (tmp_path / "x.csv").write_text(f'source,target\na,"{long}')
    with pytest.raises(ReaderError, match="line 2: unexpected end of data"):
        read_pairs(tmp_path / "x.csv")
    assert csv.field_size_limit() == before


def test_a_group_that_some_rows_lack_is_no_group(tmp_path):
    rows = rows_of(("source", "target", "doc", "id"))
    del rows[1]["doc"]
    jsonl(tmp_path / "pairs.jsonl", rows)
    np.savez(tmp_path / "pairs.npz", source=np.eye(3), target=np.eye(3), doc=np.arange(3))
    with pytest.raises(ReaderError, match="group 'doc' is not in every row; it has source, "):
        read_pairs(tmp_path / "pairs.jsonl", group="doc")
    assert read_pairs(tmp_path / "pairs.npz", group="doc").groups is not None
    with pytest.raises(ReaderError, match="id 'name' is not there; it has source, target, doc"):
        read_pairs(tmp_path / "pairs.npz", id="name")


@TABULAR
def test_a_row_with_an_empty_text_is_raised_or_dropped(ending, tmp_path):
    path = tmp_path / f"pairs.{ending}"
    rows = rows_of(("source", "target", "group", "id"))
    rows[1]["target"] = ""
    WRITERS[ending](path, rows)
    with pytest.raises(PairsError, match="row 1, target: empty text"):
        read_pairs(path)
    pairs = read_pairs(path, on_invalid="drop")
    assert (pairs.source_texts, pairs.groups) == ((JA[0], JA[2]), ("a", "b"))
    assert pairs.validation.dropped == (1,)


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_a_null_is_an_invalid_row_and_not_a_missing_field(ending, tmp_path):
    path = tmp_path / f"pairs.{ending}"
    rows = rows_of(("source", "target", "group", "id"))
    rows[1]["target"] = None
    WRITERS[ending](path, rows)
    assert read_pairs(path, on_invalid="drop").validation.dropped == (1,)


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_a_csv_of_semicolons_or_tabs_is_read_as_one_of_commas(delimiter, tmp_path):
    path = tmp_path / "x.csv"
    rows = [["ja", "en", "group"], ['"a, b; c"', "3,5", "k"], ["d", "e", "k"]]
    path.write_bytes("\r\n".join(map(delimiter.join, rows)).encode("utf-8-sig"))
    pairs = read_pairs(path, source="ja", target="en")
    assert pairs.source_texts == ("a, b; c", "d")
    assert (pairs.target_texts, pairs.groups) == (("3,5", "e"), ("k", "k"))
    assert read_texts(path, column="en") == ["3,5", "e"]
    with pytest.raises(ReaderError, match="line 2: no field 'source'; it has ja, en, group"):
        read_pairs(path)


def test_a_semicolon_in_a_header_of_commas_divides_nothing(tmp_path):
    (tmp_path / "x.csv").write_text("source,target;old;new\na,b;c\n")
    assert read_pairs(tmp_path / "x.csv", target="target;old;new").target_texts == ("b;c",)


@pytest.mark.parametrize("ending", ["jsonl", "csv", "tsv"])
def test_a_byte_order_mark_is_no_part_of_the_first_field(ending, tmp_path):
    path = tmp_path / f"pairs.{ending}"
    WRITERS[ending](path, rows_of(("source", "target", "group", "id")))
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read_pairs(path).source_texts == JA


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.jsonl", '{"source": "a", "target": "b"}\n\n{"source": "c"\n', "line 3: not JSON"),
        ("x.jsonl", '{"source": "a", "target": "b"}\n["c", "d"]\n', "line 2: expected an object"),
        ("x.jsonl", '{"source": "a", "target": "b"}\n{"source": "c"}\n', "line 2: no field"),
        ("x.csv", "source,target\na,b\nc\n", "line 3: another number of cells"),
        ("x.csv", "source,target\na,b,c\n", "line 2: another number of cells"),
        pytest.param("x.csv", 'source,target\na,b\na,"b"c\n', "line 3"),
        ("x.tmx", "<tmx>\n<body>\n</tmx>", "not TMX.*line 3"),
        ("x.po", 'msgid "a"\nmsgstr "b"\nrubbish\n', r"not a PO file.*line 3"),
    ],
)
def test_a_broken_line_is_named(name, content, message, tmp_path):
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(ReaderError, match=message):
        read_pairs(path)


@pytest.mark.parametrize("ending", [*WRITERS, "tmx", "po", "npz"])
def test_an_empty_file_is_refused(ending, tmp_path):
    path = tmp_path / f"empty.{ending}"
    path.write_bytes(b"")
    with pytest.raises((ReaderError, PairsError)):
        read_pairs(path)


def test_a_po_file_that_the_system_cannot_read_is_not_called_malformed(tmp_path, monkeypatch):
    def pofile(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("polib.pofile", pofile)
    (tmp_path / "x.po").write_text("")
    with pytest.raises(ReaderError, match=r"x\.po cannot be read: .*Permission denied"):
        read_pairs(tmp_path / "x.po")


def test_an_unknown_ending_is_refused_with_the_known_ones(tmp_path):
    with pytest.raises(
        ReaderError, match=r"unknown ending '\.doc'.*\.jsonl, \.ndjson, \.csv.*\.xlsx.*\.npz"
    ):
        read_pairs(tmp_path / "pairs.doc")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ReaderError, match="is not a file"):
        read_pairs(tmp_path / "pairs.csv")


def test_an_ending_in_capitals_is_known(tmp_path):
    jsonl(tmp_path / "PAIRS.JSONL", rows_of(("source", "target", "group", "id")))
    assert len(read_pairs(tmp_path / "PAIRS.JSONL")) == 3


def test_name_licence_and_duplicates_reach_the_pairs(tmp_path):
    row = {"source": "a", "target": "b"}
    jsonl(tmp_path / "x.jsonl", [row, row])
    pairs = read_pairs(tmp_path / "x.jsonl", name="N", licence="L", on_duplicate="drop")
    assert (pairs.name, pairs.licence, len(pairs)) == ("N", "L", 1)


def tmx(path, *units):
    variants = "".join(
        "<tu>" + "".join(f"<tuv {lang}><seg>{text}</seg></tuv>" for lang, text in unit) + "</tu>"
        for unit in units
    )
    path.write_text(f'<?xml version="1.0"?><tmx><body>{variants}</body></tmx>', "utf-8")
    return path


@pytest.mark.parametrize("language", ["ja", "ja-JP", "JA-jp"])
@pytest.mark.parametrize("attribute", ["xml:lang", "lang"])
def test_tmx_finds_a_language_with_or_without_its_country(language, attribute, tmp_path):
    unit = ((f'{attribute}="en-US"', "plug"), (f'{attribute}="{language}"', "栓"))
    pairs = read_pairs(tmx(tmp_path / "x.tmx", unit), source="ja", target="EN")
    assert (pairs.source_texts, pairs.target_texts) == (("栓",), ("plug",))


def test_tmx_asked_for_a_country_takes_no_other(tmp_path):
    unit = (('xml:lang="en-GB"', "colour"), ('xml:lang="en-US"', "color"), ('xml:lang="ja"', "色"))
    path = tmx(tmp_path / "x.tmx", unit)
    assert read_pairs(path, source="ja", target="en-us").target_texts == ("color",)
    with pytest.raises(ReaderError, match="no unit has both 'ja' and 'en-AU'"):
        read_pairs(path, source="ja", target="en-AU")


def test_tmx_leaves_out_units_that_lack_a_side_and_keeps_text_inside_markup(tmp_path):
    units = (
        (('xml:lang="ja"', "甲"),),
        (('xml:lang="ja"', "乙<hi>丙</hi>丁"), ('xml:lang="en"', "b")),
    )
    pairs = read_pairs(tmx(tmp_path / "x.tmx", *units), source="ja", target="en")
    assert pairs.source_texts == ("乙丙丁",)


def test_tmx_with_entities_of_its_own_is_refused(tmp_path):
    path = tmp_path / "x.tmx"
    path.write_text('<!DOCTYPE tmx [<!ENTITY a "aaaa">]><tmx><body>&a;</body></tmx>')
    with pytest.raises(ReaderError, match="not TMX"):
        read_pairs(path, source="ja", target="en")


PO = r"""
msgid ""
msgstr "Content-Type: text/plain; charset=UTF-8\n"

#: valve.c:3 other.c:9
msgid "close the valve"
msgstr "弁を締める"

#, fuzzy
#: valve.c:4
msgid "open the valve"
msgstr "弁"

msgid "not translated"
msgstr ""

msgid "%d bolt"
msgid_plural "%d bolts"
msgstr[0] "ボルト%d本"

msgid "two "
"lines"
msgstr "二"
"行"

#~ msgid "obsolete"
#~ msgstr "廃止"
"""


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_po_gives_the_translated_entries_and_groups_them_by_file(mark, tmp_path):
    """Fuzzy, obsolete, plural and untranslated entries are no pairs."""
    path = tmp_path / "x.po"
    path.write_text(mark + PO.lstrip(), "utf-8")
    pairs = read_pairs(path)
    assert pairs.source_texts == ("弁を締める", "二行")
    assert pairs.target_texts == ("close the valve", "two lines")
    assert pairs.groups == ("valve.c", "x.po")


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_keeps_vectors_and_their_dtype(dtype, save, tmp_path):
    x, y = np.random.default_rng(0).standard_normal((2, 5, 3)).astype(dtype)
    save(tmp_path / "x.npz", ja=x, target=y, doc=np.array([0, 0, 1, 1, 2]))
    pairs = read_pairs(tmp_path / "x.npz", source="ja", group="doc")
    assert pairs.source_vectors.dtype == dtype
    assert np.array_equal(pairs.source_vectors, x)
    assert np.array_equal(pairs.target_vectors, y)
    assert pairs.groups == ("0", "0", "1", "1", "2")
    assert pairs.source_texts is None


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"source": np.ones((2, 3)), "y": np.ones((2, 3))}, "no array 'target'; it has source, y"),
        ({"source": np.ones((2, 3)), "target": np.ones((3, 3))}, "source_vectors has 2"),
        ({"source": np.ones((2, 3), int), "target": np.ones((2, 3))}, "got shape .* of int64"),
        ({"source": np.ones(2), "target": np.ones((2, 3))}, r"got shape \(2,\)"),
        ({"source": np.ones((2, 3)), "target": [[1.0], [np.nan]]}, "row 1, target: .*NaN"),
        ({"source": np.array([{}, {}]), "target": np.ones((2, 3))}, "Object arrays cannot"),
        (
            {"source": np.ones((2, 3)), "target": np.ones((2, 3)), "group": np.array([{}, {}])},
            "Object arrays cannot",
        ),
    ],
)
def test_npz_that_cannot_be_used_says_why(arrays, message, tmp_path):
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises((ReaderError, PairsError), match=message):
        read_pairs(tmp_path / "x.npz")


def test_npz_rows_that_cannot_be_used_are_dropped(tmp_path):
    x, y = np.ones((2, 3, 4))
    y[1, 2] = np.inf
    np.savez(tmp_path / "x.npz", source=x, target=y, group=["a", "b", "c"])
    pairs = read_pairs(tmp_path / "x.npz", on_invalid="drop")
    assert (len(pairs), pairs.groups) == (2, ("a", "c"))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_may_hold_texts_beside_the_vectors(save, tmp_path):
    """The names of the texts follow those of the vectors; others are not read."""
    x, y = np.random.default_rng(0).standard_normal((2, 3, 4))
    texts = {"ja_texts": np.array(JA), "en_texts": np.array(EN), "target_texts": np.array(GROUPS)}
    save(tmp_path / "x.npz", ja=x, en=y, target=y, **texts)
    pairs = read_pairs(tmp_path / "x.npz", source="ja", target="en")
    assert (pairs.source_texts, pairs.target_texts) == (JA, EN)
    assert np.array_equal(pairs.source_vectors, x)
    assert np.array_equal(pairs.target_vectors, y)
    pairs = read_pairs(tmp_path / "x.npz", source="ja")
    assert (pairs.source_texts, pairs.target_texts) == (JA, GROUPS)


def test_npz_may_hold_the_texts_of_one_side(tmp_path):
    np.savez(tmp_path / "x.npz", source=np.eye(3), target=np.eye(3), target_texts=EN)
    pairs = read_pairs(tmp_path / "x.npz")
    assert (pairs.source_texts, pairs.target_texts) == (None, EN)


def test_npz_rows_with_an_empty_text_are_dropped(tmp_path):
    texts = ["a", "", "c"]
    np.savez(tmp_path / "x.npz", source=np.eye(3), target=np.eye(3), source_texts=texts)
    pairs = read_pairs(tmp_path / "x.npz", on_invalid="drop")
    assert pairs.source_texts == ("a", "c")
    assert np.array_equal(pairs.source_vectors, np.eye(3)[[0, 2]])
    with pytest.raises(PairsError, match="row 1, source: empty text"):
        read_pairs(tmp_path / "x.npz")


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (np.array(EN, object), "cannot be read: Object arrays cannot"),
        (np.array([b"a", b"b", b"c"]), r"is \|S1 of shape \(3,\), not \(n,\) unicode strings"),
        (np.arange(3), r"is int64 of shape \(3,\), not"),
        (np.array([EN]), r"is <U16 of shape \(1, 3\), not"),
        (np.array("a"), r"is <U1 of shape \(\), not"),
        (np.array(EN[:2]), "has 2 texts for 3 rows of 'target'"),
    ],
)
def test_npz_texts_that_cannot_be_used_say_why(texts, message, tmp_path):
    np.savez(tmp_path / "x.npz", source=np.eye(3), target=np.eye(3), target_texts=texts)
    advice = r".*one text a row of 'target', as np\.array\(texts, str\), or leave"
    with pytest.raises(ReaderError, match="'target_texts' " + message + advice):
        read_pairs(tmp_path / "x.npz")


def test_npz_is_never_unpickled(tmp_path):
    """The array would create a file if it were unpickled."""

    class Trap:
        def __reduce__(self):
            return open, (str(tmp_path / "sprung"), "w")

    trap = np.array([Trap()], dtype=object)
    arrays = {"source": np.ones((1, 2)), "target": np.ones((1, 2))}
    for name in ("source", "target_texts"):
        np.savez(tmp_path / "x.npz", **{**arrays, name: trap})
        with pytest.raises(ReaderError):
            read_pairs(tmp_path / "x.npz")
    assert not (tmp_path / "sprung").exists()


def npy_named_npz(path):
    with path.open("wb") as file:
        np.save(file, np.ones((3, 2)))


def broken_compression(path):
    x = np.random.default_rng(0).random((50, 8))
    np.savez_compressed(path, source=x, target=x)
    content = bytearray(path.read_bytes())
    name, extra = struct.unpack("<HH", content[26:30])  # lengths, from the first local header
    content[30 + name + extra] = 0xFF  # no such type of deflate block
    path.write_bytes(content)


def numbers_instead_of_arrays(path):
    np.savez(path, source=3.0, target=np.ones((3, 2)))


def no_characters(path):
    texts = np.full(9, 0x110000, np.uint32).view("U1")
    np.savez(path, source=np.ones((9, 9)), target=np.ones((9, 9)), source_texts=texts)


def texts_without_an_ending(path):
    np.savez(path, source=np.ones((9, 9)), target=np.ones((9, 9)))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("source_texts", "a")


def cut_off(path):
    np.savez(path, source=np.ones((9, 9)), target=np.ones((9, 9)))
    path.write_bytes(path.read_bytes()[:700])


@pytest.mark.parametrize(
    "damage",
    [
        cut_off,
        npy_named_npz,
        broken_compression,
        numbers_instead_of_arrays,
        no_characters,
        texts_without_an_ending,
    ],
)
def test_a_damaged_npz_raises_an_error_of_ours(damage, tmp_path):
    damage(tmp_path / "x.npz")
    with pytest.raises(KakehashiError):
        read_pairs(tmp_path / "x.npz")


# Texts without a pair

CHUNKS = ["Open the valve.\n\n  Then wait.", " 弁を\u2028締める。", "STOP.", "STOP."]


@pytest.mark.parametrize("ending", [*WRITERS, "JSONL", "NDJSON"])
def test_texts_of_a_column_are_kept_as_they_stand(ending, tmp_path):
    path = tmp_path / f"index.{ending}"
    texts = [CHUNKS[0], " \n", *CHUNKS[1:]]
    rows = [{"id": str(i), "chunk": text} for i, text in enumerate(texts)]
    if ending.isupper():  # both kinds of line, as a file that grew may have them
        lines = [json.dumps(row if i % 2 else row["chunk"]) for i, row in enumerate(rows)]
        path.write_text("\n".join(lines))
    else:
        WRITERS[ending](path, rows)
    assert read_texts(path, column="chunk") == CHUNKS


@pytest.mark.parametrize("ending", WRITERS)
def test_texts_are_read_from_a_field_text_where_the_column_asked_for_is_not_there(ending, tmp_path):
    path = tmp_path / f"index.{ending}"
    WRITERS[ending](path, [{"id": "1", "text": "STOP."}, {"id": "2", "text": "OPEN."}])
    assert read_texts(path) == ["STOP.", "OPEN."]
    assert read_texts(path, column="id") == ["1", "2"]


@pytest.mark.parametrize("name", ["index.txt", "index.md", "index", "INDEX.TXT"])
def test_plain_text_is_a_text_a_line(name, tmp_path):
    path = tmp_path / name
    path.write_bytes("\ufeffOPEN.\r\n\r\n \t\n  弁を\u2028締める。 \nOPEN.".encode())
    assert read_texts(path) == ["OPEN.", "弁を\u2028締める。", "OPEN."]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.txt", None, r"x\.txt is not a file"),
        ("x.txt", b"\xef\xbb\xbf \r\n\n\t\n", r"x\.txt has no texts"),
        ("x.txt", "弁を締める\n".encode("cp932"), r"x\.txt is not UTF-8; it reads as cp932 \(弁"),
        ("x.txt", "弁\n".encode("utf-16-le"), r"x\.txt is not UTF-8"),
        ("x.po", b"", r"\.po is a format of pairs; give \.jsonl .* plain text as \.txt"),
        (
            "x.json",
            b'["valve", "tank"]',
            r"\.json is no ending of texts; give \.jsonl or \.ndjson ",
        ),
        ("x.doc", b"PK", r"\.doc is no ending of texts"),
        ("x.xlsx", b"PK", r"x\.xlsx is no spreadsheet that can be read"),
        ("x.npz", b"", r"\.npz is a format of pairs"),
        ("x.csv", b"en\nvalve\n", r"line 2: no field 'target'; it has en\. Rename it, or name"),
        ("x.jsonl", b'{"text": "a"}\n{"id": 1}', r"no field 'target'.*give every row a .*'text'"),
        ("x.jsonl", b'{"text": "a"}\n{"target": "b"}', r"line 1: no field 'target'"),
        ("x.jsonl", b'["valve"]', r"line 1: expected an object"),
        ("x.jsonl", b'"a"\n{"target": null}', r"text 2: not a string \(NoneType\)"),
        ("x.jsonl", b'"a"\n\n"\\ud800"', r"text 2: not valid Unicode"),
    ],
)
def test_a_file_without_texts_says_why(name, content, said, tmp_path):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ReaderError, match=said):
        read_texts(tmp_path / name)


def test_a_string_is_no_pair(tmp_path):
    (tmp_path / "x.jsonl").write_text('"valve"')
    with pytest.raises(ReaderError, match="expected an object"):
        read_pairs(tmp_path / "x.jsonl")


class TestParquet:
    """Only what is asked for is read and converted."""

    TEXTS = pa.table({"source": ["弁を開く", "弁を閉じる"], "target": ["open it", "close it"]})

    def written(self, tmp_path, **columns):
        table = self.TEXTS
        for name, column in columns.items():
            table = table.append_column(name, column)
        pq.write_table(table, tmp_path / "pairs.parquet")
        return tmp_path / "pairs.parquet"

    @pytest.mark.parametrize(
        "column",
        [
            pa.array([2**50, 1], pa.timestamp("s")),  # beyond the year 9999
            pa.array([2**31 - 1, 1], pa.date32()),
            pa.array([1, 2**62 + 1], pa.timestamp("ns")),
            pa.array([b"\xff", b"a"]).view(pa.string()),  # no UTF-8
            pa.array([2**62, 1], pa.duration("s")),
        ],
    )
    def test_a_column_that_nobody_asked_for_is_not_converted(self, column, tmp_path):
        path = self.written(tmp_path, other=column)
        assert read_pairs(path).source_texts == ("弁を開く", "弁を閉じる")
        with contextlib.suppress(ReaderError):  # some versions of pyarrow convert some
            read_pairs(path, group="other")

    def test_a_column_that_cannot_be_converted_is_named(self, tmp_path):
        column = pa.array([b"\xff", b"a"]).view(pa.string())
        with pytest.raises(ReaderError, match=r"column 'other' cannot be read: .* Save it as"):
            read_pairs(self.written(tmp_path, other=column), group="other")

    def test_columns_that_nobody_asked_for_take_no_memory(self, tmp_path, monkeypatch):
        path = self.written(tmp_path, other=pa.array([["x"] * 1000, []]))
        asked, read = [], pq.ParquetFile.read

        def recorded(file, columns):
            asked.append(columns)
            return read(file, columns=columns)

        monkeypatch.setattr(pq.ParquetFile, "read", recorded)
        read_pairs(path)
        read_texts(path)
        assert asked == [["source", "target"], ["target"]]

    def test_a_name_may_hold_a_dot_and_stand_once(self, tmp_path):
        table = self.TEXTS.rename_columns(["a.b", "target"])
        pq.write_table(table, tmp_path / "dot.parquet")
        assert read_pairs(tmp_path / "dot.parquet", source="a.b").source_texts[0] == "弁を開く"
        pq.write_table(self.TEXTS.rename_columns(["target"] * 2), tmp_path / "two.parquet")
        with pytest.raises(ReaderError, match="has 2 columns 'target'"):
            read_texts(tmp_path / "two.parquet")

    def test_every_cut_and_every_flipped_byte_is_an_error_of_ours(self, tmp_path):
        sound = self.written(tmp_path, other=pa.array([1, 2])).read_bytes()
        rng = np.random.default_rng(0)
        path = tmp_path / "damaged.parquet"
        for _ in range(100):
            damaged = bytearray(sound)
            damaged[rng.integers(len(sound))] ^= 1 << int(rng.integers(8))
            path.write_bytes(damaged[: rng.integers(1, len(sound) * 4)])
            with contextlib.suppress(KakehashiError):
                read_pairs(path)


@pytest.mark.parametrize("ending", ["jsonl", "csv"])
def test_names_of_columns_in_a_message_are_printable(ending, tmp_path):
    rows = {"jsonl": '{"\\u001b[2J": "a"}\n', "csv": "\x1b[2J,b\n1,2\n"}
    path = tmp_path / f"pairs.{ending}"
    path.write_text(rows[ending])
    with pytest.raises(ReaderError, match=r"it has \\x1b\[2J") as caught:
        read_pairs(path)
    assert str(caught.value).isprintable()


# Names of columns

ALIKE = [("日本語", " 日本語　"), ("ＥＮ", "EN"), ("カナ", "ｶﾅ"), ("EN ", "ＥＮ")]


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl"])
@pytest.mark.parametrize(("asked", "there"), ALIKE)
def test_width_and_spaces_of_a_name_do_not_matter_where_one_column_fits(
    ending, asked, there, tmp_path
):
    path = tmp_path / f"x.{ending}"
    WRITERS[ending](path, [{"target": "plug", there: "栓"}])
    assert read_pairs(path, source=asked).source_texts == ("栓",)


def test_a_name_that_is_there_as_it_stands_is_meant(tmp_path):
    path = tmp_path / "x.csv"
    WRITERS["csv"](path, [{"ＥＮ": "wide", "EN": "plain", "source": "a"}])
    assert read_pairs(path, target="EN").target_texts == ("plain",)
    assert read_pairs(path, target="ＥＮ").target_texts == ("wide",)
    with pytest.raises(ReaderError, match=r"no field 'EN '; it has ＥＮ, EN, source"):
        read_pairs(path, target="EN ")


@pytest.mark.parametrize("ending", ["csv", "tsv"])
def test_a_name_of_two_columns_is_refused(ending, tmp_path):
    delimiter = "," if ending == "csv" else "\t"
    path = tmp_path / f"x.{ending}"
    path.write_text(delimiter.join(["source", "target", "target"]) + "\n" + delimiter.join("abc"))
    with pytest.raises(ReaderError, match="has 2 columns 'target'"):
        read_pairs(path)


def test_empty_rows_of_a_spreadsheets_csv_are_passed_over(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text('source,target,group,\r\n"a\r\nb",c,k,\r\n,,,\r\n\r\n , ,,\r\nd,e,k,\r\n')
    pairs = read_pairs(path)
    assert (pairs.source_texts, pairs.target_texts) == (("a\r\nb", "d"), ("c", "e"))
