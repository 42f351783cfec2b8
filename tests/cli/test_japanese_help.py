"""Help in Japanese: complete for the commands of an operator, and inside 80 columns."""

import re

import pytest
from rich.cells import cell_len
from typer.testing import CliRunner

from kakehashi.cli.app import app

JAPANESE = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")
ENGLISH = re.compile(r"\b(the|of|is|are|and|that|with|by|to|for)\b")
OPERATORS = ("bulk", "fit", "evaluate", "info", "search", "compare", "curve", "migrate")


def help_of(*command):
    return CliRunner().invoke(app, ["--lang", "ja", *command, "--help"]).output


@pytest.mark.parametrize("command", ["", *OPERATORS])
def test_help_is_japanese_and_fits(command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    shown = (
        help_of(*command.split()).replace("mind-the-gap", "mind_the_gap").replace("--to ", "--in ")
    )
    assert "…" not in shown
    assert {cell_len(line) for line in shown.splitlines() if line.startswith("│")} == {80}
    assert not [line for line in shown.splitlines() if ENGLISH.search(line)]
    assert "─ オプション ─" in shown


def test_english_help_follows_japanese_help(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert JAPANESE.search(help_of("fit"))
    assert not JAPANESE.search(CliRunner().invoke(app, ["fit", "--help"]).output)
