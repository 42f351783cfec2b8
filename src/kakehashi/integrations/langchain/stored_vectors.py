"""LangChain: the stored vectors of the documents that a search of a store returns.

They come with the search where the store can give them, else by a further call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from langchain_core.documents import Document
from langchain_core.vectorstores import VectorStore

from ..stores.chroma import vectors_in_chroma
from ..stores.in_memory import Positions, faiss_vector
from ..stores.milvus import vectors_in_milvus
from ..stores.qdrant import vectors_in_qdrant
from .filters import kind_of
from .postgres import gives_vectors, search_collection, search_table, stored_in_postgres

Documents = Sequence[Document]
Rows = list[tuple[Document, float, Any]]
_FAISS_POSITIONS = Positions()


def stored_vectors(store: VectorStore, documents: Documents) -> Sequence[Any]:
    """Return the stored vector of each document; None where the store does not give it.

    Those of LanceDB come with a search only: its documents have no ids.
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
    "PGVectorStore": stored_in_postgres,
    "PGVector": stored_in_postgres,
}


def search_with_vectors(store: Any) -> Callable[..., Rows] | None:
    """Return a search by vector whose rows are (document, score, stored vector), if there is one.

    It takes a vector, k and the options of the store's own search.
    """
    search = _WITH_SEARCH.get(kind_of(store) or "")
    if search is _search_memory and not hasattr(store, _OF_MEMORY):
        return None
    if search in (search_table, search_collection) and not gives_vectors(store):
        return None
    return None if search is None else partial(search, store)


_OF_MEMORY = "_similarity_search_with_score_by_vector"


def _search_memory(store: Any, vector: list[float], k: int, **options: Any) -> Rows:
    rows: Rows = getattr(store, _OF_MEMORY)(vector, k=k, **options)
    return rows


def _search_lancedb(store: Any, vector: list[float], k: int, **options: Any) -> Rows:
    rows = store._query(vector, k, **options)
    vectors = rows[store._vector_key].to_pylist()
    documents = store.results_to_docs(rows, score=True)
    return [(d, raw, stored) for (d, raw), stored in zip(documents, vectors, strict=True)]


def _search_chroma(
    store: Any, vector: list[float], k: int, filter: Any = None, **options: Any
) -> Rows:
    columns = ("ids", "documents", "metadatas", "distances", "embeddings")
    page = store._collection.query(
        query_embeddings=[vector], n_results=k, where=filter, include=list(columns[1:]), **options
    )
    return [
        (Document(text, metadata=metadata or {}, id=name), distance, stored)
        for name, text, metadata, distance, stored in zip(
            *(page[column][0] for column in columns), strict=True
        )
        if text is not None
    ]


def _search_qdrant(
    store: Any, vector: list[float], k: int, filter: Any = None, **options: Any
) -> Rows:
    name = store.vector_name
    points = store.client.query_points(
        store.collection_name,
        query=vector,
        using=name or None,
        query_filter=filter,
        limit=k,
        with_payload=True,
        with_vectors=[name] if name else True,
        **options,
    ).points
    read = store.collection_name, store.content_payload_key, store.metadata_payload_key
    return [
        (
            store._document_from_point(point, *read),
            point.score,
            point.vector.get(name) if isinstance(point.vector, dict) else point.vector,
        )
        for point in points
    ]


_WITH_SEARCH: Mapping[str, Callable[..., Rows]] = {
    "InMemoryVectorStore": _search_memory,
    "LanceDB": _search_lancedb,
    "Chroma": _search_chroma,
    "QdrantVectorStore": _search_qdrant,
    "PGVectorStore": search_table,
    "PGVector": search_collection,
}
