"""LangChain: the index behind a vector store, and its check at the first search."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
from langchain_core.vectorstores import VectorStore

from ...retrieval.document_modality import DocumentModality
from ...retrieval.index_record import IndexRecord
from ...retrieval.stored_index import StoredDocument, StoredIndex, declared_scale
from .._caller import caller_of
from .._modalities import Space
from ..stores.checked import require_index, was_checked
from ..stores.chroma import ChromaIndex
from ..stores.in_memory import InMemoryIndex, Keeper, faiss_scale, faiss_vector
from ..stores.lancedb import LanceDBIndex
from ..stores.qdrant import QdrantIndex
from ..stores.unlisted import UnlistedIndex
from .postgres import in_this_loop, index_of_postgres

TEXT = "page_content"
"""The text of a document that LangChain embeds."""


def index_of(store: VectorStore, dimension: int) -> StoredIndex:
    """Return the index of a vector store.

    Args:
        dimension: of the vectors that it is searched with.
    """
    opened: Any = store
    names = {each.__name__ for each in type(opened).__mro__}
    if "AlignedVectorStore" in names:
        return index_of(opened.vectorstore, dimension)
    if "Chroma" in names:
        return ChromaIndex(opened._collection)
    if "QdrantVectorStore" in names:
        keys = opened.content_payload_key, opened.metadata_payload_key
        read = partial(_read_payload, *keys)
        return QdrantIndex(opened.client, opened.collection_name, read, opened.vector_name)
    if "LanceDB" in names and hasattr(opened, "get_table"):
        table = opened.get_table()
        if table is None:  # the first write makes it
            return InMemoryIndex("The table of LanceDB", None, [], lambda _: None)
        return LanceDBIndex(table, opened._vector_key, partial(_read_row, opened._text_key))
    if "InMemoryVectorStore" in names:
        return InMemoryIndex(
            "The in-memory store",
            "similarity",
            list(opened.store),
            partial(_of_memory, opened),
            by_cosine=True,
        )
    if "FAISS" in names:
        return InMemoryIndex(
            "The FAISS store",
            faiss_scale(opened.index),
            list(opened.index_to_docstore_id),
            partial(_of_faiss, opened),
            Keeper(  # save_local pickles the docstore with its attributes
                lambda key: getattr(opened.docstore, key, None),
                partial(setattr, opened.docstore),
            ),
        )
    if (of_postgres := index_of_postgres(store)) is not None:
        return of_postgres
    return UnlistedIndex(type(store).__name__, dimension, partial(_search, opened))


def scale_of(store: VectorStore, space: Space) -> str | None:
    """Return the scale of the scores of a store, as it declares it."""
    return declared_scale(index_of(store, space.output_dimension))


def check(store: VectorStore, space: Space, modality: DocumentModality) -> None:
    """Refuse a store whose vectors the aligner did not make; ask it once only."""
    require_index(store, partial(index_of, store, space.output_dimension), space, modality)


async def acheck(store: VectorStore, space: Space, modality: DocumentModality) -> None:
    """Do the same without blocking the event loop; a store that was checked needs no thread."""
    if not was_checked(store, space, modality):
        with in_this_loop():
            await asyncio.to_thread(check, store, space, modality)


def check_caller(space: Space, modality: DocumentModality) -> None:
    """Refuse the store that calls our embeddings for a query, if it holds others' vectors."""
    if (store := caller_of("VectorStore")) is not None:
        check(store, space, modality)


async def acheck_caller(space: Space, modality: DocumentModality) -> None:
    """Do the same without blocking the event loop."""
    if (store := caller_of("VectorStore")) is not None:
        await acheck(store, space, modality)


def note_filling(space: Space, modality: DocumentModality) -> None:
    """Refuse the store that calls for documents, if it holds others' vectors; record a new one."""
    if (store := caller_of("VectorStore")) is not None:
        _check_or_record(store, space, modality, cached=_is_cached())


async def anote_filling(space: Space, modality: DocumentModality) -> None:
    """Do the same without blocking the event loop."""
    store = caller_of("VectorStore")
    if store is not None and not was_checked(store, space, modality):
        cached = _is_cached()  # here: a thread has no callers
        with in_this_loop():
            await asyncio.to_thread(_check_or_record, store, space, modality, cached=cached)


def _is_cached() -> bool:
    """Whether a cache calls, for those documents alone that it does not hold."""
    return caller_of("CacheBackedEmbeddings") is not None


def _check_or_record(
    store: VectorStore, space: Space, modality: DocumentModality, *, cached: bool
) -> None:
    if isinstance(index_of(store, 0), UnlistedIndex):
        return  # a search may fail before there is a document
    if getattr(store, "mode", None) == "overwrite":
        return  # LanceDB's default: the write replaces all documents, and the record with them
    check(store, space, modality)
    if cached:  # what a cache kept under a name of the user's own may be another aligner's
        return
    if not was_checked(store, space, modality):  # it holds no documents yet
        # A store that cannot be recorded is filled all the same: an old server or client knows no
        # metadata, or the caller may not change them. A first search then compares vectors.
        with suppress(Exception):
            record(store, space)


def record(store: VectorStore, space: Space) -> bool:
    """Write into a store that the aligner filled it; say whether the store can hold that."""
    return index_of(store, space.output_dimension).write(IndexRecord.of(space, TEXT))


def _of_memory(store: Any, name: str) -> StoredDocument | None:
    row = store.store.get(name)
    if row is None:
        return None
    return StoredDocument(row["text"], row["metadata"] or {}, np.asarray(row["vector"], np.float32))


def _of_faiss(store: Any, position: int) -> StoredDocument | None:
    document = store.docstore.search(store.index_to_docstore_id[position])
    if isinstance(document, str):  # the docstore's way to say that there is none
        return None
    vector = faiss_vector(store.index, position)
    return StoredDocument(document.page_content, document.metadata, vector)


def _read_payload(
    content: str, metadata: str, payload: Mapping[str, Any]
) -> tuple[str, Mapping[str, Any]]:
    return str(payload.get(content) or ""), payload.get(metadata) or {}


def _read_row(text: str, row: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    return str(row[text] or ""), row.get("metadata") or {}


def _search(store: Any, vector: list[float], k: int) -> Sequence[tuple[str, dict[str, Any]]]:
    found = store.similarity_search_by_vector(vector, k=k)
    return [(document.page_content, document.metadata) for document in found]
