"""Install each extra alone, and say what it weighs: python benchmarks/extras.py [EXTRA ...]

For every extra a virtual environment of its own, with the wheel of this source tree and what the
extra brings along by constraints.txt. `none` is kakehashi by itself. The classes that the extra is
for are imported. By default all extras without torch, whose build for Linux on PyPI brings CUDA.
MB are those of site-packages, without pip and compiled bytecode.
"""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
IMPORTS = {
    "none": "import kakehashi.cli",
    "readers": "import pyarrow, polib, defusedxml, python_calamine",
    "report": "import matplotlib, jinja2, kakehashi.pages",
    "langchain": "from kakehashi.integrations.langchain import AlignedRetriever",
    "llama-index": "from kakehashi.integrations.llama_index import AlignedRetriever",
    "chroma": "from kakehashi.integrations.chroma import open_collection",
    "postgres": "import psycopg, pgvector",
    "ray": "import ray.data, pyarrow.parquet, kakehashi.bulk",
    "training": "import torch",
    "sentence-transformers": "import sentence_transformers",
}
WITH_TORCH = {"training", "sentence-transformers"}


def install(extra: str, wheel: Path, folder: Path) -> tuple[int, float]:
    """Install one extra into a folder; return the number of its distributions, and their MB."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    wanted = str(wheel) if extra == "none" else f"{wheel}[{extra}]"
    options = ["--quiet", "--no-compile", "--constraint", ROOT / "constraints.txt"]
    subprocess.run([python, "-m", "pip", "install", *options, wanted], check=True)
    site = next(folder.glob("lib/python*/site-packages"))
    files = [path for path in site.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    own = ("pip", "setuptools", "pkg_resources", "_distutils_hack")
    counted = [path for path in files if not path.relative_to(site).parts[0].startswith(own)]
    n_distributions = sum(path.name == "METADATA" for path in counted)
    subprocess.run([python, "-c", IMPORTS[extra]], check=True)
    return n_distributions, sum(path.stat().st_size for path in counted) / 1e6


if __name__ == "__main__":
    chosen = sys.argv[1:] or [extra for extra in IMPORTS if extra not in WITH_TORCH]
    if unknown := sorted(set(chosen) - set(IMPORTS)):
        raise SystemExit(f"no extra is called {unknown[0]!r}; choose of {', '.join(IMPORTS)}.")
    with TemporaryDirectory() as temporary:
        build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir"]
        subprocess.run([*build, temporary, ROOT], check=True, capture_output=True)
        [wheel] = Path(temporary).glob("*.whl")
        print(f"{wheel.name}: {wheel.stat().st_size / 1e6:.1f} MB")
        print("| extra | distributions | MB installed |\n| --- | --- | --- |")
        for extra in chosen:
            n, megabytes = install(extra, wheel, Path(temporary) / extra)
            print(f"| {extra} | {n} | {megabytes:,.0f} |", flush=True)
