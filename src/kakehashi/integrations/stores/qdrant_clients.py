"""Clients of Qdrant. A folder of its local mode lets one in, which all users of a process share."""

from __future__ import annotations

import atexit
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

from ...errors import DataError, KakehashiError
from .address import Address

_PORT = 6333


class _Shared:
    """The client of a folder, and how many use it."""

    def __init__(self, client: Any) -> None:
        self.client, self.users = client, 0


_SHARED: dict[Path, _Shared] = {}
_LOCK = Lock()


@atexit.register
def _close_all() -> None:
    """Close what was left open: a client of local mode cannot close while Python ends."""
    for shared in _SHARED.values():
        shared.client.close()


class QdrantAccess:
    """A client for one user, until it is closed.

    Raises:
        DataError: the folder is none (a client would make a new database there), or another process
            has it open.
        KakehashiError: qdrant-client is not installed.
    """

    def __init__(self, address: Address) -> None:
        try:
            from qdrant_client import QdrantClient
        except ImportError as error:
            raise KakehashiError(
                "qdrant-client is not installed; install it: pip install qdrant-client"
            ) from error
        self._folder: Path | None = None
        self._closed = False
        if address.server is not None:
            host, port = address.server
            self.client: Any = QdrantClient(host=host, port=_PORT if port is None else port)
            return
        folder = address.required_folder().resolve()
        if not (folder / "meta.json").is_file():
            raise DataError(f"{address.text}: {folder} holds no database of Qdrant's local mode.")
        with _LOCK:
            if folder not in _SHARED:
                try:
                    _SHARED[folder] = _Shared(QdrantClient(path=str(folder)))
                except RuntimeError as error:  # one process at a time
                    raise DataError(f"{address.text}: {error}") from error
            _SHARED[folder].users += 1
            self.client, self._folder = _SHARED[folder].client, folder

    def close(self) -> None:
        """Let go of the client; the last user closes it. A second call does nothing."""
        if self._closed:
            return
        self._closed = True
        if self._folder is None:
            self.client.close()
            return
        with _LOCK:
            shared = _SHARED[self._folder]
            shared.users -= 1
            if not shared.users:
                del _SHARED[self._folder]
                shared.client.close()


@contextmanager
def opened_qdrant(address: Address) -> Iterator[tuple[Any, str]]:
    """Yield a client of a folder of local mode or of a server, and the name of the collection.

    Raises:
        DataError: see :class:`QdrantAccess`; or no such collection.
        KakehashiError: qdrant-client is not installed.
    """
    access = QdrantAccess(address)
    try:
        yield access.client, resolved(access.client, address)
    finally:
        access.close()


def resolved(client: Any, address: Address) -> str:
    """Return the name of the collection that an address names, perhaps by an alias.

    Raises:
        DataError: there is none, no such one, or several to choose from.
    """
    for alias in client.get_aliases().aliases:
        if alias.alias_name == address.collection:
            return str(alias.collection_name)
    return address.collection_of([each.name for each in client.get_collections().collections])
