"""The habits of a command line: help that fits a terminal, completion, version, language."""

import io
import os
import subprocess
import sys

import pytest
from typer.main import get_command
from typer.testing import CliRunner

import kakehashi
from kakehashi.cli import main
from kakehashi.cli.app import app, spoken
from kakehashi.cli.options import EXPERTS, READING, SOURCES

COMMANDS = sorted(get_command(app).commands)


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_fits_eighty_columns_without_a_word_cut_off(command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    shown = CliRunner().invoke(app, [*command.split(), "--help"]).output
    assert "…" not in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_what_everybody_needs_comes_first_in_the_help_of_fit(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    shown = CliRunner().invoke(app, ["fit", "--help"]).output
    titles = ["─ Options", f"─ {READING}", f"─ {SOURCES}", f"─ {EXPERTS}"]
    places = [shown.index(title) for title in titles]
    assert places == sorted(places)
    first = shown[places[0] : places[1]]
    assert all(option in first for option in ("--out", "--source-encoder", "--target-encoder"))
    assert len(first.splitlines()) <= 20


def test_version():
    assert CliRunner().invoke(app, ["--version"]).stdout.strip() == kakehashi.__version__


@pytest.mark.parametrize(
    ("typed", "offered"), [("ev", "evaluate"), ("fit --source-", "--source-encoder")]
)
def test_a_shell_completes_commands_and_options(typed, offered):
    words = ["kakehashi", *typed.split()]
    asked = {"COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}
    done = subprocess.run(
        [sys.executable, "-c", "from kakehashi.cli import app; app(prog_name='kakehashi')"],
        env={**os.environ, **asked, "_KAKEHASHI_COMPLETE": "complete_bash"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert offered in done.stdout.split(), done.stderr


@pytest.mark.parametrize(
    ("arguments", "variables", "begins"),
    [
        ((), {"KAKEHASHI_LANG": "en"}, "error: "),
        ((), {"KAKEHASHI_LANG": "ja"}, "エラー: "),
        (("--lang", "en"), {"KAKEHASHI_LANG": "ja"}, "error: "),
        (("--lang", "ja"), {"KAKEHASHI_LANG": "en"}, "エラー: "),
        ((), {"KAKEHASHI_LANG": "", "LANG": "ja_JP.UTF-8", "LC_ALL": ""}, "エラー: "),
    ],
)
def test_the_language_is_that_of_the_option_the_variable_or_the_locale(
    arguments, variables, begins, monkeypatch, capsys
):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["kakehashi", *arguments, "info", "none"])
    with pytest.raises(SystemExit):
        main()
    assert capsys.readouterr().err.startswith(begins)


def test_where_japanese_cannot_be_printed_the_locale_gets_english(monkeypatch):
    for name in ("KAKEHASHI_LANG", "LC_ALL"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("LANG", "ja_JP.UTF-8")
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    assert spoken(None) == "en"
    assert spoken("ja") == "ja"


def test_a_language_without_messages_is_refused():
    done = CliRunner().invoke(app, ["--lang", "de", "info", "x"])
    assert done.exit_code == 2
    assert "'de' is none" in done.output
