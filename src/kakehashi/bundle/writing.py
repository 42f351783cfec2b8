"""Write the folder of an aligner: beside its place first, then into it."""

from __future__ import annotations

import glob
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

from ..vectors import Float32Array
from .layout import (
    ALIGNERS,
    CARD,
    FORMAT,
    MULTI_RECORD,
    RECORD,
    UNFINISHED,
    WEIGHTS,
    record_hash,
    sha256,
)
from .places import check_place

_ABANDONED = 24 * 3600
"""Seconds after which an unfinished folder is taken for that of a killed save."""
Saves = Callable[[Path], Any]


def write(
    folder: Path,
    document: dict[str, Any],
    tensors: dict[str, Float32Array],
    card: str,
    *,
    overwrite: bool,
) -> Path:
    """Write a folder beside its place and exchange the two.

    A killed save of the same name leaves a folder behind; it is removed after a day.

    Raises:
        OSError: as :func:`check_place` raises it, or the system's own.
    """
    check_place(folder, overwrite=overwrite)
    blob = safetensors.numpy.save({k: np.ascontiguousarray(v) for k, v in tensors.items()})
    weights = {"file": WEIGHTS, "bytes": len(blob), "sha256": sha256(blob)}
    record = _record({"weights": weights, **document})
    with exchanged(folder) as made:
        for name, content in ((WEIGHTS, blob), (RECORD, record), (CARD, card.encode())):
            _write(made / name, content)
    return folder


def write_multi_aligner(
    folder: Path, document: dict[str, Any], parts: Mapping[str, Saves], *, overwrite: bool
) -> Path:
    """Write a multi aligner with its aligners, as :func:`write` does an aligner.

    Args:
        parts: by name of the source, a function that writes its aligner to a path.

    Raises:
        OSError: as :func:`check_place` raises it, or the system's own.
    """
    check_place(folder, overwrite=overwrite, record=MULTI_RECORD)
    with exchanged(folder) as made:
        for name, save in parts.items():
            save(made / ALIGNERS / name)
        _write(made / MULTI_RECORD, _record(document))
    return folder


def _record(document: dict[str, Any]) -> bytes:
    versions = {"kakehashi": version("kakehashi"), "numpy": np.__version__}
    record = {"format": FORMAT, "versions": versions, **document}
    record["sha256"] = record_hash(record)
    return json.dumps(record, indent=1, ensure_ascii=False).encode()


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def exchanged(folder: Path) -> Iterator[Path]:
    """Yield a new folder to write to; it takes its place when everything is written.

    A reader finds the old folder or the new one, and never a half.
    """
    import shutil

    folder.parent.mkdir(parents=True, exist_ok=True)
    made = folder.parent / f".{folder.name}-{secrets.token_hex(4)}{UNFINISHED}"
    made.mkdir()  # not mkdtemp, whose folders are private whatever the umask says
    try:
        yield made
        if folder.exists():
            _exchange(made, folder)
        else:
            os.replace(made, folder)
    except OSError as error:
        if error.filename is not None or error.errno is None:
            raise
        # A write to a full disk does not say to which file.
        raise OSError(error.errno, error.strerror, str(folder)) from error
    finally:
        shutil.rmtree(made, ignore_errors=True)
    for left in folder.parent.glob(f".{glob.escape(folder.name)}-{'[0-9a-f]' * 8}{UNFINISHED}"):
        with suppress(OSError):  # another save may have taken it away
            if time.time() - left.lstat().st_mtime > _ABANDONED:
                shutil.rmtree(left, ignore_errors=True)  # does not follow a link


def _exchange(a: Path, b: Path) -> None:
    """Exchange two folders: in one step where the system can, else with a way back.

    Without the one step no folder is at ``b`` for a moment, and a process that is killed then
    leaves none. So the system call is worth its few lines.
    """
    import ctypes

    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
        here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE (Linux)
        if renameat2(here, os.fsencode(a), here, os.fsencode(b), exchange) == 0:
            return
    except (AttributeError, OSError, TypeError):
        pass  # no such call here
    aside = a.with_name(a.name + "-old")
    os.replace(b, aside)
    try:
        os.replace(a, b)
    except BaseException:
        os.replace(aside, b)
        raise
    os.replace(aside, a)
