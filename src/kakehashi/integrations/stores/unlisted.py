"""Indices of any other store: only a search shows some of their documents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...retrieval.stored_index import StoredDocument
from ...vectors import Float32Array
from .keeping import KeepingIndex


class UnlistedIndex(KeepingIndex):
    """A store that can be searched, and neither listed nor asked for vectors.

    Args:
        name: of the store, for messages.
        dimension: of the vectors to search with.
        search: returns (text, metadata) of the documents nearest to a vector.
    """

    scale: str | None = None
    by_cosine = False

    def __init__(
        self,
        name: str,
        dimension: int,
        search: Callable[[list[float], int], Sequence[tuple[str, dict[str, Any]]]],
    ) -> None:
        self.name, self._dimension, self._search = name, dimension, search

    def kept(self, key: str) -> str | None:
        """Return None: nobody knows where such a store would keep a text."""
        return None

    def keep(self, key: str, value: str) -> bool:
        """Write nothing."""
        return False

    def sample(self, n: int) -> Sequence[StoredDocument]:
        """Return the documents that are nearest to a vector of no meaning."""
        vector = np.random.default_rng(0).standard_normal(self._dimension)
        unit = (vector / np.linalg.norm(vector)).tolist()
        return [StoredDocument(text, metadata, None) for text, metadata in self._search(unit, n)]

    def nearest(self, vector: Float32Array) -> str | None:
        """Return the text that a search finds first."""
        return next((text for text, _ in self._search(vector.tolist(), 1)), None)
