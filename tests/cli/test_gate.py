"""`kakehashi gate`: exit codes, summary, JUnit XML and JSON on a real aligner."""

import json
from xml.etree import ElementTree

import pytest
from support.cipher import cipher_aligner, ciphered
from support.command_line import run
from support.pairs_files import write_pairs
from typer.testing import CliRunner

from kakehashi.cli import app
from kakehashi.cli.gate_files import Subject, junit_of, summary_of
from kakehashi.errors import DataError
from kakehashi.evaluation.gate import Check, Gate

LETTERS = ("--source-encoder", "support.toy_data:hashed_letters")
LETTERS += ("--target-encoder", "support.toy_data:hashed_letters")
slow = pytest.mark.slow


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gate")
    good = cipher_aligner(120)
    good.save(folder / "bridge")
    cipher_aligner(60, shuffled=True).save(folder / "worse")
    write_pairs(folder / "train.jsonl", ciphered(120))
    write_pairs(folder / "test.jsonl", ciphered(60, seed=9))
    return folder


@pytest.fixture
def gate(files, monkeypatch):
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)

    def ask(*options, aligner="bridge", pairs="test.jsonl"):
        command = ["gate", files / aligner, files / pairs, *LETTERS, *options]
        return CliRunner().invoke(app, [str(word) for word in command])

    return ask


@slow
def test_without_a_demand_it_is_held_against_a_search_without_it(gate):
    done = gate()
    assert done.exit_code == 0
    assert "passes: no worse than untouched vectors (" in done.stdout
    assert done.stdout.endswith("gate: passes\n")


@slow
def test_a_worse_aligner_falls_short_and_the_files_say_so(gate, files, tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "github.md"))
    done = gate(
        *("--against", files / "bridge", "--min", "recall@1=.01", "--json"),
        *("--summary", tmp_path / "gate.md", "--junit", tmp_path / "gate.xml"),
        aligner="worse",
    )
    assert done.exit_code == 1
    record = json.loads(done.stdout.splitlines()[-1])
    assert record["outcome"] == "falls short"
    assert record["checks"][1]["demand"] == f"no worse than {files / 'bridge'}"
    assert record["checks"][1]["outcome"] == "falls short"
    summary = (tmp_path / "gate.md").read_text("utf-8")
    assert summary.startswith("## ❌ Gate: falls short\n")
    assert (tmp_path / "github.md").read_text("utf-8") == summary
    suites = ElementTree.parse(tmp_path / "gate.xml").getroot()
    assert (suites.tag, suites.get("tests"), suites.get("failures")) == ("testsuites", "2", "1")


@slow
def test_questions_that_cannot_tell_have_an_exit_code_of_their_own(gate):
    """The aligner knows these pairs by heart."""
    assert gate("--min", "recall@1=.5", pairs="train.jsonl").exit_code == 3
    done = gate("--min", "recall@1=.5", "--cannot-tell", "pass", pairs="train.jsonl")
    assert done.exit_code == 0
    assert "gate: cannot tell" in done.stdout
    assert "the pairs cannot judge" in done.stdout


@slow
def test_it_speaks_japanese(gate, tmp_path):
    done = gate(
        "--lang", "ja", "--min", "recall@1=.4", "--no-worse", "--summary", tmp_path / "g.md"
    )
    assert done.exit_code == 0
    assert "\nゲート: 合格\n" in done.stdout
    summary = (tmp_path / "g.md").read_text("utf-8")
    assert "| 条件 | 結果 |" in summary
    assert "untouched" not in summary


@slow
def test_what_is_wrong_with_a_command_ends_with_two(files):
    done = run("gate", files / "bridge", files / "test.jsonl", "--min", "recall@3=1")
    assert done.returncode == 2
    assert "--min 'recall@3=1' is no demand" in done.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--summary", "missing"), "is a folder"),
        (("--junit", "missing/../test.jsonl"), "is read by this command"),
        (("--tolerance", "nan"), "tolerance=nan"),
    ],
)
def test_what_cannot_be_written_is_refused_before_anything_is_loaded(
    options, said, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "missing").mkdir()
    (tmp_path / "test.jsonl").write_text("mine")
    command = ["gate", "no-aligner", "test.jsonl", *options]
    with pytest.raises((OSError, DataError), match=said):
        CliRunner().invoke(app, command, catch_exceptions=False)
    assert (tmp_path / "test.jsonl").read_text() == "mine"


@slow
def test_a_summary_that_github_cannot_take_decides_nothing(gate, tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "no" / "such" / "folder.md"))
    done = gate("--min", "recall@1=.01", "--junit", tmp_path / "gate.xml")
    assert done.exit_code == 0
    assert "note: no summary for GitHub: " in done.stderr
    assert (tmp_path / "gate.xml").exists()


def gate_of(*outcomes, aligner="bridge"):
    checks = [
        Check(f"d{i}", "recall@1", 0.5, (0.4, 0.6), 0.55, outcome, f"because {i} \x1b[31m <b>")
        for i, outcome in enumerate(outcomes)
    ]
    return Subject(aligner, "pairs|<script>.csv", Gate(tuple(checks), "keep", 60, 400, ("a note",)))


def test_junit_has_the_attributes_that_its_readers_ask_for():
    subject = gate_of(
        "passes", "falls short", "cannot tell", aligner="<&\x00\x1b\ufffe\uffff\ud800"
    )
    suites = ElementTree.fromstring(junit_of(subject))
    [suite] = suites
    counts = {"tests": "3", "failures": "1", "errors": "0", "skipped": "1", "time": "0"}
    for each in (suites, suite):
        assert {name: each.get(name) for name in counts} == counts
        assert each.get("name")
    assert [[child.tag for child in case] for case in suite] == [[], ["failure"], ["skipped"]]
    for case in suite:
        assert case.tag == "testcase"
        assert all(case.get(name) for name in ("name", "classname", "time"))
    assert suite[1][0].get("message").startswith("because 1")
    assert suite[1][0].get("type") == "gate"
    assert suite[2][0].get("message").startswith("because 2")


def test_names_of_others_are_letters_in_the_summary():
    text = summary_of(gate_of("passes", "cannot tell"))
    assert "<" not in text
    assert "\x1b" not in text
    assert "pairs\\|&lt;script>.csv" in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {row.replace("\\|", "").count("|") for row in rows} == {6}
    assert "- d1: because 1" in text
    assert text.endswith("- a note\n")
