"""In which file of a folder a document lies, for many millions of documents."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

_RECENT = 1 << 16
"""Ids that are kept in a dictionary before they are sorted in with the others."""


class Places:
    """Numbers of files by ids. Only a hash of an id is kept: 16 bytes, and no text."""

    def __init__(self) -> None:
        self._hashes: NDArray[np.int64] = np.empty(0, np.int64)
        self._numbers: NDArray[np.int64] = np.empty(0, np.int64)
        self._recent: dict[int, int] = {}

    def add(self, ids: Iterable[str], number: int) -> None:
        """Say that documents lie in the file of a number."""
        self._recent |= dict.fromkeys(map(hash, ids), number)
        if len(self._recent) >= _RECENT:
            hashes = np.fromiter(self._recent, np.int64, len(self._recent))
            numbers = np.fromiter(self._recent.values(), np.int64, len(self._recent))
            self._hashes = np.concatenate([self._hashes, hashes])
            self._numbers = np.concatenate([self._numbers, numbers])
            order = np.argsort(self._hashes, kind="stable")
            self._hashes, self._numbers = self._hashes[order], self._numbers[order]
            self._recent = {}

    def files(self, ids: Sequence[str]) -> list[int]:
        """Return the numbers of the files that may hold one of these ids, in their order."""
        wanted = np.fromiter(map(hash, ids), np.int64, len(ids))
        found = {self._recent[each] for each in wanted.tolist() if each in self._recent}
        first = np.searchsorted(self._hashes, wanted, "left")
        last = np.searchsorted(self._hashes, wanted, "right")
        for start, stop in zip(first, last, strict=True):
            found.update(self._numbers[start:stop].tolist())
        return sorted(found)
