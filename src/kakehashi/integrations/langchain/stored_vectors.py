"""LangChain: the stored vectors of the documents that a search of a store returned."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from langchain_core.documents import Document
from langchain_core.vectorstores import VectorStore

from ..stores.chroma import vectors_in_chroma
from ..stores.in_memory import Positions, faiss_vector
from ..stores.milvus import vectors_in_milvus
from ..stores.qdrant import vectors_in_qdrant
from .filters import kind_of

Documents = Sequence[Document]
_FAISS_POSITIONS = Positions()


def stored_vectors(store: VectorStore, documents: Documents) -> Sequence[Any]:
    """Return the stored vector of each document; None where the store does not give it.

    A search of LanceDB returns them with its rows (:func:`.searches.scored_search`).
    """
    read = _BY_KIND.get(kind_of(store) or "")
    return [None] * len(documents) if read is None else read(store, documents)


def _in_memory(store: Any, documents: Documents) -> Sequence[Any]:
    rows = (store.store.get(document.id) for document in documents)
    return [None if row is None else row["vector"] for row in rows]


def _in_faiss(store: Any, documents: Documents) -> Sequence[Any]:
    ids = [document.id for document in documents]
    positions = _FAISS_POSITIONS.of(store, store.index_to_docstore_id, ids)
    return [None if at is None else faiss_vector(store.index, at) for at in positions]


def _in_chroma(store: Any, documents: Documents) -> Sequence[Any]:
    return vectors_in_chroma(store._collection, [document.id for document in documents])


def _in_qdrant(store: Any, documents: Documents) -> Sequence[Any]:
    ids = [document.metadata.get("_id") for document in documents]
    return vectors_in_qdrant(store.client, store.collection_name, ids, store.vector_name)


def _in_milvus(store: Any, documents: Documents) -> Sequence[Any]:
    key, field = store._primary_field, store._vector_field
    ids = [document.metadata.get(key) for document in documents]
    if not isinstance(field, str):  # several vectors a document: which one was searched is not told
        return [None] * len(documents)
    return vectors_in_milvus(store.client, store.collection_name, ids, key=key, vector=field)


_BY_KIND: Mapping[str, Callable[[Any, Documents], Sequence[Any]]] = {
    "InMemoryVectorStore": _in_memory,
    "FAISS": _in_faiss,
    "Chroma": _in_chroma,
    "QdrantVectorStore": _in_qdrant,
    "Milvus": _in_milvus,
}
