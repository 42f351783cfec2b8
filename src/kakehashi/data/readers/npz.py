"""NumPy archives of stored vectors, with the texts behind them."""

from __future__ import annotations

import lzma
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import KakehashiError, ReaderError
from ...printable import printable
from ...types import SIDES
from .columns import Contents

# Compressed vectors shrink to half. A hundredth is left only of constant vectors, or of texts where
# one is so long that it pads all the others.
_MAX_GROWTH = 100


# The errors that zipfile and np.load raise over damaged bytes. A header is parsed as a Python
# literal, and each compression has its own error. The block under open_npz only reads arrays, so
# no other fault is taken for damage.
_NPZ_FAULTS = (
    ValueError,  # a header that is no dictionary, a pickled array
    TypeError,  # a header with entries of another kind
    EOFError,  # cut off
    MemoryError,  # a shape that no memory holds
    RuntimeError,  # encrypted; NotImplementedError: an unknown compression
    SyntaxError,  # a header that is no literal
    SystemError,  # a string with a number that is no character
    tokenize.TokenError,  # a header that does not end
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
)


def _refuse_bomb(path: Path) -> None:
    """Raise ReaderError for an archive that grows far more than vectors can when unpacked."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > max(_MAX_GROWTH * path.stat().st_size, 1 << 24):
        raise ReaderError(
            f"{path} would unpack to {unpacked:,} bytes, {_MAX_GROWTH} times its size and more; "
            "if that is right, save it with np.savez, which does not compress."
        )


@contextmanager
def open_npz(path: Path) -> Iterator[Any]:
    """Open an ``.npz`` to read arrays from it; nothing in it is ever unpickled.

    Raises:
        ReaderError: the file is no ``.npz``, or an array in it is damaged or pickled.
    """
    try:
        _refuse_bomb(path)
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            raise ReaderError(f"{path} holds one array; save source and target with np.savez.")
        with loaded as archive:
            yield archive
    except KakehashiError:  # some are also a ValueError
        raise
    except _NPZ_FAULTS as error:
        raise ReaderError(f"{path} is not an .npz of plain arrays: {printable(error)}") from error


def texts_beside(archive: Any, name: str, rows: int, path: Path) -> list[str] | None:
    """Return the texts behind the vectors of an array, or None where the archive has none.

    Raises:
        ReaderError: NAME_texts is no array of unicode strings, one a row.
    """
    key = f"{name}_texts"
    if key not in archive:
        return None
    advice = f"save one text a row of {name!r}, as np.array(texts, str), or leave the array out"
    try:
        array = archive[key]
    except ValueError as error:  # most often an object array, as a column of pandas gives
        raise ReaderError(
            f"{path}: {key!r} cannot be read: {printable(error)}; {advice}."
        ) from error
    if not isinstance(array, np.ndarray) or array.dtype.kind != "U" or array.ndim != 1:
        is_array = isinstance(array, np.ndarray)
        kind = f"{array.dtype} of shape {array.shape}" if is_array else "no array"
        raise ReaderError(f"{path}: {key!r} is {kind}, not (n,) unicode strings; {advice}.")
    if len(array) != rows:
        raise ReaderError(
            f"{path}: {key!r} has {len(array)} texts for {rows} rows of {name!r}; {advice}."
        )
    texts: list[str] = array.tolist()
    return texts


def npz(path: Path, fields: dict[str, str]) -> Contents:
    """Read the vectors of both sides, and where they are there, their texts, groups and ids."""
    with open_npz(path) as archive:
        missing = [fields[side] for side in SIDES if fields[side] not in archive]
        if missing:
            raise ReaderError(
                f"{path} has no array {missing[0]!r}; it has "
                f"{', '.join(map(printable, archive.files))}."
            )
        columns: dict[str, Any] = {c: archive[f] for c, f in fields.items() if f in archive}
        for column, array in columns.items():
            if not isinstance(array, np.ndarray) or array.ndim == 0:
                raise ReaderError(f"{path}: {fields[column]!r} is one value, not an array of rows.")
        for side in SIDES:
            texts = texts_beside(archive, fields[side], len(columns[side]), path)
            if texts is not None:
                columns[f"{side}_texts"] = texts
        return columns, archive.files
