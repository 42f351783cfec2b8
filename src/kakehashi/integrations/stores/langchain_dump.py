"""LangChain: the dump of an in-memory store, which is plain JSON."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from ...data.index import IndexDocuments
from ...errors import ReaderError
from .address import Address
from .rows import documents_of


def read_langchain_dump(address: Address) -> IndexDocuments:
    """Read the texts and vectors of ``InMemoryVectorStore.dump(path)``, without LangChain."""
    path = address.required_folder()
    try:
        store: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        ids = list(store)
        texts = [store[name]["text"] for name in ids]
        metadata = [store[name].get("metadata") for name in ids]
        vectors = np.array([store[name]["vector"] for name in ids], np.float32)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ReaderError(
            f"{path} is no dump of LangChain's InMemoryVectorStore ({error!r:.80}); write it with "
            "store.dump(path)."
        ) from error
    return documents_of(address.text, ids, texts, vectors if ids else None, metadata)
