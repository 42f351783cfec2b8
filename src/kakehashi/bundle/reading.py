"""Read the folder of an aligner without trusting it: sizes first, then hashes, then contents."""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import safetensors
import safetensors.numpy

from ..errors import BundleError, BundleTamperedError
from ..printable import printable
from ..vectors import Float32Array
from .consistency import consistently
from .layout import (
    ALIGNERS,
    FORMAT,
    MAX_RECORD_BYTES,
    MAX_WEIGHTS_BYTES,
    MULTI_RECORD,
    PICKLE_ENDINGS,
    RECORD,
    record_hash,
    sha256,
)

_LARGEST_NUMBER = 1e15
"""No count, second or weight of a record is larger; its square still fits into float32."""
_PLACE = 200
"""Characters of the place of a number that an error shows."""
_KINDS = {RECORD: "an aligner", MULTI_RECORD: "a multi aligner"}


def read(folder: Path) -> tuple[dict[str, Any], dict[str, Float32Array]]:
    """Parse the record, check every size and hash, and only then read tensors.

    Raises:
        BundleError: a file is missing, cut off or too large, of another format, a pickle, or
            elsewhere.
        BundleTamperedError: a file contradicts the record, or the record itself.
    """
    return consistently(folder, lambda: _read(folder))


def _read(folder: Path) -> tuple[dict[str, Any], dict[str, Float32Array]]:
    with _errors_of(folder, "an aligner"):
        record = _read_record(folder, RECORD)
        path = _weights_path(folder, record)
        _check_record(folder / RECORD, record)
        blob = _read_weights(path, record["weights"])
    try:
        tensors = safetensors.numpy.load(blob)
    except (safetensors.SafetensorError, ValueError, KeyError, TypeError) as error:
        raise BundleTamperedError(f"{path} is not safetensors: {printable(error)}") from error
    return record, tensors


def read_multi_aligner(folder: Path) -> dict[str, Any]:
    """Parse the record of a multi aligner and check its hash.

    Raises:
        BundleError, BundleTamperedError: as :func:`read`.
    """
    with _errors_of(folder, "a multi aligner"):
        record = _read_record(folder, MULTI_RECORD)
        _check_record(folder / MULTI_RECORD, record)
    return record


def holds_multi_aligner(folder: Path) -> bool:
    """Whether a folder is a saved multi aligner, and not an aligner."""
    return os.path.isfile(folder / MULTI_RECORD)


@contextmanager
def _errors_of(folder: Path, kind: str) -> Iterator[None]:
    """Turn the errors that reading a damaged record raises into ours."""
    try:
        yield
    except OSError as error:
        raise BundleError(f"{folder} cannot be read: {error}") from error
    # What the lines under the with statement raise over a record of another shape.
    except (ValueError, TypeError, RuntimeError, OverflowError, KeyError) as error:
        raise BundleTamperedError(
            f"{folder} cannot be read as {kind}: {printable(error)}"
        ) from error


def _read_record(folder: Path, name: str) -> dict[str, Any]:
    path = folder / name
    if not path.is_file():
        raise BundleError(_missing(folder, name))
    with path.open("rb") as file:
        content = file.read(MAX_RECORD_BYTES + 1)
    if len(content) > MAX_RECORD_BYTES:
        raise BundleError(
            f"{path} has more than {MAX_RECORD_BYTES:,} bytes, which no record needs. It is not "
            "read; get the aligner again from where it was saved."
        )
    try:
        record = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{path} is not JSON (cut off or damaged): {printable(error)}") from error
    if not isinstance(record, dict) or type(record.get("format")) is not int:
        raise BundleError(f"{path} has no format number.")
    if record["format"] != FORMAT:
        raise BundleError(
            f"{path} has format {record['format']!r:.20}; this kakehashi reads format {FORMAT}. "
            "Install the kakehashi that wrote it, or fit a new aligner."
        )
    return record


def _missing(folder: Path, name: str) -> str:
    """Say what a folder without a record holds instead."""
    for other, kind in _KINDS.items():
        if other != name and (folder / other).is_file():
            where = f" Its aligners are in {folder / ALIGNERS}." if name == RECORD else ""
            return f"{folder} holds {kind}, not {_KINDS[name]}; kakehashi.load reads either.{where}"
    pickles = [p.name for p in folder.glob("*") if p.suffix in PICKLE_ENDINGS]
    if pickles:
        return f"{folder} holds {printable(pickles[0])} and no {name}. kakehashi never unpickles."
    return f"{folder} holds no {name}; is this {_KINDS[name]}?"


def _weights_path(folder: Path, record: dict[str, Any]) -> Path:
    weights = record.get("weights")
    name = weights.get("file") if isinstance(weights, dict) else None
    if not isinstance(name, str):
        raise BundleTamperedError(f"{folder / RECORD} names no weights file.")
    if name.endswith(PICKLE_ENDINGS):
        raise BundleError(f"{folder / RECORD} names {name!r:.80}. kakehashi never unpickles.")
    path = folder / name
    if Path(name).name != name or path.resolve().parent != folder.resolve():
        raise BundleError(f"{folder / RECORD} names {name!r:.80}, outside the aligner's folder.")
    return path


def _check_record(path: Path, record: dict[str, Any]) -> None:
    """Raise BundleTamperedError over a wrong hash, or a number that no fit gives."""
    if record_hash(record) != record.get("sha256"):
        raise BundleTamperedError(f"{path}: its SHA-256 differs from the record.")
    for place, number in _numbers(record):
        if not math.isfinite(number) or abs(number) > _LARGEST_NUMBER:
            raise BundleTamperedError(f"{path}: {printable(place)} is {number!r:.30}.")


def _numbers(record: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield every number in a record, after its place such as ``report.p_value``.

    A record may be as deep as its bytes allow, so nothing here calls itself.
    """
    waiting: list[tuple[str, Any]] = list(record.items())
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [(f"{place}.{name}"[:_PLACE], item) for name, item in value.items()]
        elif isinstance(value, list):
            waiting += [(place, item) for item in value]
        elif isinstance(value, (int, float)):
            yield place, value


def _read_weights(path: Path, weights: dict[str, Any]) -> bytes:
    """Read the tensor file where its size and its hash are those of the record."""
    if not path.is_file():
        raise BundleError(f"{path} is missing.")
    size = weights["bytes"]
    if type(size) is not int or not 0 <= size <= MAX_WEIGHTS_BYTES:
        raise BundleTamperedError(
            f"{path}: the record says {size!r:.30} bytes; up to {MAX_WEIGHTS_BYTES:,} are read."
        )
    with path.open("rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise BundleError(f"{path} is no file.")
        if looks_pickled(file.read(9)):
            raise BundleError(
                f"{path} is a pickle or a torch archive, not safetensors. kakehashi never "
                "unpickles."
            )
        if found.st_size < size:
            raise BundleError(
                f"{path} is cut off: it has {found.st_size} of {size} bytes. Copy the folder again."
            )
        if found.st_size > size:
            raise BundleTamperedError(f"{path} has {found.st_size} bytes, the record says {size}.")
        file.seek(0)
        blob = file.read(size)
    if sha256(blob) != weights["sha256"]:
        raise BundleTamperedError(f"{path}: its SHA-256 differs from the record.")
    return blob


def looks_pickled(blob: bytes) -> bool:
    """Whether a file starts like a pickle or a torch archive.

    safetensors starts with the length of its header, whose first byte may also be 0x80. After
    these eight bytes it opens a JSON object.
    """
    is_pickle = blob[:1] == b"\x80" and blob[8:9] != b"{"
    return is_pickle or blob[:4] == b"PK\x03\x04"
