"""Indices that lie in memory: their documents are listed, a vector beside each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from ...retrieval.stored_index import StoredDocument
from ...vectors import Float32Array, spread
from .keeping import KeepingIndex


class Keeper(NamedTuple):
    """Reads and writes a text under a key, in an object that is saved with the store.

    Where nothing can be written, ``put`` is None.
    """

    get: Callable[[str], Any]
    put: Callable[[str, str], None] | None


class InMemoryIndex(KeepingIndex):
    """Documents that are listed by their ids.

    Args:
        name: of the store, for messages.
        scale: of its scores.
        ids: the ids of all documents, in any order.
        document_of: returns a document with its vector; None where it is gone.
        by_cosine: whether its scores are cosines.
        keeper: saved with the store; it keeps texts under keys.
    """

    def __init__(
        self,
        name: str,
        scale: str | None,
        ids: Sequence[Any],
        document_of: Callable[[Any], StoredDocument | None],
        keeper: Keeper | None = None,
        *,
        by_cosine: bool = False,
    ) -> None:
        self.name, self.scale, self.by_cosine = name, scale, by_cosine
        self._ids, self._document_of, self._keeper = ids, document_of, keeper

    def kept(self, key: str) -> str | None:
        """Return the text that the keeper has under a key."""
        return None if self._keeper is None else self._keeper.get(key)

    def keep(self, key: str, value: str) -> bool:
        """Give the keeper a text."""
        if self._keeper is None or self._keeper.put is None:
            return False
        self._keeper.put(key, value)
        return True

    def sample(self, n: int) -> Sequence[StoredDocument]:
        """Return documents that are spread over all."""
        documents = (self._document_of(self._ids[row]) for row in spread(len(self._ids), n))
        return [document for document in documents if document is not None]


def faiss_scale(index: Any) -> str | None:
    """Return the scale of an index of FAISS: it gives inner products or squared distances."""
    return {0: "similarity", 1: "squared l2"}.get(index.metric_type)


def faiss_vector(index: Any, position: int) -> Float32Array | None:
    """Return a stored vector of an index of FAISS; None where the index cannot give it back."""
    try:
        return np.asarray(index.reconstruct(position), np.float32)
    except RuntimeError:
        return None


class Positions:
    """Where the documents of stores of FAISS stand: such a store knows the other way only."""

    def __init__(self) -> None:
        self._of: WeakKeyDictionary[Any, dict[str, Any]] = WeakKeyDictionary()

    def of(
        self, store: Any, id_at: Mapping[Any, str], ids: Sequence[str | None]
    ) -> list[int | None]:
        """Return the position of each id; None where the store has none.

        Args:
            store: whose positions are remembered as long as it lives.
            id_at: the id at each position, as the store has it now.
        """
        known = self._of.get(store, {})
        if any(name is not None and id_at.get(known.get(name)) != name for name in ids):
            known = self._of[store] = {name: at for at, name in id_at.items()}
        return [None if name not in known else int(known[name]) for name in ids]
