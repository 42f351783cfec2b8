"""The part of an index that a filter lets through, as a check reads it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ...retrieval.index_record import IndexRecord
from ...retrieval.stored_index import StoredDocument, StoredIndex
from .keeping import KeepingIndex


class FilteredIndex(KeepingIndex):
    """Documents that a search with a filter finds.

    A record of the whole says nothing about a part: the other parts may be another aligner's.

    Args:
        whole: the index.
        search: returns at most n documents nearest to a vector, each with its stored vector.
        dimension: of the vectors to search with.
    """

    def __init__(
        self,
        whole: StoredIndex,
        search: Callable[[list[float], int], Sequence[StoredDocument]],
        dimension: int,
    ) -> None:
        self.name, self.scale, self.by_cosine = f"{whole.name}, filtered,", None, False
        self._whole, self._search, self._dimension = whole, search, dimension

    def kept(self, key: str) -> str | None:
        """Return what the whole index keeps."""
        return self._whole.kept(key)

    def keep(self, key: str, value: str) -> bool:
        """Write nothing: it would be said of the whole."""
        return False

    def record(self) -> IndexRecord | None:
        """Return None."""
        return None

    def sample(self, n: int) -> Sequence[StoredDocument]:
        """Return the documents that are nearest to a vector of no meaning."""
        vector = np.random.default_rng(0).standard_normal(self._dimension)
        return self._search((vector / np.linalg.norm(vector)).tolist(), n)
