"""Stores that are files: places beside each other."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path

from ....errors import DataError
from ..address import Address

_LONGEST = 200
"""Bytes of a name: what is half written is hidden under a longer one, and 255 are allowed."""


def beside_of(address: Address, name: str) -> Address:
    """Return the address of a file or folder beside the one of an address.

    Raises:
        DataError: a name that leads elsewhere, is hidden or too long.
    """
    if not _is_name(name):
        raise DataError(
            f"{name!r:.80} is no name of a file beside {address.folder}; give one without a slash "
            f"that starts with a letter or a digit, of at most {_LONGEST} bytes."
        )
    return address.of_folder(Path(os.path.abspath(address.required_folder())).with_name(name))


def _is_name(name: str) -> bool:
    if not name or name != Path(name).name or name.startswith((".", "_")):
        return False
    if "\\" in name or "\0" in name:
        return False
    return len(name.encode(errors="surrogatepass")) <= _LONGEST and name.isprintable()


def new_beside(address: Address, name: str) -> Address:
    """Return the same of a place that is free.

    Raises:
        DataError: see :func:`beside_of`, or the name is taken.
    """
    found = beside_of(address, name)
    if found.folder is not None and found.folder.exists():
        raise DataError(f"{name!r} is taken: {found.folder} exists.")
    return found


def remove(path: Path) -> None:
    """Delete a file or a folder; nobody reads half of a folder.

    Of a link, what it leads to is deleted, too.
    """
    if path.is_symlink():
        remove(path.resolve())
        path.unlink()
    elif path.is_dir():
        hidden = _hidden(path)
        path.rename(hidden)
        shutil.rmtree(hidden)
    else:
        path.unlink()


def _hidden(path: Path) -> Path:
    return path.with_name(f".{path.name}-{secrets.token_hex(4)}")
