"""Stores of files that a migration moves, each with what fills one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.movable_store import MovableStore, NewRow, Servers


def _storage(folder: Path, vector_store: Any, settings: Any = None) -> MovableStore:
    from llama_index.core import (
        MockEmbedding,
        StorageContext,
        VectorStoreIndex,
        load_index_from_storage,
    )
    from llama_index.core.schema import TextNode

    place = str(folder / "storage")
    context = StorageContext.from_defaults(vector_store=vector_store(None))
    model = MockEmbedding(16)
    VectorStoreIndex([], storage_context=context, embed_model=model)
    context.persist(place)

    def fill(rows: Sequence[NewRow]) -> None:
        context = StorageContext.from_defaults(vector_store=vector_store(place), persist_dir=place)
        index: Any = load_index_from_storage(context, embed_model=model)
        index.insert_nodes(
            [
                TextNode(
                    id_=row.id,
                    text=row.text or "",
                    embedding=row.vector.tolist(),
                    metadata=dict(row.metadata or {}),
                    excluded_embed_metadata_keys=[*(row.metadata or {})],
                )
                for row in rows
            ]
        )
        index.storage_context.persist(place)

    return MovableStore(f"llama-index:{place}", fill, settings=settings)


@contextmanager
def llama_index_storage(folder: Path, servers: Servers) -> Iterator[MovableStore]:
    """Yield a storage of LlamaIndex with vectors in its own file."""
    from llama_index.core.vector_stores import SimpleVectorStore

    def vector_store(place: str | None) -> Any:
        return SimpleVectorStore() if place is None else SimpleVectorStore.from_persist_dir(place)

    yield _storage(folder, vector_store)


@contextmanager
def llama_index_faiss(folder: Path, servers: Servers) -> Iterator[MovableStore]:
    """Yield a storage of LlamaIndex with vectors of FAISS."""
    faiss = pytest.importorskip("faiss")
    store = pytest.importorskip("llama_index.vector_stores.faiss").FaissVectorStore

    def vector_store(place: str | None) -> Any:
        if place is not None:
            return store.from_persist_dir(place)
        return store(faiss.index_factory(16, "HNSW24", faiss.METRIC_INNER_PRODUCT))

    yield _storage(folder, vector_store, {"faiss": {"kind": "HNSW24", "metric": 0}})


@contextmanager
def faiss_folder(folder: Path, servers: Servers) -> Iterator[MovableStore]:
    """Yield an index of FAISS with a file of texts beside it."""
    faiss = pytest.importorskip("faiss")
    place = folder / "faiss"
    place.mkdir()
    faiss.write_index(faiss.IndexFlatIP(16), str(place / "index.faiss"))
    (place / "index.jsonl").touch()

    def fill(rows: Sequence[NewRow]) -> None:
        index = faiss.read_index(str(place / "index.faiss"))
        index.add(np.stack([row.vector for row in rows]))
        faiss.write_index(index, str(place / "index.faiss"))
        with (place / "index.jsonl").open("a", encoding="utf-8") as file:
            for row in rows:
                entry = {"id": row.id, "text": row.text, "metadata": row.metadata}
                file.write(json.dumps(entry) + "\n")

    settings = {"faiss": {"kind": "Flat", "metric": 0}}
    yield MovableStore(f"faiss:{place}", fill, settings=settings)
