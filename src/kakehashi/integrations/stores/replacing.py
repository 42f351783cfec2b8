"""Writing a file in one step: a reader finds the old one or the new one, and never a half."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

_END = ".part"


def replace_file(path: Path, write: Callable[[IO[bytes]], Any]) -> None:
    """Write a file beside its place, and move it there.

    Args:
        write: writes all bytes into an open file.
    """
    beside = path.with_name(f".{path.name}-{secrets.token_hex(4)}{_END}")
    try:
        with beside.open("xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())  # a machine may go down, too
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def unfinished_in(folder: Path) -> list[Path]:
    """Return the files in a folder that killed processes left."""
    return [*folder.glob(f".*{_END}")]


def remove_unfinished(folder: Path) -> None:
    """Delete the files that killed processes left."""
    for path in unfinished_in(folder):
        with suppress(FileNotFoundError):
            path.unlink()
