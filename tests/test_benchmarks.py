"""The benchmark runner on a few rows of the demo's data, with one cheap peer."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import hashed_letters

import kakehashi

pytest.importorskip("torch")  # contract.py's other peers share its loop

ROOT = Path(__file__).parent.parent
BENCHMARKS = ROOT / "benchmarks"
SET = "few_ja_en:letters-letters"


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Sixty rows of the demo's data in the benchmarks' layout, with vectors of their letters."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "vectors").mkdir()
    demo = Path(kakehashi.__file__).parent / "demo" / "kicad_ja_en.jsonl"
    lines = demo.read_text(encoding="utf-8").split("\n")[:60]
    (folder / "few_ja_en.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    rows = [json.loads(line) for line in lines]
    vectors = {f"letters_{s}": hashed_letters([r[s] for r in rows]) for s in ("source", "target")}
    groups = [row["group"] for row in rows]
    np.savez(folder / "vectors" / "few_ja_en.npz", **vectors, group=groups)
    return folder


def run(script: str, code: str) -> str:
    """Run a few lines with the benchmarks' folder importable, as their scripts have it."""
    command = [sys.executable, "-c", code]
    paths = [str(BENCHMARKS), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, f"{script}: {done.stderr[-3000:]}"
    return done.stderr


def test_a_run_measures_what_is_missing_and_nothing_else(data, tmp_path):
    code = f"""
import sys, accuracy
accuracy.SYSTEMS = {{"procrustes": accuracy.SYSTEMS["drift-adapter procrustes"]}}
accuracy.MODES = ("keep",)
sys.argv = ["accuracy.py", {str(data)!r}, {str(tmp_path)!r}, "--sets", "all", "--sizes", "all",
            "--seeds", "1"]
accuracy.main()
"""
    first = run("accuracy.py", code)
    for system in ("raw cosine", "bm25", "kakehashi keep", "procrustes"):
        assert f"{SET}__all__0__{system} 0." in first
    measured = sorted((tmp_path / "cells").iterdir())
    assert len(measured) == 5
    run("tables.py", f"import sys, tables; sys.argv = ['', {str(tmp_path)!r}]; tables.main()")
    assert f"## {SET}" in (tmp_path / "results.md").read_text(encoding="utf-8")
    measured[0].unlink()
    assert run("accuracy.py", code).count("__all__0__") == 1


def test_rungs_and_an_unpaired_index_are_rows_of_their_own(data, tmp_path):
    code = f"""
import sys, accuracy, tables
from datasets import chosen
from pathlib import Path
from protocol import Parts
accuracy.MODES = ("keep",)
for kind in ("index", "rungs", "baselines"):
    sys.argv = ["accuracy.py", {str(data)!r}, {str(tmp_path)!r}, "--sets", "all", "--sizes", "20",
                "--seeds", "1", "--only", kind]
    accuracy.main()
sys.argv = ["", {str(tmp_path)!r}]
tables.main()
[data_set] = chosen(Path({str(data)!r}), ["all"])
pairs = data_set.load(Path({str(data)!r}), Path("none.sqlite"))
parts = Parts.of(pairs, 20, 0)
seen = data_set.targets_as_source(pairs, Path({str(data)!r}), Path("none.sqlite"))
index = parts.unpaired(pairs, seen)
assert not {{*index.target_texts}} & {{*parts.test.target_texts}}
assert len(index) > len(parts.pairs)
again = parts.of_same_rows(pairs.with_vectors(2 * pairs.source_vectors, None))
assert again.test.target_texts == parts.test.target_texts
assert (again.train.source_vectors == 2 * parts.train.source_vectors).all()
"""
    run("accuracy.py", code)
    shown = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert "kakehashi keep, index unpaired" in shown
    assert "rung keep/cca " in shown
    assert "of 1 fits" in shown
