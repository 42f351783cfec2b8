"""LlamaIndex: the stored vectors of the nodes that a search of an index returned."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from llama_index.core.indices import VectorStoreIndex
from llama_index.core.schema import BaseNode

from ..stores.chroma import vectors_in_chroma
from ..stores.in_memory import Positions, faiss_vector
from ..stores.milvus import vectors_in_milvus
from ..stores.qdrant import vectors_in_qdrant
from .postgres import is_postgres, stored_in_postgres

Ids = Sequence[str]
_FAISS_POSITIONS = Positions()


def stored_vectors(index: VectorStoreIndex, nodes: Sequence[BaseNode]) -> Sequence[Any]:
    """Return the stored vector of each node; None where the index does not give it.

    Searches of some stores (LanceDB) return nodes with their vectors.
    """
    if all(node.embedding is not None for node in nodes):
        return [node.embedding for node in nodes]
    if is_postgres(index.vector_store):
        return stored_in_postgres(index, [node.node_id for node in nodes])
    names = [each.__name__ for each in type(index.vector_store).__mro__]
    read = next((_BY_STORE[name] for name in names if name in _BY_STORE), _of_nodes)
    return read(index, [node.node_id for node in nodes])


def _in_simple(index: Any, ids: Ids) -> Sequence[Any]:
    return [index.vector_store.data.embedding_dict.get(name) for name in ids]


def _in_faiss(index: Any, ids: Ids) -> Sequence[Any]:
    positions = _FAISS_POSITIONS.of(index, index.index_struct.nodes_dict, ids)
    vectors = index.vector_store._faiss_index
    return [None if at is None else faiss_vector(vectors, at) for at in positions]


def _in_chroma(index: Any, ids: Ids) -> Sequence[Any]:
    return vectors_in_chroma(index.vector_store._collection, ids)


def _in_qdrant(index: Any, ids: Ids) -> Sequence[Any]:
    store = index.vector_store
    if store._client is None:  # an async client only
        return [None] * len(ids)
    name = store.dense_vector_name
    return vectors_in_qdrant(store._client, store.collection_name, ids, name)


def _in_milvus(index: Any, ids: Ids) -> Sequence[Any]:
    store = index.vector_store
    field = store.embedding_field
    return vectors_in_milvus(store.client, store.collection_name, ids, key="id", vector=field)


def _of_nodes(index: Any, ids: Ids) -> Sequence[Any]:
    """Ask any other store for its nodes, which may hold their vectors."""
    try:
        nodes = index.vector_store.get_nodes(list(ids))
    except (NotImplementedError, AttributeError, TypeError):
        return [None] * len(ids)
    found = {node.node_id: node.embedding for node in nodes or []}
    return [found.get(name) for name in ids]


_BY_STORE: Mapping[str, Callable[[Any, Ids], Sequence[Any]]] = {
    "SimpleVectorStore": _in_simple,
    "FaissVectorStore": _in_faiss,
    "ChromaVectorStore": _in_chroma,
    "QdrantVectorStore": _in_qdrant,
    "MilvusVectorStore": _in_milvus,
}
