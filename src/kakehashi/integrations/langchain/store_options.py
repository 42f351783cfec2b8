"""Options of a store's search: a misspelt one is refused, and not swallowed by the store."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from langchain_core.vectorstores import VectorStore

from ...errors import DataError
from .filters import kind_of

_TAKEN_UNNAMED = {
    "Chroma": ("ids",),
    "FAISS": ("score_threshold",),
    "InMemoryVectorStore": (),
    "LanceDB": ("fts", "metrics", "prefilter", "score"),
    "Milvus": ("consistency_level", "filter", "offset", "partition_names", "round_decimal"),
    "PGVector": (),
    "PGVectorStore": (),
    "QdrantVectorStore": ("lookup_from", "shard_key_selector", "timeout", "using"),
}
"""By kind of store, options that its searches take without naming them, ``filter`` translated."""
_SET_BY_US = ("self", "cls", "embedding", "query", "query_vector", "k")


def check_options(store: VectorStore, options: Mapping[str, Any]) -> None:
    """Refuse an option that no search of a store takes.

    The searches of most stores take any keyword, and pass over those that they do not know. So a
    misspelt filter would let everything through. A store that is not known here may take any.

    Raises:
        DataError: an option that the store would pass over.
    """
    kind = kind_of(store)
    if kind is None:
        return
    allowed = _named_options(type(store)) | {*_TAKEN_UNNAMED[kind]}
    for name, value in options.items():
        if name not in allowed:
            raise DataError(
                f"{name}={value!r:.80} is no option of a search of {type(store).__name__}; options "
                f"are {', '.join(sorted(allowed))}."
            )


@lru_cache(maxsize=64)
def _named_options(store: type[VectorStore]) -> frozenset[str]:
    """Return the parameters that the searches by vector of a store name."""
    names: set[str] = set()
    for method in dir(store):
        if "by_vector" in method and callable(function := getattr(store, method)):
            parameters = inspect.signature(function).parameters.values()
            names |= {p.name for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}
    return frozenset(names - {*_SET_BY_US})
