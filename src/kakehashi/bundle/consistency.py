"""Read a folder that another process may save over at the same time."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ..errors import BundleError
from .layout import UNFINISHED

_READS, _PAUSE = 20, 0.01
"""Reads of a folder that another process saves over at the same time, and seconds between them."""

T = TypeVar("T")


def consistently(folder: Path, read: Callable[[], T]) -> T:
    """Read a folder again where another process saved over it under the read.

    A save exchanges whole folders. So a read that began with the old folder may end with the new
    one, and finds files that are gone, or that contradict each other.

    Raises:
        BundleError: the read failed, and the folder is still the same.
    """
    for attempt in range(_READS):
        before = _version(folder)
        try:
            return read()
        except BundleError:
            moved = _version(folder) != before
            if attempt == _READS - 1 or not (moved or _is_being_saved(folder)):
                raise
            time.sleep(0 if moved else _PAUSE)
    raise AssertionError("unreachable")


def _version(folder: Path) -> tuple[int, int] | None:
    """Return what changes when a folder is exchanged or deleted from; None where there is none."""
    try:
        found = folder.stat()
    except (OSError, ValueError):  # the latter over a NUL
        return None
    return found.st_ino, found.st_mtime_ns


def _is_being_saved(folder: Path) -> bool:
    """Whether a save writes beside a folder: where it cannot exchange, none is there for a moment.

    A killed save leaves such a folder, too. It delays an error by a fifth of a second.
    """
    start = f".{folder.name}-"
    try:
        beside = os.listdir(folder.absolute().parent)
    except (OSError, ValueError):
        return False
    return any(name.startswith(start) and UNFINISHED in name for name in beside)
