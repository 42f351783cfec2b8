"""Write a pilot project: a template in the reader's language, and sample pairs."""

from __future__ import annotations

import csv
import os
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from ..bundle import check_parent
from ..data.arguments import check_choice
from ..data.pairs import Pairs
from ..demo.inputs import split
from ..language import LANGUAGES

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

_DOT = "dot."
"""In the package it stands for the dot of a hidden file: tools would read those where they lie."""
_PAIRS, _QUESTIONS = 200, 60
"""Numbers of sample pairs: enough for a verdict, and a fit of half a minute."""


def write_pilot(folder: Path, language: str) -> list[Path]:
    """Write a pilot project into a new or an empty folder.

    Args:
        language: ``"en"`` or ``"ja"``.

    Returns:
        The files, in the order of their names.

    Raises:
        DataError: another language, or a name that no folder can have.
        OSError: the folder holds something, or cannot be written. Nothing is written over.
    """
    check_choice("language", language, LANGUAGES)
    if os.path.lexists(folder) and not folder.is_dir():
        raise FileExistsError(f"{folder} is no folder; name another one.")
    if os.path.isdir(folder) and any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty; name another folder.")
    check_parent(folder / "pairs.csv")
    folder.mkdir(parents=True, exist_ok=True)
    written = _copy(files(__package__) / "template" / language, folder)
    train, test = split()
    for name, pairs, n in (("pairs.csv", train, _PAIRS), ("questions.csv", test, _QUESTIONS)):
        written.append(_write_sample(folder / name, pairs, n))
    return sorted(written)


def _copy(template: Traversable, folder: Path) -> list[Path]:
    """Copy the files of a template, byte for byte."""
    written = []
    for each in template.iterdir():
        if each.name == "__pycache__":
            continue
        place = folder / each.name.replace(_DOT, ".", 1)
        if each.is_dir():
            place.mkdir()
            written += _copy(each, place)
        else:
            with place.open("xb") as file:
                file.write(each.read_bytes())
            written.append(place)
    return written


def _write_sample(path: Path, pairs: Pairs, n: int) -> Path:
    """Write n pairs as a CSV that Excel opens: with a byte order mark, and marked as sample."""
    step = len(pairs) // n
    with path.open("x", encoding="utf-8-sig", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["source", "target", "group", "id"])
        assert pairs.source_texts is not None
        assert pairs.target_texts is not None
        assert pairs.groups is not None
        for number, row in enumerate(range(0, n * step, step), 1):
            texts = pairs.source_texts[row], pairs.target_texts[row]
            rows.writerow([*texts, pairs.groups[row], f"SAMPLE-{number:03}"])
    return path
