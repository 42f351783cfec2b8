"""The folder of a saved aligner or multi aligner, and how it is read without trusting it.

::

    aligner.json          record: format number, configuration, report, hashes
    weights.safetensors   tensors
    README.md             card for people; never read back

    multi_aligner.json    record: format number, name of the target, fingerprints of the aligners
    aligners/NAME/        a folder as above, for each source modality

``format`` is one integer, and :data:`FORMAT` is the only one that is read. A change of the layout
raises it. The record holds its own SHA-256 (of the canonical JSON without the field ``sha256``). It
also holds the size and SHA-256 of the tensor file. So a damaged file is told from a sound one. The
hashes are no signature: whoever can write the folder can write them, too.
"""

from __future__ import annotations

import glob
import hashlib
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
import safetensors
import safetensors.numpy

from .errors import BundleError, BundleTamperedError
from .vectors import Float32Array

FORMAT = 1
RECORD, WEIGHTS, CARD = "aligner.json", "weights.safetensors", "README.md"
MULTI_RECORD, ALIGNERS = "multi_aligner.json", "aligners"
_UNFINISHED = ".part"
_ABANDONED = 24 * 3600
"""Seconds after which an unfinished folder is taken for that of a killed save."""
Saves = Callable[[Path], Any]
_PICKLE_ENDINGS = (".pkl", ".pickle", ".pt", ".pth", ".bin", ".joblib")


def check_place(folder: Path, *, overwrite: bool, record: str = RECORD) -> None:
    """Check that an aligner can be written to a folder; nothing is made or changed.

    Args:
        record: name of the record in a folder that may be overwritten: that of an aligner, or that
            of a multi aligner.

    Raises:
        FileExistsError: the folder exists and must not be overwritten, or it holds other files
            than an aligner: these are never deleted.
        NotADirectoryError, PermissionError: its parent is no folder, or cannot be written to.
    """
    if os.path.lexists(folder):
        if not overwrite:
            raise FileExistsError(f"{folder} exists; pass overwrite=True or another path.")
        _check_ours(folder, record)
    check_parent(folder)


def _check_ours(folder: Path, record: str) -> None:
    """Raise FileExistsError where a folder holds more than an aligner."""
    if folder.is_symlink() or not folder.is_dir():
        raise FileExistsError(f"{folder} is no folder; it is not overwritten.")
    present = {path.name for path in folder.iterdir()}
    if present and record not in present:
        kind = "multi aligner" if record == MULTI_RECORD else "aligner"
        raise FileExistsError(f"{folder} exists and is no {kind}; it is not overwritten.")
    ours = {MULTI_RECORD, ALIGNERS} if record == MULTI_RECORD else {RECORD, WEIGHTS, CARD}
    if others := sorted(present - ours):
        raise FileExistsError(
            f"{folder} also holds {', '.join(others)}; it is not overwritten. Move that away."
        )
    if record == MULTI_RECORD and (folder / ALIGNERS).exists():
        for part in (folder / ALIGNERS).iterdir():
            _check_ours(part, RECORD)


def check_parent(path: Path) -> None:
    """Raise an OSError where nothing can be written beside a path, or no folder made for it."""
    if path.name in ("", ".."):  # "." and "/": a folder is exchanged under its name
        raise FileExistsError(f"{path} has no name of its own; give a path that ends in one.")
    above = path.absolute().parent
    while not os.path.lexists(above):
        above = above.parent
    if not above.is_dir():
        raise NotADirectoryError(f"{path} cannot be written: {above} is no folder.")
    if (above / RECORD).exists():
        raise FileExistsError(f"{above} is an aligner's folder; choose a place outside of it.")
    if not os.access(above, os.W_OK | os.X_OK):
        raise PermissionError(f"{path} cannot be written: {above} is not ours to write to.")


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
    weights = {"file": WEIGHTS, "bytes": len(blob), "sha256": _sha256(blob)}
    record = _record({"weights": weights, **document})
    with _exchanged(folder) as made:
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
    with _exchanged(folder) as made:
        for name, save in parts.items():
            save(made / ALIGNERS / name)
        _write(made / MULTI_RECORD, _record(document))
    return folder


