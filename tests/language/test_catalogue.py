"""The catalogues agree with their compiled files, with the source, and in their places."""

import ast
from contextlib import suppress
from inspect import cleandoc
from pathlib import Path

import polib
import pytest

import kakehashi
from kakehashi.language.catalogue import FOLDER, catalogue
from kakehashi.language.template import Template

CATALOGUES = sorted(FOLDER.glob("*/LC_MESSAGES/*.po"))
OF_TYPER = {
    "Options",
    "Arguments",
    "Commands",
    "Show this message and exit.",
    "Install completion for the current shell.",
    "Show completion for the current shell, to copy it or customize the installation.",
}
SOURCE = Path(kakehashi.__file__).parent


def shape(message: str) -> str:
    """The words of a message, with ``{}`` for each place."""
    return "{}".join(Template(message).literals)


def parts(node: ast.expr) -> str:
    """The shape of a string of the source; no template where it is none."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(parts(v) if isinstance(v, ast.Constant) else "{}" for v in node.values)
    return ""


def strings_of_source() -> set[str]:
    found = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.Constant, ast.JoinedStr)) and (text := parts(node)):
                found |= {text, text.partition(" (")[0]}  # a finding of a file ends at its bracket
                if isinstance(node, ast.Constant):
                    paragraphs = cleandoc(text).split("\n\n")  # the help of a command
                    found |= {" ".join(paragraph.split()) for paragraph in paragraphs}
                    with suppress(ValueError):  # braces that are no places
                        found.add(shape(text))
    found |= OF_TYPER
    for path in SOURCE.rglob("*.html"):
        found.add(path.read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.name)
def test_the_compiled_file_agrees(path):
    compiled = path.with_suffix(".mo").read_bytes()
    assert compiled == polib.pofile(str(path)).to_binary(), "run `make messages`"


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.name)
def test_every_message_stands_in_the_source_and_keeps_its_places(path):
    source = strings_of_source()
    pages = [text for text in source if "<" in text]
    for entry in polib.pofile(str(path)):
        message = entry.msgid
        assert shape(message) in source or any(message in page for page in pages), message
        assert entry.msgstr, message
        assert not entry.fuzzy, message
        english, other = Template(message), Template(entry.msgstr)
        assert sorted(english.places) == sorted(other.places), message


def test_no_message_stands_in_two_catalogues():
    messages = [entry.msgid for path in CATALOGUES for entry in polib.pofile(str(path))]
    assert len(messages) == len(set(messages)) == len(catalogue("ja"))
