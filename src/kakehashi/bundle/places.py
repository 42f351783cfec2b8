"""Where a saved aligner may be written: nothing that is somebody else's is replaced."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from ..encoders import EncoderIdentity
from ..errors import DataError, EncoderError
from .layout import ALIGNERS, CARD, MULTI_RECORD, RECORD, UNFINISHED, WEIGHTS


def check_place(folder: Path, *, overwrite: bool, record: str = RECORD) -> None:
    """Check that an aligner can be written to a folder; nothing is made or changed.

    Args:
        record: name of the record in a folder that may be overwritten: that of an aligner, or that
            of a multi aligner.

    Raises:
        FileExistsError: the folder exists and must not be overwritten, or it holds other files
            than an aligner: these are never deleted.
        NotADirectoryError, PermissionError: its parent is no folder, or cannot be written to.
        DataError: no folder can have this name.
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
    """Check that something can be written beside a path, or a folder be made for it.

    Raises:
        DataError: no file can have this name, or the longer one that it has while it is written.
        OSError: the place is taken, is none, or cannot be written to.
    """
    if path.name in ("", ".."):  # "." and "/": a folder is exchanged under its name
        raise FileExistsError(f"{path} has no name of its own; give a path that ends in one.")
    above = path.absolute().parent
    while not os.path.lexists(above):
        above = above.parent
    _check_names(path, above)
    if not above.is_dir():
        raise NotADirectoryError(f"{path} cannot be written: {above} is no folder.")
    if (above / RECORD).exists():
        raise FileExistsError(f"{above} is an aligner's folder; choose a place outside of it.")
    if not os.access(above, os.W_OK | os.X_OK):
        raise PermissionError(f"{path} cannot be written: {above} is not ours to write to.")


def _check_names(path: Path, above: Path) -> None:
    """Raise DataError where a name in a path cannot be that of a file in the folder above."""
    written = f".{path.name}-{'0' * 8}{UNFINISHED}"
    for place in (path, *(above / name for name in (*path.parts, written))):
        try:
            os.lstat(place)
        except ValueError as error:  # a NUL, or a letter that this system cannot write
            raise DataError(f"{path} cannot be written: {error}. Give another name.") from error
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                raise DataError(f"{path} cannot be written: give a shorter name.") from error


def refuse_model_of_aligner(identity: EncoderIdentity | None, side: str) -> None:
    """Raise EncoderError where a recorded model lies in the folder of an aligner.

    No save puts a model there. Whoever did wants the code of that folder to be run.
    """
    if identity is None or identity.model is None or not os.path.lexists(identity.model):
        return
    place = Path(identity.model).resolve()
    for folder in (place, *place.parents):
        if (folder / RECORD).exists() or (folder / MULTI_RECORD).exists():
            raise EncoderError(
                f"The aligner names the model {identity.model!r}, which lies in the folder of an "
                "aligner. A model is never loaded from there; pass the encoder with "
                f"with_encoders({side}_encoder=...)."
            )
