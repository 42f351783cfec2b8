"""The names of an index and of the copy that a migration fills beside it."""

from __future__ import annotations

import os
from pathlib import Path

from ..address import parse_address


def name_of(address: str) -> str:
    """Return the name of a collection, or of the file or folder that it is."""
    parsed = parse_address(address)
    if parsed is None:
        return Path(address).name
    if parsed.collection or parsed.folder is None:
        return parsed.collection or ""
    return Path(os.path.abspath(parsed.folder)).name  # of ".", too


def moved_name(name: str) -> str:
    """Return the name of the copy, unless another is chosen; that of a file keeps its ending.

    It is not hidden, so that whatever reads files finds it.
    """
    ending = ".json" if name.endswith(".json") else ""
    return f"{name.removesuffix(ending)}_moved{ending}".lstrip("._")
