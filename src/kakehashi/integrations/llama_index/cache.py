"""A LlamaIndex key-value store that has a collection for each kind of vector."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llama_index.core.storage.kvstore.types import BaseKVStore


class CacheByKind(BaseKVStore):
    """Pass each call on to another store, to the collection of the kind of vector.

    ``BaseEmbedding`` looks up the text, and nothing else. So a query and a document of the same
    words would share one vector, and so would two aligners.

    Args:
        store: any LlamaIndex key-value store.
        kind: returns the kind of the vectors of the current call.
    """

    def __init__(self, store: BaseKVStore, kind: Callable[[], str]) -> None:
        self._store, self._kind = store, kind

    def _named(self, collection: str) -> str:
        return f"{collection}/{self._kind()}"

    def put(self, key: str, val: dict[str, Any], collection: str = "data") -> None:
        """Keep a value."""
        self._store.put(key, val, self._named(collection))

    async def aput(self, key: str, val: dict[str, Any], collection: str = "data") -> None:
        """Keep a value."""
        await self._store.aput(key, val, self._named(collection))

    def get(self, key: str, collection: str = "data") -> dict[str, Any] | None:
        """Return a value, or None."""
        return self._store.get(key, self._named(collection))

    async def aget(self, key: str, collection: str = "data") -> dict[str, Any] | None:
        """Return a value, or None."""
        return await self._store.aget(key, self._named(collection))

    def get_all(self, collection: str = "data") -> dict[str, dict[str, Any]]:
        """Return all values of the kind."""
        return self._store.get_all(self._named(collection))

    async def aget_all(self, collection: str = "data") -> dict[str, dict[str, Any]]:
        """Return all values of the kind."""
        return await self._store.aget_all(self._named(collection))

    def delete(self, key: str, collection: str = "data") -> bool:
        """Forget a value; tell whether it was there."""
        return self._store.delete(key, self._named(collection))

    async def adelete(self, key: str, collection: str = "data") -> bool:
        """Forget a value; tell whether it was there."""
        return await self._store.adelete(key, self._named(collection))
