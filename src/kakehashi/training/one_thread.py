"""One thread while a fit runs, and what was there before once the last fit is done.

A fit is thousands of products of a few hundred rows. Two threads gain nothing on them, and where
another process keeps a core busy each product waits for the slower thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from threadpoolctl import threadpool_limits


class Limit:
    """A setting of the whole process, changed while anybody needs it and then put back.

    Fits may overlap in a server: the first changes it, the last one puts it back. Each by itself
    would remember what the other has set.
    """

    def __init__(self, change: Callable[[], Callable[[], object]]) -> None:
        """Take what changes the setting; it returns what puts it back."""
        self._change, self._lock, self._users = change, threading.Lock(), 0
        self._put_back: Callable[[], object] = lambda: None

    def __enter__(self) -> None:
        with self._lock:
            if self._users == 0:
                self._put_back = self._change()
            self._users += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                self._put_back()


BLAS = Limit(lambda: threadpool_limits(limits=1, user_api="blas").restore_original_limits)
