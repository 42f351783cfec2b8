"""The GitHub Action: its steps run in bash, on a real aligner, as a runner would run them."""

import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from support.cipher import cipher_aligner, ciphered
from support.pairs_files import write_pairs

ROOT = Path(__file__).parents[2]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
STEPS = {step["name"]: step for step in ACTION["runs"]["steps"] if "name" in step}
LETTERS = "--source-encoder support.toy_data:hashed_letters --target-encoder "
LETTERS += "'support.toy_data:hashed_letters'"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("action")
    cipher_aligner(120).save(folder / "my aligner")
    write_pairs(folder / "questions.jsonl", ciphered(60, seed=9))
    return folder


def run_step(name, folder, **inputs):
    """Run a step with its inputs; those that are not given have their defaults."""
    known = {key.replace("-", "_"): each.get("default") for key, each in ACTION["inputs"].items()}
    assert inputs.keys() <= known.keys()
    given = {**known, **inputs}
    own = {
        variable: re.sub(r"\$\{\{ inputs\.([\w-]+) }}", lambda m: given[m[1].replace("-", "_")], of)
        for variable, of in STEPS[name]["env"].items()
    }
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    found = os.pathsep.join([str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")])
    github = {
        "GITHUB_OUTPUT": str(folder / "output"),
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
    }
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", STEPS[name]["run"]]
    environment = {**os.environ, **github, **own, "PATH": path, "PYTHONPATH": found}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_the_report_is_written_although_the_gate_stops_the_aligner(folder):
    inputs = {"aligner": "my aligner", "pairs": "questions.jsonl", "options": LETTERS}
    demands = "recall@1=.2\nmrr@10=1"
    gate = run_step("Gate", folder, **inputs, min=demands, no_worse="true", lang="ja")
    assert gate.returncode == 1, gate.stderr[-2000:]
    assert (folder / "output").read_text("utf-8") == "exit-code=1\n"
    summary = (folder / "summary.md").read_text("utf-8")
    assert "ゲート: 不合格" in summary
    assert summary == (folder / "kakehashi-gate/gate.md").read_text("utf-8")
    suites = ElementTree.parse(folder / "kakehashi-gate/gate.xml").getroot()
    assert (suites.get("tests"), suites.get("failures")) == ("4", "1")
    report = run_step("Report", folder, **inputs, lang="ja")
    assert report.returncode == 0, report.stderr[-2000:]
    page = (folder / "kakehashi-gate/report.html").read_text("utf-8")
    assert '<html lang="ja">' in page


@pytest.mark.slow
@pytest.mark.parametrize(
    "inputs",
    [
        {"aligner": "--help", "options": LETTERS},
        {"aligner": "my aligner", "options": f"{LETTERS} --trained-on 'open"},
    ],
)
def test_no_input_turns_the_gate_into_a_command_that_passes(inputs, folder):
    """A folder that is named like an option is none, and options are never left out in silence."""
    done = run_step("Gate", folder, pairs="questions.jsonl", **inputs)
    assert done.returncode not in (0, 3), done.stdout[-2000:]


def test_inputs_reach_the_shell_as_variables_only():
    for step in STEPS.values():
        assert "${{" not in step["run"]
        for variable, given in step["env"].items():
            if (name := re.search(r"inputs\.([\w-]+)", given)) is not None:
                assert name[1] in ACTION["inputs"], variable


def test_every_step_after_the_gate_runs_when_it_fails():
    steps = ACTION["runs"]["steps"]
    [gate] = [number for number, step in enumerate(steps) if step.get("id") == "gate"]
    assert len(steps) > gate + 1
    for step in steps[gate + 1 :]:
        assert "!cancelled()" in step["if"]
