"""LlamaIndex: the store behind an index, and its check at the first search."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
from llama_index.core.indices import DocumentSummaryIndex, VectorStoreIndex
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.vector_stores.types import VectorStoreQuery

from ...retrieval.document_modality import DocumentModality
from ...retrieval.index_record import IndexRecord
from ...retrieval.stored_index import StoredIndex, declared_scale
from .._caller import caller_of
from ..stores.checked import require_index, was_checked
from ..stores.chroma import ChromaIndex
from ..stores.in_memory import InMemoryIndex, Keeper, faiss_scale, faiss_vector
from ..stores.lancedb import LanceDBIndex
from ..stores.qdrant import QdrantIndex
from ..stores.unlisted import UnlistedIndex
from .added_nodes import check_vectors, nodes_with_vectors
from .nodes import EmbedsNodes, TextOfNode, document_of, read_payload, read_row, text_of_metadata
from .postgres import index_of_postgres, is_postgres

TEXT = "the text and the metadata that a node shows to encoders"
"""The text of a node that LlamaIndex embeds."""


def index_of(index: VectorStoreIndex, text_of: TextOfNode, dimension: int) -> StoredIndex:
    """Return what lies behind an index.

    Args:
        text_of: returns the text that was embedded of a node.
        dimension: of the vectors that it is searched with.
    """
    store: Any = index.vector_store
    names = {each.__name__ for each in type(store).__mro__}
    if "ChromaVectorStore" in names:
        return _Chroma(store._collection, partial(text_of_metadata, text_of))
    if "QdrantVectorStore" in names:
        client = store._client  # None where there is an async client only: it cannot be asked here
        if client is None or not client.collection_exists(store.collection_name):
            return InMemoryIndex("The collection of Qdrant", None, [], lambda _: None)
        read = partial(read_payload, text_of)
        return QdrantIndex(client, store.collection_name, read, store.dense_vector_name)
    if "LanceDBVectorStore" in names:
        if store._table is None:  # the first write makes it
            return InMemoryIndex("The table of LanceDB", None, [], lambda _: None)
        row = partial(read_row, text_of, store.text_key)
        return LanceDBIndex(store._table, store.vector_column_name, row)
    if "SimpleVectorStore" in names:
        vectors = store.data.embedding_dict
        named = partial(document_of, index, text_of)
        return InMemoryIndex(
            "The simple vector store",
            "similarity",
            list(vectors),
            lambda name: named(name, np.asarray(vectors[name], np.float32)),
            _keeper(index),
            by_cosine=True,
        )
    if "FaissVectorStore" in names:
        struct = getattr(index, "_index_struct", None)
        nodes: Mapping[str, str] = getattr(struct, "nodes_dict", {})
        named = partial(document_of, index, text_of)
        return InMemoryIndex(
            "The FAISS store",
            faiss_scale(store._faiss_index),
            list(nodes),
            lambda at: named(nodes[at], faiss_vector(store._faiss_index, int(at))),
            _keeper(index),
        )
    if is_postgres(store):
        return index_of_postgres(store, text_of)
    return UnlistedIndex(type(store).__name__, dimension, partial(_search, index, text_of))


def check(index: VectorStoreIndex, embedding: EmbedsNodes, modality: DocumentModality) -> None:
    """Refuse an index whose vectors the embedding's aligner did not make; ask it once only."""
    space = embedding.aligner
    opened = partial(index_of, index, embedding.text_of, space.output_dimension)
    require_index(index, opened, space, modality)


def scale_of(index: VectorStoreIndex, embedding: EmbedsNodes) -> str | None:
    """Return the scale of the scores of an index, as its store declares it."""
    return declared_scale(index_of(index, embedding.text_of, embedding.aligner.output_dimension))


async def acheck(
    index: VectorStoreIndex, embedding: EmbedsNodes, modality: DocumentModality
) -> None:
    """Do the same without blocking the event loop; a store that was checked needs no thread."""
    if not was_checked(index, embedding.aligner, modality):
        await asyncio.to_thread(check, index, embedding, modality)


def check_caller(embedding: EmbedsNodes, modality: DocumentModality) -> None:
    """Refuse the index that calls our embedding for a query, if it holds others' vectors."""
    if (index := _calling_index()) is not None:
        check(index, embedding, modality)


