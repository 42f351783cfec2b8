"""The demo runs, and every snippet of the READMEs runs beside what it leaves."""

import csv
import json
import os
import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import pytest

from kakehashi.demo import pipeline
from kakehashi.demo.inputs import encoders, split
from kakehashi.demo.pipeline import _examples
from kakehashi.encoders import as_encoder

ROOT = Path(__file__).parents[2]
READMES = ["README.md", "README.ja.md"]
PLACES = ("*.md", ".github/**/*.md", "benchmarks/**/*.md", "docs/**/*.md", "src/**/*.md")
PLACES += ("tests/**/*.md", "packages/**/*.md")
DOCUMENTS = sorted(str(path.relative_to(ROOT)) for place in PLACES for path in ROOT.glob(place))
CODE = [
    f"/{path.relative_to(ROOT)}"
    for place in ("src/kakehashi", "benchmarks", "tests", "docs")
    for path in (ROOT / place).rglob("*.py")
]

# Runs each snippet in a namespace of its own. One process imports the libraries once for all.
RUN_EACH = """
import json, sys
for code in json.load(sys.stdin):
    exec(compile(code, "snippet", "exec"), {"__name__": "__main__"})
    print(end="\\0", flush=True)
"""


# Tests beside the demo's folder run in one worker. The others work meanwhile, and wait for nothing.
beside_the_demo = pytest.mark.xdist_group("demo")


