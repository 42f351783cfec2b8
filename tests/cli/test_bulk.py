"""`kakehashi bulk`: what it says at its end can be pasted, and opens the folder."""

import os
import shlex

import pytest
from support.command_line import BOTH_ENCODERS
from support.parquet_files import write_texts
from typer.testing import CliRunner

from kakehashi.cli import after_bulk
from kakehashi.cli.app import app


@pytest.fixture
def bulk(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = write_texts(tmp_path / "in.parquet", vectors=True)

    def run(aligner, *options, lang="en"):
        command = ["--lang", lang, "bulk", source, "a moved%20one", "--aligner", aligner.path]
        options = [*options, *BOTH_ENCODERS[2:]]
        done = CliRunner().invoke(app, [*map(str, command), *options], catch_exceptions=False)
        return done.stdout.splitlines()

    return run


def search(line):
    words = shlex.split(line.replace("NAME", BOTH_ENCODERS[1]).replace("QUESTION", "drain"))
    assert words[0] == "kakehashi"
    done = CliRunner().invoke(app, [*words[1:], "-k", "3"], catch_exceptions=False)
    return [row for row in done.stdout.splitlines() if row.lstrip()[:1].isdigit()]


def test_ends_with_the_command_that_asks_the_folder(bulk, text_aligner):
    *_, said, line = bulk(text_aligner)
    assert said == "Ask the index a question:"
    assert "--source-encoder NAME" in line  # which the aligner cannot load by itself
    assert len(search(line)) == 3


def test_the_second_map_is_saved_first(bulk, keeping_aligner):
    *_, said, first, second, _, line = bulk(keeping_aligner, "--second-map")
    assert said == "Save the aligner of this index, in Python:"
    exec(f"{first.strip()}\n{second.strip()}")
    assert os.path.isdir("shared-aligner")
    assert "search shared-aligner " in line
    assert len(search(line)) == 3


def test_many_rows_are_not_to_be_searched_in_memory(bulk, text_aligner, monkeypatch):
    monkeypatch.setattr(after_bulk, "_IN_MEMORY", 80)
    *_, said, _ = bulk(text_aligner)
    assert said.startswith("Load the folder into a store")


def test_speaks_japanese(bulk, keeping_aligner):
    said = bulk(keeping_aligner, "--second-map", lang="ja")
    ours = [line for line in said if not line.startswith("    ")]
    assert len(ours) == 3
    assert all("索引" in line or "ファイル" in line for line in ours)
