"""A store that a migration moves, as the contract suite knows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np


class NewRow(NamedTuple):
    """A document, as an application stores it."""

    id: str
    vector: np.ndarray
    text: str | None
    metadata: Mapping[str, Any] | None


@dataclass(frozen=True)
class MovableStore:
    """A store with an empty collection.

    Attributes:
        address: of the collection, as ``open_movable`` takes it.
        fill: adds rows to it by the store's own client, as an application does. Ids are UUIDs.
        without_text: whether a document may have no text and no metadata.
        ordered: whether it gives the documents back in the order in which they were added.
        settings: of its index that differ from what the store takes by default, as far as the
            collection's own ``settings`` name them: a migration keeps them.
    """

    address: str
    fill: Callable[[Sequence[NewRow]], None]
    without_text: bool = True
    ordered: bool = True
    settings: Mapping[str, Any] | None = None


class Servers(ExitStack):
    """Servers that run until the end of the tests."""

    def __init__(self) -> None:
        super().__init__()
        self._running: dict[str, Any] = {}

    def once(self, name: str, start: Callable[[], AbstractContextManager[Any]]) -> Any:
        """Return what starting this server gave; it is started for the first who asks."""
        if name not in self._running:
            self._running[name] = self.enter_context(start())
        return self._running[name]
