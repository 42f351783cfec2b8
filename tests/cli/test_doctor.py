"""`kakehashi doctor`: exit codes, the table and JSON."""

import json
import re

from rich.cells import cell_len
from support.indices import chroma_index, numbered_texts, random_units
from support.toy_data import hashed_letters
from typer.testing import CliRunner

from kakehashi.cli import app


def doctor(*arguments):
    return CliRunner().invoke(app, ["doctor", *map(str, arguments)])


JAPANESE = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")
ENGLISH = re.compile(r"\b(the|of|is|are|and|that|were|with|by|not)\b")


def test_the_exit_code_says_what_the_findings_come_to(tmp_path):
    vectors = random_units(30)
    healthy = doctor(chroma_index(tmp_path, vectors, numbered_texts(30)))
    assert (healthy.exit_code, healthy.stdout.splitlines()[-1]) == (0, "doctor: healthy")
    vectors[0] = 0
    broken = doctor(chroma_index(tmp_path, vectors, numbered_texts(30), name="broken"))
    assert (broken.exit_code, broken.stdout.splitlines()[-1]) == (1, "doctor: at fault")
    empty = doctor(chroma_index(tmp_path, vectors[:0], [], name="empty"))
    assert (empty.exit_code, empty.stdout.splitlines()[-1]) == (3, "doctor: cannot tell")


def test_json_holds_every_finding(tmp_path):
    done = doctor(chroma_index(tmp_path, random_units(30), numbered_texts(30)), "--json")
    found = json.loads(done.stdout)
    assert found["outcome"] == "healthy"
    assert {"size", "dimension", "lengths"} <= {each["about"] for each in found["findings"]}


def test_the_table_fits_80_columns(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    vectors = random_units(30)
    vectors[0] = 0
    lines = doctor(chroma_index(tmp_path, vectors, numbered_texts(30))).stdout.splitlines()
    assert max(map(cell_len, lines[1:])) <= 80


def test_it_speaks_japanese_in_80_columns(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    texts = [*numbered_texts(60), *(f"バルブ{i}を回す。" for i in range(60))]
    vectors = hashed_letters(texts)
    vectors[0] = 0
    address = chroma_index(tmp_path, vectors, texts)
    encoder = ("--encoder", "support.toy_data:hashed_letters")
    done = CliRunner().invoke(app, ["--lang", "ja", "doctor", address, *encoder])
    lines = done.stdout.splitlines()[1:]
    assert lines[-1] == "診断: 異常あり"
    assert max(map(cell_len, lines)) <= 80
    assert not [line for line in lines if ENGLISH.search(line)]
    assert json.loads(doctor(address, "--json", *encoder).stdout)["outcome"] == "at fault"


def test_its_help_is_japanese(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    shown = CliRunner().invoke(app, ["--lang", "ja", "doctor", "--help"]).output
    assert not [line for line in shown.splitlines() if ENGLISH.search(line)]
    assert JAPANESE.search(shown)