def _record(document: dict[str, Any]) -> bytes:
    versions = {"kakehashi": version("kakehashi"), "numpy": np.__version__}
    record = {"format": FORMAT, "versions": versions, **document}
    record["sha256"] = _record_hash(record)
    return json.dumps(record, indent=1, ensure_ascii=False).encode()


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _exchanged(folder: Path) -> Iterator[Path]:
    """Yield a new folder to write to; it takes its place when everything is written."""
    import shutil

    folder.parent.mkdir(parents=True, exist_ok=True)
    made = folder.parent / f".{folder.name}-{secrets.token_hex(4)}{_UNFINISHED}"
    made.mkdir()  # not mkdtemp, whose folders are private whatever the umask says
    try:
        yield made
        if folder.exists():
            _exchange(made, folder)
        else:
            os.replace(made, folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    for left in folder.parent.glob(f".{glob.escape(folder.name)}-{'[0-9a-f]' * 8}{_UNFINISHED}"):
        with suppress(OSError):  # another save may have taken it away
            if time.time() - left.lstat().st_mtime > _ABANDONED:
                shutil.rmtree(left, ignore_errors=True)  # does not follow a link


def _exchange(a: Path, b: Path) -> None:
    """Exchange two folders: in one step where the system can, else with a way back."""
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


def read(folder: Path) -> tuple[dict[str, Any], dict[str, Float32Array]]:
    """Parse the record, check every hash and size, and only then read tensors.

    Raises:
        BundleError: a file is missing or cut off, of another format, a pickle, or elsewhere.
        BundleTamperedError: a file contradicts the record, or the record itself.
    """
    try:
        record = _read_record(folder, RECORD)
        path = _weights_path(folder, record)
        blob = path.read_bytes()
        size, sha256 = int(record["weights"]["bytes"]), record["weights"]["sha256"]
    except OSError as error:
        raise BundleError(f"{folder} cannot be read: {error}") from error
    # The errors that the lines above raise over a record of another shape.
    except (ValueError, TypeError, RuntimeError, OverflowError, KeyError) as error:
        raise BundleTamperedError(f"{folder} cannot be read as an aligner: {error}") from error
    if _looks_pickled(blob):
        raise BundleError(
            f"{path} is a pickle or a torch archive, not safetensors. kakehashi never unpickles."
        )
    if len(blob) < size:
        raise BundleError(
            f"{path} is cut off: it has {len(blob)} of {size} bytes. Copy the folder again."
        )
    if len(blob) > size:
        raise BundleTamperedError(f"{path} has {len(blob)} bytes, the record says {size}.")
    if _sha256(blob) != sha256:
        raise BundleTamperedError(f"{path}: its SHA-256 differs from the record.")
    try:
        tensors = safetensors.numpy.load(blob)
    except (safetensors.SafetensorError, ValueError, KeyError) as error:
        raise BundleTamperedError(f"{path} is not safetensors: {error}") from error
    return record, tensors


def _looks_pickled(blob: bytes) -> bool:
    """Whether a file starts like a pickle or a torch archive.

    safetensors starts with the length of its header, whose first byte may also be 0x80. After
    these eight bytes it opens a JSON object.
    """
    is_pickle = blob[:1] == b"\x80" and blob[8:9] != b"{"
    return is_pickle or blob[:4] == b"PK\x03\x04"


def read_multi_aligner(folder: Path) -> dict[str, Any]:
    """Parse the record of a multi aligner and check its hash."""
    try:
        record = _read_record(folder, MULTI_RECORD)
        if _record_hash(record) != record.get("sha256"):
            raise BundleTamperedError(
                f"{folder / MULTI_RECORD}: its SHA-256 differs from the record."
            )
    except OSError as error:
        raise BundleError(f"{folder} cannot be read: {error}") from error
    except (ValueError, RuntimeError) as error:
        raise BundleTamperedError(f"{folder} cannot be read as a multi aligner: {error}") from error
    return record


def holds_multi_aligner(folder: Path) -> bool:
    """Whether a folder is a saved multi aligner, and not an aligner."""
    return (folder / MULTI_RECORD).is_file()


def _read_record(folder: Path, name: str) -> dict[str, Any]:
    path = folder / name
    if not path.is_file():
        kinds = {RECORD: "an aligner", MULTI_RECORD: "a multi aligner"}
        for other, kind in kinds.items():
            if other != name and (folder / other).is_file():
                where = f" Its aligners are in {folder / ALIGNERS}." if name == RECORD else ""
                raise BundleError(
                    f"{folder} holds {kind}, not {kinds[name]}; kakehashi.load reads either.{where}"
                )
        pickles = [p.name for p in folder.glob("*") if p.suffix in _PICKLE_ENDINGS]
        if pickles:
            raise BundleError(
                f"{folder} holds {pickles[0]} and no {name}. kakehashi never unpickles."
            )
        raise BundleError(f"{folder} holds no {name}; is this {kinds[name]}?")
    try:
        record = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{path} is not JSON (cut off or damaged): {error}") from error
    if not isinstance(record, dict) or type(record.get("format")) is not int:
        raise BundleError(f"{path} has no format number.")
    if record["format"] != FORMAT:
        raise BundleError(
            f"{path} has format {record['format']}; this kakehashi reads format {FORMAT}. "
            "Install the kakehashi that wrote it, or fit a new aligner."
        )
    return record


def _weights_path(folder: Path, record: dict[str, Any]) -> Path:
    weights = record.get("weights")
    name = weights.get("file") if isinstance(weights, dict) else None
    if not isinstance(name, str):
        raise BundleTamperedError(f"{folder / RECORD} names no weights file.")
    if name.endswith(_PICKLE_ENDINGS):
        raise BundleError(f"{folder / RECORD} names {name!r}. kakehashi never unpickles.")
    path = folder / name
    if Path(name).name != name or path.resolve().parent != folder.resolve():
        raise BundleError(f"{folder / RECORD} names {name!r}, outside the aligner's folder.")
    if _record_hash(record) != record.get("sha256"):
        raise BundleTamperedError(f"{folder / RECORD}: its SHA-256 differs from the record.")
    if not path.is_file():
        raise BundleError(f"{path} is missing.")
    return path


def _record_hash(record: dict[str, Any]) -> str:
    content = {k: v for k, v in record.items() if k != "sha256"}
    return _sha256(json.dumps(content, sort_keys=True, ensure_ascii=True).encode())


def _sha256(blob: bytes) -> str:
    return hashlib.sha256(blob).hexdigest()
