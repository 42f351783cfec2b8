"""Collections of Chroma for a diagnosis, filled as an application fills them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest


def chroma_index(
    folder: Path,
    vectors: Any,
    texts: Sequence[str | None],
    *,
    name: str = "manual",
    metadata: Sequence[Mapping[str, Any] | None] | None = None,
    space: str = "cosine",
    about: Mapping[str, Any] | None = None,
) -> str:
    """Fill a collection, and return its address."""
    chromadb = pytest.importorskip("chromadb")
    client = chromadb.PersistentClient(str(folder))
    collection = client.create_collection(
        name,
        configuration={"hnsw": {"space": space}},
        embedding_function=None,
        metadata=dict(about) if about else None,
    )
    for start in range(0, len(texts), 1000):
        part = slice(start, start + 1000)
        given = {"documents": list(texts[part])}
        if metadata is not None:
            given["metadatas"] = [dict(each) if each else None for each in metadata[part]]
        ids = [f"d{i}" for i in range(start, start + len(texts[part]))]
        collection.add(ids=ids, embeddings=np.asarray(vectors[part], np.float32), **given)
    return f"chroma:{folder}?collection={name}"


def random_units(n: int, dimension: int = 16, seed: int = 0) -> np.ndarray:
    """Return (n, d) vectors of length one."""
    x = np.random.default_rng(seed).standard_normal((n, dimension)).astype(np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def numbered_texts(n: int) -> list[str]:
    """Return n different texts."""
    return [f"Turn valve {i} until gauge {i} reads zero." for i in range(n)]
