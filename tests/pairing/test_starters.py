"""Starter sets: those that ship, and those that are built from checkouts of public sources."""

import json

import pytest
from typer.testing import CliRunner

import kakehashi
from kakehashi.cli import app
from kakehashi.errors import DataError, ReaderError
from kakehashi.pairing import build_starter, starter_pairs
from kakehashi.pairing.public_texts import as_read

PO = """msgid ""
msgstr ""
"Project-Id-Version: {project}\\n"
"Language: {language}\\n"
"Content-Type: text/plain; charset=UTF-8\\n"

#: ../../library/heapq.rst:2
msgid "{english}"
msgstr "{text}"

#, fuzzy
msgid "guessed"
msgstr "当て推量"

msgid "untranslated"
msgstr ""
"""
TLDR = "# tar\n\n> {}\n\n- {}\n\n`tar {{{{[-c|--create]}}}} {{{{{}}}}}`\n"
FILES = {
    "python-docs-ja/library/heapq.po": PO.format(
        project="Python 3.13",
        language="ja",
        english="Use :func:`~heapq.heappop` **once**::",
        text=":func:`~heapq.heappop` を **一度** 使います::",
    ),
    "django/conf/locale/ja/LC_MESSAGES/django.po": PO.format(
        project="django", language="ja", english="Enter a number.", text="整数を入力してください。"
    ),
    "django/conf/locale/fr/LC_MESSAGES/django.po": PO.format(
        project="django", language="fr", english="Enter a number.", text="Saisissez un nombre."
    ),
    "manpages-l10n/po/ja/man1/ls.1.po": PO.format(
        project="manpages-l10n 4.2",
        language="ja",
        english="B<ls> lists.",
        text="B<ls> は表示する。",
    ),
    "tldr/pages/common/tar.md": TLDR.format("Archiving utility.", "[c]reate:", "a"),
    "tldr/pages.ja/common/tar.md": TLDR.format("圧縮ツール。", "作成する：", "あ"),
    "ja-en.tsv": "1\tおはよう。\t2\tGood morning.\n3\tまたね。\t4\tSee you.\n",
    "own.csv": "source,target\n弁を開く,open the valve\n",
}


@pytest.fixture
def checkouts(tmp_path, monkeypatch):
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_pairs_that_ship():
    japanese, french = starter_pairs("ja-en"), starter_pairs("fr-en")
    assert (len(japanese), len(french)) == (1446, 911)
    exchanged = starter_pairs("en-ja")
    assert exchanged.target_texts == japanese.source_texts
    assert exchanged.groups == japanese.groups
    assert french.licence.startswith("CC BY 3.0 (the KiCad documentation's authors")
    assert kakehashi.pairing.starter_pairs is starter_pairs
    with pytest.raises(DataError, match="'xx-en' is no starter set; choose one of ja-en, fr-en"):
        starter_pairs("xx-en")


def test_every_kind_of_source_is_read_with_its_origin_and_licence(checkouts):
    kinds = ["python-docs-ja", "django", "manpages-l10n", "tldr", "ja-en.tsv"]
    found = build_starter("out.jsonl", kinds, "ja-en")
    assert {origin.partition(",")[0]: n for origin, n in found.items()} == {
        "Python documentation": 1,
        "Django": 1,
        "manpages-l10n": 1,
        "tldr-pages": 2,
        "Tatoeba": 2,
    }
    pairs = starter_pairs("out.jsonl")
    assert set(zip(pairs.source_texts, pairs.target_texts, strict=True)) == {
        ("heapq.heappop を 一度 使います:", "Use heapq.heappop once:"),
        ("整数を入力してください。", "Enter a number."),
        ("ls は表示する。", "ls lists."),
        ("圧縮ツール。", "Archiving utility."),
        ("作成する", "create"),
        ("おはよう。", "Good morning."),
        ("またね。", "See you."),
    }
    assert "CC BY 4.0 (tldr-pages, its contributors)" in pairs.licence
    assert "CC BY 2.0 FR (Tatoeba, its contributors)" in pairs.licence
    assert pairs.groups[0] == "python-docs-ja/library/heapq.po"
    assert pairs.name == "starter out"


def test_a_text_stands_once_and_is_short(checkouts):
    more = f"5\tやあ。\t6\tGood morning.\n7\t長い。\t8\t{'long ' * 103}\n9\tはい。\t10\tYes.\n"
    (checkouts / "more.tsv").write_text(more, encoding="utf-8")
    build_starter("out.jsonl", ["ja-en.tsv", "more.tsv"], "ja-en")
    texts = sorted(starter_pairs("out.jsonl").target_texts)
    assert texts == ["Good morning.", "See you.", "Yes."]


def test_the_other_direction_and_the_largest_number_of_pairs(checkouts):
    build_starter("out.jsonl", ["ja-en.tsv"], "en-ja", at_most=1)
    [row] = map(json.loads, (checkouts / "out.jsonl").read_text(encoding="utf-8").splitlines())
    assert row["source"] in ("Good morning.", "See you.")
    assert list(row) == ["source", "target", "group", "origin", "licence"]


@pytest.mark.parametrize(
    ("sources", "languages", "said"),
    [
        (["nowhere"], "ja-en", "nowhere does not exist"),
        (["own.csv"], "ja-en", "own.csv: its licence is not known; name it with licence="),
        (["tldr"], "de-en", "tldr has no folder pages.de"),
        (["django"], "de-en", "django has no text in 'de' and English"),
        (["tldr/pages"], "ja-en", "holds no PO files and no tldr-pages"),
        (["django"], "ja-fr", "languages='ja-fr': give two, one of them en"),
        (["django"], "en", "languages='en': give two"),
    ],
)
def test_what_cannot_be_built_writes_nothing(sources, languages, said, checkouts):
    with pytest.raises(DataError, match=said):
        build_starter("out.jsonl", sources, languages)
    with pytest.raises(DataError, match=r"out.csv: a starter set is a .jsonl file"):
        build_starter("out.csv", sources, languages)
    assert not list(checkouts.glob("out*"))


def test_another_file_of_pairs_is_no_starter_set(checkouts):
    (checkouts / "pairs.jsonl").write_text('{"source": "a", "target": "b"}\n')
    with pytest.raises(ReaderError, match=r"pairs\.jsonl, line 1: no pair of a starter set"):
        starter_pairs("pairs.jsonl")


def test_the_command_builds_a_set_that_keeps_a_licence_of_ones_own(checkouts):
    def run(*arguments):
        return CliRunner().invoke(app, ["starter", "build", *arguments])

    done = run("out.jsonl", "own.csv", "ja-en.tsv", "--licence", "in house")
    assert "1 pairs: own.csv\n2 pairs: Tatoeba, its contributors\n" in done.stdout
    assert "kakehashi fit PAIRS --starter out.jsonl" in done.stdout
    assert "in house (own.csv)" in starter_pairs("out.jsonl").licence
    again = run("out.jsonl", "own.csv")
    assert isinstance(again.exception, FileExistsError)
    found = run("out.jsonl", "ja-en.tsv", "--overwrite", "--json")
    assert json.loads(found.stdout)["pairs"] == {"Tatoeba, its contributors": 2}


def test_marks_are_taken_out():
    assert as_read("See :ref:`the docs <x>` and ``code`` [#note]_.") == "See the docs and code."
    assert as_read("B<ls> I<file> 2 * 3") == "ls file 2 * 3"
