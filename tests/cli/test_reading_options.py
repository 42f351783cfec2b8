"""--encoding and --sheet, which all commands that read pairs share."""

import csv
import json

import openpyxl
import pytest
from support.command_line import BOTH_ENCODERS
from support.toy_data import machine_pairs
from typer.main import get_command
from typer.testing import CliRunner

from kakehashi.cli.app import app
from kakehashi.errors import ReaderError

COLUMNS = ("--source", "和文", "--target", "英文")


@pytest.fixture
def files(tmp_path):
    """The same pairs as a spreadsheet's second sheet, and as a CSV of Japanese Windows."""
    pairs = machine_pairs()
    rows = [["和文", "英文"], *zip(pairs.source_texts, pairs.target_texts, strict=True)]
    with (tmp_path / "pairs.csv").open("w", encoding="cp932", newline="") as file:
        csv.writer(file).writerows(rows)
    book = openpyxl.Workbook()
    sheet = book.create_sheet("対訳")
    for row in rows:
        sheet.append(row)
    book.save(tmp_path / "pairs.xlsx")
    return (tmp_path / "pairs.csv", "--encoding", "cp932"), (
        tmp_path / "pairs.xlsx",
        "--sheet",
        "対訳",
    )


def invoke(*arguments):
    done = CliRunner().invoke(app, list(map(str, arguments)))
    if done.exception is not None:
        raise done.exception
    return done.stdout


def test_a_windows_csv_and_a_spreadsheet_give_the_same_scores(files, text_aligner):
    command = ("evaluate", text_aligner.path, *COLUMNS, *BOTH_ENCODERS, "--json")
    scores = [json.loads(invoke(*command, *read)) for read in files]
    assert scores[0] == scores[1]
    assert scores[0]["n_queries"] == 80
    for (path, *_), said in zip(files, ("reads as cp932", "Other sheets"), strict=True):
        with pytest.raises(ReaderError, match=said):
            invoke(*command, path)


def test_they_reach_every_file_of_a_fit(files, tmp_path):
    for path, *options in files:
        command = ("fit", path, "--out", tmp_path / "a", *COLUMNS, *BOTH_ENCODERS, "--dry-run")
        others = ("--test", path, "--validation", path, "--index", path, "--learn", "10", "--json")
        assert json.loads(invoke(*command, *others, *options))["total"]["texts"] > 0


def test_every_command_that_reads_pairs_has_both():
    commands = get_command(app).commands
    reading = {
        name: {option for parameter in command.params for option in parameter.opts}
        for name, command in commands.items()
        if any(parameter.metavar in ("PAIRS", "[PAIRS]") for parameter in command.params)
    }
    assert {"fit", "evaluate", "compare", "curve", "robustness", "report"} <= set(reading)
    for name, options in reading.items():
        assert {"--encoding", "--sheet"} <= options, name
