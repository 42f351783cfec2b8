"""Strings of others: nothing in them reaches a terminal, a message or a web page unseen."""

import html
import json

import pytest

from kakehashi.cli.report import this_command
from kakehashi.data.index import as_index
from kakehashi.errors import DataError
from kakehashi.printable import (
    markdown,
    printable,
    printable_json,
    printable_lines,
    without_password,
)

ESCAPE = "\x1b[2J\x1b]52;c;aGk=\x07"
"""Clears a terminal and writes to the clipboard."""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("all-MiniLM-L6-v2", "all-MiniLM-L6-v2"),
        ("弁３を　開く", "弁３を　開く"),
        ("naïve 👩‍🔧 می‌خواهم", "naïve 👩‍🔧 می‌خواهم"),
        (ESCAPE, r"\x1b[2J\x1b]52;c;aGk=\x07"),
        ("a\nfingerprint  0000", r"a\nfingerprint  0000"),
        ("\x9b31m", r"\x9b31m"),
        ("safe\u202egnp.exe", r"safe\u202egnp.exe"),
        ("\u2028\u2029\ufeff\udcff", r"\u2028\u2029\ufeff\udcff"),
        (12, "12"),
    ],
)
def test_what_cannot_be_seen_is_written_as_an_escape(text, shown):
    assert printable(text) == shown


def test_lines_that_are_ours_stay_lines():
    assert printable_lines("one\ntwo\x1b") == "one\ntwo\\x1b"


def test_json_is_printable_and_parses_to_the_same_value():
    value = {"name": ESCAPE + "\x9b\u202e\U000e0001弁\x7f", "n": [1, "\n"]}
    shown = printable_json(json.dumps(value, ensure_ascii=False))
    assert json.loads(shown) == value
    assert shown.isprintable()
    assert "弁" in shown


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "[a](javascript:alert(1))",
        "![](http://example.org/x.png)",
        "a | b",
        "`code`",
        "&lt;b&gt;",
        "a\n# heading",
        "\\[a](b)",
    ],
)
def test_markdown_shows_a_string_as_it_stands(text):
    markdown_it = pytest.importorskip("markdown_it")
    rendered = markdown_it.MarkdownIt("commonmark", {"html": True}).renderInline(markdown(text))
    assert not any(tag in rendered for tag in ("<script", "<a ", "<img", "<code", "<h1"))
    assert html.unescape(rendered) == printable(text)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("postgres://me:secret@h:5432/db?table=t", "postgres://me@h:5432/db?table=t"),
        ("postgres://me:sec/r@t@h/db", "postgres://me@h/db"),
        ("postgres://me@h/db?password=secret&table=t", "postgres://me@h/db?password=&table=t"),
        ("postgres://me@h:5432/db?table=a", "postgres://me@h:5432/db?table=a"),
        ("chroma://h:8000?collection=x", "chroma://h:8000?collection=x"),
    ],
)
def test_an_address_is_shown_without_its_password(given, shown):
    assert without_password(given) == shown


def test_a_command_on_a_page_holds_no_password(monkeypatch):
    command = ["kakehashi", "fit", "pairs.csv", "--index", "postgres://me:secret@h/db?table=t"]
    monkeypatch.setattr("sys.argv", command)
    assert this_command() == "kakehashi fit pairs.csv --index 'postgres://me@h/db?table=t'"
    with pytest.raises(DataError) as caught:
        as_index(command[-1], "index")
    assert "secret" not in str(caught.value)
