"""Run notebooks from a clean kernel, beside their data, and keep what they print: make notebooks."""

import os
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parent
os.environ["KAKEHASHI_LANG"] = "en"  # whatever the locale says

for path in [FOLDER / name for name in sys.argv[1:]] or sorted(FOLDER.glob("*.ipynb")):
    print(path.name)
    notebook = nbformat.read(path, as_version=4)
    beside = {"metadata": {"path": str(FOLDER)}}
    # Without the times of the run, which would change every time.
    NotebookClient(notebook, timeout=600, record_timing=False, resources=beside).execute()
    notebook.metadata["language_info"] = {"name": "python"}  # without the version of this Python
    nbformat.write(notebook, path)
