"""A migration that is killed at random moments, by the benchmark that does it many times."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_killed_migration_loses_and_doubles_nothing(tmp_path):
    pytest.importorskip("chromadb")
    out = tmp_path / "kills.json"
    command = ["benchmarks/kills.py", "chroma", "--kills", "2", "--rows", "1200", "--out", out]
    paths = os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    row = json.loads(out.read_text())
    assert row["kills"] == 2
    assert row["lost"] == row["doubled"] == row["checksums that differ"] == 0
