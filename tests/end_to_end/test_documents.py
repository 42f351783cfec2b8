"""The demo runs, and every snippet of the READMEs runs beside what it leaves."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kakehashi.demo.pipeline import _encoders, _examples, split
from kakehashi.encoders import as_encoder

ROOT = Path(__file__).parents[2]
READMES = ["README.md", "README.ja.md"]
DOCUMENTS = [*READMES, *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))]


def snippets(name: str, language: str) -> list[str]:
    text = (ROOT / name).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder in which the demo was run, with its table as JSON."""
    folder = tmp_path_factory.mktemp("newcomer")
    kakehashi = Path(sys.executable).with_name("kakehashi")
    (folder / "demo.json").write_text(run([str(kakehashi), "demo", "--json"], folder))
    return folder


def test_the_demo_beats_the_pipeline_as_it_was_and_bm25(folder):
    result = json.loads((folder / "demo.json").read_text())
    rows = {name: row["recall@1"] for name, row in result["rows"].items()}
    assert max(rows["before"], rows["BM25"]) + 0.5 < rows["after, keep"] <= rows["after, shared"]
    assert rows["after, shared"] < rows["ceiling"]
    assert len(result["questions"]) == 6
    for question in result["questions"]:
        hits = question["hits"]
        assert hits["before, LangChain"] == hits["before, LlamaIndex"]
        assert hits["after, LangChain"] == hits["after, LlamaIndex"]
        found = [hits[f"{when}, LangChain"] == question["wanted"] for when in ("before", "after")]
        assert found[0] != found[1]
    gained = result["rows"]["after, keep"]["recall@1"] - result["rows"]["before"]["recall@1"]
    n_queries = sum(1 for _ in (folder / "kakehashi-demo" / "test.jsonl").open())
    assert result["gained"] - result["lost"] == pytest.approx(gained * n_queries)


def test_the_demos_vectors_are_found_again_by_the_encoders_of_the_readme(minilm, use):
    assert [encoder.name for encoder in _encoders()] == [
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


def test_a_second_demo_says_the_same(folder):
    kakehashi = Path(sys.executable).with_name("kakehashi")
    first = json.loads((folder / "demo.json").read_text())
    second = json.loads(run([str(kakehashi), "demo", "--json"], folder))
    for name, row in first["rows"].items():  # Chroma's search is approximate
        assert second["rows"][name]["recall@1"] == pytest.approx(row["recall@1"], abs=0.01)


def test_python_snippets_run_and_print_what_they_say(folder):
    for code in snippets("README.md", "python"):
        printed = run([sys.executable, "-c", code], folder)
        for said in re.findall(r"^print\(.*\)  # (.+)$", code, re.MULTILINE):
            assert said in printed


def test_commands_run(folder):
    """The block of commands, as it stands, with this environment first on the path."""
    [block] = [b for b in snippets("README.md", "bash") if "kakehashi " in b]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    printed = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert printed.returncode == 0, printed.stderr[-3000:]
    found = [float(x) for x in re.findall(r"aligned +│ (0\.\d+)", printed.stdout)]
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    [said] = re.findall(r"recall@1 \.190 before and (\.\d+) after", text)
    assert found == pytest.approx([0.878, float(said)], abs=0.01)


def test_the_two_readmes_have_the_same_code():
    def bare(name):
        return [re.sub(r"  #.*", "", c) for c in snippets(name, "python") + snippets(name, "bash")]

    assert [re.sub(r" +#.*", "", c) for c in bare(READMES[0])] == [
        re.sub(r" +#.*", "", c) for c in bare(READMES[1])
    ]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_and_named_files_exist(document):
    text = (ROOT / document).read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#]+)\)", text):
        assert link.startswith("http") or ((ROOT / document).parent / link).exists(), link
    for name in re.findall(r"[\w*][\w*./-]*\.py\b", text):
        below = (ROOT / "src" / "kakehashi", ROOT / "benchmarks", ROOT / "tests")
        assert (ROOT / name).exists() or any(any(f.glob(f"**/{name}")) for f in below), name
