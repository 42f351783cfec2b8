"""The demo, run once for all that stands beside what it leaves."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.once import make_once


@pytest.fixture(scope="session")
def newcomer(run_folder, vector_cache) -> Path:
    """A folder in which `kakehashi demo` ran, with its table as JSON."""

    def run(folder):
        folder.mkdir(exist_ok=True)
        kakehashi = Path(sys.executable).with_name("kakehashi")
        command = [kakehashi, "demo", "--json"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        (folder / "demo.json").write_text(done.stdout)

    return make_once(vector_cache.parents[1], run)