def document(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def snippets(name: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", document(name), re.DOTALL | re.MULTILINE)


def run(command: list, folder: Path, given: str | None = None) -> str:
    """Run a command with this environment first on the path, and return what it prints."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        command,
        cwd=folder,
        input=given,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture
def folder(newcomer) -> Path:
    """A folder in which the demo was run, with its table as JSON."""
    return newcomer


@beside_the_demo
@pytest.mark.slow
def test_the_demo_beats_the_pipeline_as_it_was_and_bm25(folder):
    result = json.loads((folder / "demo.json").read_text())
    rows = {name: row["recall@1"] for name, row in result["rows"].items()}
    assert max(rows["before"], rows["BM25"]) + 0.5 < rows["after, keep"] < rows["after, rescored"]
    assert rows["after, rescored"] == pytest.approx(rows["after, shared"], abs=0.02)
    assert max(rows["after, rescored"], rows["after, shared"]) < rows["ceiling"]
    assert len(result["questions"]) == 6
    for question in result["questions"]:
        hits = question["hits"]
        assert hits["before, LangChain"] == hits["before, LlamaIndex"]
        assert hits["after, LangChain"] == hits["after, LlamaIndex"]
        found = [hits[f"{when}, LangChain"] == question["wanted"] for when in ("before", "after")]
        assert found[0] != found[1]
    gained = result["rows"]["after, rescored"]["recall@1"] - result["rows"]["before"]["recall@1"]
    n_queries = sum(1 for _ in (folder / "kakehashi-demo" / "test.jsonl").open())
    assert result["gained"] - result["lost"] == pytest.approx(gained * n_queries)


def test_the_demos_vectors_are_found_again_by_the_encoders_of_the_readme(minilm, use):
    assert [encoder.name for encoder in encoders()] == [
        as_encoder(use).name,
        as_encoder(minilm).name,
    ]


def test_the_demos_examples_differ_and_come_from_different_sections():
    _, test = split()
    differs = np.arange(len(test)) % 3 == 1
    rows = _examples(test, differs)
    assert len({test.groups[row] for row in rows}) == len(rows) == 6
    assert differs[rows].all()
    assert rows == sorted(rows) == _examples(test, differs)
    assert _examples(test, np.zeros(len(test), bool)) == []


@pytest.mark.slow
def test_a_second_demo_says_the_same(tmp_path, monkeypatch):
    """It runs over what the first left, on the first one's vectors; a tenth of the pairs do."""
    train, test = (part.select(range(0, len(part), 10)) for part in split())
    monkeypatch.setattr(pipeline, "split", lambda: (train, test))
    first, second = (pipeline.run(tmp_path / "kakehashi-demo") for _ in range(2))
    for name, row in first.rows.items():  # Chroma's search is approximate
        recall = row.means["recall@1"]
        assert second.rows[name].means["recall@1"] == pytest.approx(recall, abs=0.01)


@beside_the_demo
@pytest.mark.slow
def test_python_snippets_run_and_print_what_they_say(folder):
    codes = snippets("README.md", "python")
    output = run([sys.executable, "-c", RUN_EACH], folder, json.dumps(codes)).split("\0")
    for code, printed in zip(codes, output[:-1], strict=True):
        expected = re.findall(r"^print\(.*\)  # (.+)$", code, re.MULTILINE)
        assert expected
        assert printed.splitlines() == expected


@beside_the_demo
@pytest.mark.slow
def test_commands_run(folder):
    """The block of commands, as it stands, on a file as Excel saves it."""
    [block] = [b for b in snippets("README.md", "bash") if "kakehashi fit" in b]
    pairs = [json.loads(line) for line in (folder / "kakehashi-demo/train.jsonl").open()][::12]
    with (folder / "pairs.csv").open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, ["source", "target", "group"])
        writer.writeheader()
        writer.writerows(pairs)
    printed = run(["bash", "-euo", "pipefail", "-c", block], folder)
    assert printed.splitlines()[-1] == "report.html is written."
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "pairs.csv" in page
    assert str(len(pairs)) in page


@beside_the_demo
@pytest.mark.slow
def test_the_picture_is_up_to_date(folder):
    """A second processor rounds differently, and may find a query or two more."""
    printed = run(
        [sys.executable, str(ROOT / "docs/picture.py"), "kakehashi-demo", "p.svg"], folder
    )
    drawn, committed = (
        [float(share) for share in re.findall(r">(?:before|after): ([\d.]+)%", path.read_text())]
        for path in (folder / "p.svg", ROOT / "docs/before_after.svg")
    )
    recall = [100 * float(share) for share in re.findall(r"recall@1 ([\d.]+)", printed)]
    assert len(recall) == 2
    assert drawn == pytest.approx(recall, abs=0.06)
    assert committed == pytest.approx(drawn, abs=1)
    before = json.loads((folder / "demo.json").read_text())["rows"]["before"]["recall@1"]
    assert drawn[0] == pytest.approx(100 * before, abs=0.5)  # Chroma's search is approximate


@beside_the_demo
@pytest.mark.parametrize("name", READMES)
def test_the_readmes_say_what_the_demo_prints(name, folder):
    [line] = [
        line for line in document(name).splitlines() if "`make demo`" in line and "BM25" in line
    ]
    said = [float(figure) for figure in re.findall(r"(?<!\d)\.\d{3}\b", line)]
    rows = json.loads((folder / "demo.json").read_text())["rows"]
    # Near ties between settings fall otherwise where vectors round otherwise: here the cache also
    # holds what other tests encoded, in other batches.
    assert said == pytest.approx([row["recall@1"] for row in rows.values()], abs=0.02)


def test_the_two_readmes_have_the_same_code():
    def bare(name):
        blocks = re.findall(r"^```\w+\n.*?^```$", document(name), re.DOTALL | re.MULTILINE)
        return [re.sub(r" +#.*", "", block) for block in blocks]

    assert bare(READMES[0]) == bare(READMES[1])


def test_the_readmes_figures_stand_in_the_results():
    def figures(name):
        rows = [line for line in document(name).splitlines() if line.startswith("|")]
        found = [re.findall(r"(?<!\d)\.\d{3}\b", row) for row in rows]
        return [row for row in found if row]

    assert figures(READMES[0]) == figures(READMES[1])
    results = [set(row) for row in figures("docs/results.md")]
    for row in figures(READMES[0]):
        assert any(set(row) <= result for result in results), row


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_and_named_files_exist(name):
    text = document(name)
    for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        assert link.startswith("http") or ((ROOT / name).parent / link).exists(), link
    if name == "CHANGELOG.md":  # it names files that are gone, too
        return
    for named in re.findall(r"[\w*][\w*./-]*\.py\b", text):
        assert any(fnmatch(path, f"*/{named}") for path in CODE), named


def test_every_promise_of_the_security_policy_names_tests_that_exist():
    rows = [line.split("|")[1:-1] for line in document("SECURITY.md").splitlines() if "|" in line]
    promises = {row[0].strip(): re.findall(r"`(\w+)`", row[1]) for row in rows[2:]}
    files = (ROOT / "tests").rglob("test_*.py")
    code = "\n".join(path.read_text(encoding="utf-8") for path in files)
    tests = set(re.findall(r"^\s*(?:async )?def (test_\w+)\(", code, re.MULTILINE))
    assert len(promises) > 10
    for promise, names in promises.items():
        assert names, f"no test keeps: {promise}"
        assert set(names) <= tests, promise
