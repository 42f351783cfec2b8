"""Files of text in other encodings: read where the caller names it, else refused with its name."""

import pytest

from kakehashi import read_pairs
from kakehashi.data.readers import read_texts
from kakehashi.data.readers.decoding import likely_encoding
from kakehashi.errors import ReaderError

TEXTS = {
    "csv": "source,target\r\n弁を締める,close\r\n油を抜く,drain\r\n",
    "tsv": "source\ttarget\r\n弁を締める\tclose\r\n油を抜く\tdrain\r\n",
    "jsonl": '{"source": "弁を締める", "target": "close"}\n'
    '{"source": "油を抜く", "target": "drain"}\n',
    "po": 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n\n'
    'msgid "close"\nmsgstr "弁を締める"\n\nmsgid "drain"\nmsgstr "油を抜く"\n',
}
SOURCES = ("弁を締める", "油を抜く")


@pytest.mark.parametrize("ending", TEXTS)
def test_a_file_of_another_encoding_is_read_where_it_is_named(ending, tmp_path):
    path = tmp_path / f"x.{ending}"
    path.write_bytes(TEXTS[ending].encode("cp932"))
    said = r"x\.\w+ is not UTF-8; it reads as cp932 \(.*\)\. Run again with --encoding cp932"
    with pytest.raises(ReaderError, match=said):
        read_pairs(path)
    for name in ("cp932", "CP932", "ms932", "shift_jis"):
        assert read_pairs(path, encoding=name).source_texts == SOURCES


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl"])
def test_a_byte_order_mark_needs_no_option_and_goes_before_one(ending, encoding, tmp_path):
    """Excel's "CSV UTF-8" and "Unicode text" begin with one."""
    path = tmp_path / f"x.{ending}"
    path.write_bytes(TEXTS[ending].encode(encoding))
    for named in (None, "cp932"):
        assert read_pairs(path, encoding=named).source_texts == SOURCES


def test_unicode_text_of_excel_is_read_by_its_ending_txt_as_lines(tmp_path):
    path = tmp_path / "x.txt"
    path.write_bytes("弁を締める\r\n油を抜く\r\n".encode("utf-16"))
    assert read_texts(path) == list(SOURCES)
    path.write_bytes("弁を締める\r\n油を抜く\r\n".encode("cp932"))
    assert read_texts(path, encoding="cp932") == list(SOURCES)


def test_a_table_of_excels_unicode_text_is_asked_to_be_called_tsv(tmp_path):
    path = tmp_path / "x.txt"
    path.write_bytes(TEXTS["tsv"].encode("utf-16"))
    with pytest.raises(
        ReaderError, match=r"x\.txt is plain text, not pairs\. .*rename it to \.tsv"
    ):
        read_pairs(path)
    path.rename(tmp_path / "x.tsv")
    assert read_pairs(tmp_path / "x.tsv").source_texts == SOURCES


def test_a_long_file_is_looked_at_by_its_first_lines(tmp_path):
    lines = "弁を締める,close\n" * 60_000
    assert likely_encoding(lines.encode("cp932")) == "cp932"


def test_utf_16_without_its_mark_is_named(tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes(TEXTS["csv"].encode("utf-16-le"))
    with pytest.raises(ReaderError, match="is not UTF-8; it reads as utf-16-le"):
        read_pairs(path)
    assert read_pairs(path, encoding="utf-16-le").source_texts == SOURCES


def test_a_csv_of_tabs_in_utf_16_is_read(tmp_path):
    (tmp_path / "x.csv").write_bytes(TEXTS["tsv"].encode("utf-16"))
    assert read_pairs(tmp_path / "x.csv").source_texts == SOURCES


@pytest.mark.parametrize(
    ("text", "encoding", "seen"),
    [
        ("弁を締める", "cp932", "cp932"),
        ("日本", "cp932", "cp932"),
        ("source,target\n弁を締める,close it", "cp932", "cp932"),  # the last line does not end
        ("排気弁,exhaust valve\n74HC595、シフトレジスタ", "cp932", "cp932"),
        ("弁を締める", "euc_jp", "euc_jp"),
        ("弁を締める", "utf-8", "utf-8"),
        ("Fermez la vanne à détente, été", "cp1252", "cp1252"),
        ("Ventil schließen, Öl ablassen", "cp1252", "cp1252"),
        ("close the valve", "utf-16-le", "utf-16-le"),
        ("close the välve", "utf-16-le", "utf-16-le"),
        ("关闭阀门，排放机油", "gb18030", None),
        ("밸브를 닫으십시오", "cp949", None),
        ("關閉閥門，排放機油", "big5", None),
        ("Закройте клапан", "cp1251", None),
    ],
)
def test_the_encoding_is_named_where_it_can_be_told(text, encoding, seen):
    assert likely_encoding(text.encode(encoding)) == seen


def test_an_encoding_that_cannot_be_told_is_asked_for(tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes("source,target\n关闭阀门,close\n".encode("gb18030"))
    said = r"x\.csv is not UTF-8: line 2 has the byte 0xb9\. .*--encoding NAME.*cp932.*gb18030"
    with pytest.raises(ReaderError, match=said):
        read_pairs(path)
    assert read_pairs(path, encoding="gb18030").source_texts == ("关闭阀门",)


@pytest.mark.parametrize("named", ["cp932", "cp1252", "euc_jp"])
def test_utf_8_is_not_read_as_another_encoding(named, tmp_path):
    """Python would decode many of these bytes, and give other letters."""
    path = tmp_path / "x.csv"
    path.write_text("source,target\nété ça,弁\n", "utf-8")
    with pytest.raises(ReaderError, match=f"UTF-8.*Run again without --encoding|{named}"):
        read_pairs(path, encoding=named)
    path.write_text("source,target\na,b\n", "utf-8")
    assert len(read_pairs(path, encoding=named)) == 1


def test_a_narrower_encoding_than_the_files_names_the_wider_one(tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes("source,target\n①弁を締める,㈱\n".encode("cp932"))
    with pytest.raises(ReaderError, match="is not shift_jis; it reads as cp932"):
        read_pairs(path, encoding="shift_jis")


@pytest.mark.parametrize("name", ["sjis-win", "rot13", "hex", "a\x1bb", ""])
def test_an_unknown_encoding_is_refused_with_those_that_are_usual(name, tmp_path):
    (tmp_path / "x.csv").write_text("source,target\na,b\n")
    with pytest.raises(ReaderError, match=r"is not known; choose utf-8, cp932") as caught:
        read_pairs(tmp_path / "x.csv", encoding=name)
    assert str(caught.value).isprintable()