async def acheck_caller(embedding: EmbedsNodes, modality: DocumentModality) -> None:
    """Do the same without blocking the event loop."""
    if (index := _calling_index()) is not None:
        await acheck(index, embedding, modality)


def note_filling(embedding: EmbedsNodes, modality: DocumentModality) -> None:
    """Refuse nodes, and the index that calls for them, of others' vectors; record a new one."""
    if nodes := nodes_with_vectors(embedding):
        check_vectors(nodes, embedding, modality)
    if (index := _filled_index(embedding)) is not None:
        _check_or_record(index, embedding, modality)


async def anote_filling(embedding: EmbedsNodes, modality: DocumentModality) -> None:
    """Do the same without blocking the event loop."""
    if nodes := nodes_with_vectors(embedding):  # here: a thread has no callers
        await asyncio.to_thread(check_vectors, nodes, embedding, modality)
    index = _filled_index(embedding)
    if index is not None and not was_checked(index, embedding.aligner, modality):
        await asyncio.to_thread(_check_or_record, index, embedding, modality)


def _check_or_record(
    index: VectorStoreIndex, embedding: EmbedsNodes, modality: DocumentModality
) -> None:
    check(index, embedding, modality)
    if not was_checked(index, embedding.aligner, modality):  # it holds no nodes yet
        with suppress(Exception):  # a store that cannot be recorded is filled all the same
            record(index, embedding)


def _filled_index(embedding: EmbedsNodes) -> VectorStoreIndex | None:
    """Return the index that calls for nodes; None where a search may fail before there is one."""
    caller = caller_of("VectorStoreIndex", "IngestionPipeline", "NodeParser")
    if isinstance(caller, IngestionPipeline):
        store: Any = caller.vector_store
        if store is None or not store.stores_text:
            return None
        model: Any = embedding
        caller = VectorStoreIndex.from_vector_store(store, embed_model=model)
    # A parser (SemanticSplitterNodeParser) compares vectors, and stores none.
    stores = isinstance(caller, VectorStoreIndex)
    listed = stores and not isinstance(index_of(caller, embedding.text_of, 0), UnlistedIndex)
    return caller if listed else None


def _calling_index() -> Any:
    """Return the index whose retriever calls for a query, or None."""
    retriever = caller_of("VectorIndexRetriever", "DocumentSummaryIndexEmbeddingRetriever")
    index = getattr(retriever, "_index", None)
    return index if isinstance(index, (VectorStoreIndex, DocumentSummaryIndex)) else None


def record(index: VectorStoreIndex, embedding: EmbedsNodes) -> bool:
    """Write into an index that the embedding's aligner filled it; say whether it can hold that."""
    space = embedding.aligner
    opened = index_of(index, embedding.text_of, space.output_dimension)
    return opened.write(IndexRecord.of(space, TEXT))


class _Chroma(ChromaIndex):
    """A collection whose distances LlamaIndex turns into exp(-distance)."""

    @property
    def scale(self) -> str | None:
        """The scale of the scores that LlamaIndex makes."""
        distance = super().scale
        return None if distance is None else f"exp(-{distance})"


def _keeper(index: VectorStoreIndex) -> Keeper | None:
    """Keep texts in the index store, under the id of the index: it is persisted with it."""
    values: Any = getattr(index.storage_context.index_store, "_kvstore", None)
    struct = getattr(index, "_index_struct", None)  # an index has none while it is being built
    if values is None or struct is None:
        return None

    def get(key: str) -> Any:
        return (values.get(struct.index_id, key) or {}).get("record")

    def put(key: str, text: str) -> None:
        values.put(struct.index_id, {"record": text}, key)

    return Keeper(get, put)


def _search(
    index: VectorStoreIndex, text_of: TextOfNode, vector: list[float], k: int
) -> Sequence[tuple[str, dict[str, Any]]]:
    query = VectorStoreQuery(query_embedding=vector, similarity_top_k=k)
    try:
        found = index.vector_store.query(query)
    except Warning:  # LanceDB's store raises one where it holds nothing
        return []
    return [(text_of(node), node.metadata) for node in found.nodes or []]
