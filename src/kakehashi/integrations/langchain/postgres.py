"""LangChain: the two stores of langchain-postgres, their tables, and searches with vectors."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from langchain_core.documents import Document

from ...retrieval.filters import matches
from ..stores.postgres.catalogue import pgvector_table
from ..stores.postgres.index import PostgresIndex, vectors_in_postgres
from ..stores.postgres.table import Table
from ..stores.postgres.transactions import Transaction, of_async_engine, of_engine

KINDS = ("PGVectorStore", "PGVector")
"""Its stores: one with a table for each, and the older one, whose collections share a table."""
OWN_OPERATORS = ("$between", "$exists", "$like", "$ilike")
"""Operators of their filters that other stores have not."""
_UNREAD = {"$between", "$like", "$ilike"}
_SCALES = {
    "COSINE_DISTANCE": "cosine distance",
    "COSINE": "cosine distance",
    "EUCLIDEAN": "l2",
    "INNER_PRODUCT": "similarity",
    "MAX_INNER_PRODUCT": "negative similarity",
}
"""By distance strategy of both stores, the scale of the scores of unit vectors."""
_TABLE_STORE, _SEARCH = "_PGVectorStore__vs", "_AsyncPGVectorStore__query_collection"
_OLDER_SEARCH = "_PGVector__query_collection"
"""What the stores keep private: the asynchronous store within, and searches that return vectors."""
_LOOP: ContextVar[asyncio.AbstractEventLoop] = ContextVar("event loop of an engine")


@contextmanager
def in_this_loop() -> Iterator[None]:
    """Let a thread ask an asynchronous store in the event loop that runs here.

    It is for the store within a PGVectorStore, which calls our embeddings in the loop of its own
    engine.
    """
    token = _LOOP.set(asyncio.get_running_loop())
    try:
        yield
    finally:
        _LOOP.reset(token)


def postgres_kind(store: Any) -> str | None:
    """Return which of ``KINDS`` a store is; None for any other.

    A store without a synchronous engine is another: only its own event loop can ask it.
    """
    for base in type(store).__mro__:
        if base.__name__ in KINDS and base.__module__.startswith("langchain_postgres."):
            engine = getattr(store, "_engine", None)
            if base.__name__ == "PGVectorStore":
                engine = hasattr(store, _TABLE_STORE) and getattr(engine, "_loop", None)
            return base.__name__ if engine else None
    return None


def index_of_postgres(store: Any) -> PostgresIndex | None:
    """Return the index of a store; None for any other store."""
    if postgres_kind(store) is None and not _is_asked_by_its_loop(store):
        return None
    table = _table(store)
    if table.collection is None:
        name = f"The table {table.name!r} of PostgreSQL"
        strategy = _within(store).distance_strategy.name
    else:
        name = f"The collection {table.collection!r} of PGVector"
        strategy = store._distance_strategy.name
    scale, cosine = _SCALES.get(strategy), strategy.startswith("COSINE")
    return PostgresIndex(name, _transaction(store), table, scale=scale, by_cosine=cosine)


def _is_asked_by_its_loop(store: Any) -> bool:
    names = {base.__name__ for base in type(store).__mro__}
    return "AsyncPGVectorStore" in names and _LOOP.get(None) is not None


def stored_in_postgres(store: Any, documents: Sequence[Document]) -> list[Any]:
    """Return the stored vector of each document; None where there is none."""
    ids = [document.id for document in documents]
    return vectors_in_postgres(_transaction(store), _table(store), ids)


def search_table(
    store: Any, vector: list[float], k: int, **options: Any
) -> list[tuple[Document, float, Any]]:
    """Search a PGVectorStore, whose own search reads the vectors and drops them."""
    asked, alone = _within(store), {"hybrid_search_config": None}
    search = getattr(asked, _SEARCH)(embedding=vector, k=k, **alone | options)
    rows = []
    for row in store._engine._run_as_sync(search):
        metadata = (row[asked.metadata_json_column] if asked.metadata_json_column else None) or {}
        document = Document(
            row[asked.content_column],
            metadata=metadata | {column: row[column] for column in asked.metadata_columns},
            id=str(row[asked.id_column]),
        )
        rows.append((document, row["distance"], json.loads(row[asked.embedding_column])))
    return rows


def search_collection(
    store: Any, vector: list[float], k: int, **options: Any
) -> list[tuple[Document, float, Any]]:
    """Search a PGVector, whose own search reads the vectors and drops them."""
    found = getattr(store, _OLDER_SEARCH)(embedding=vector, k=k, **options)
    scored = store._results_to_docs_and_scores(found)
    return [
        (document, score, row.EmbeddingStore.embedding)
        for (document, score), row in zip(scored, found, strict=True)
    ]


def columns_of(store: Any) -> Sequence[str]:
    """Return the columns of the metadata that a filter may name."""
    asked = _within(store)
    if not hasattr(asked, "table_name"):
        return ()
    return [asked.id_column, asked.content_column, *asked.metadata_columns]


def lets_through(wanted: Mapping[str, Any], metadata: Mapping[str, Any]) -> bool:
    """Whether a filter in the form of these stores lets a document through.

    Of their own operators it knows ``$exists`` alone; a document that others may let through is
    taken for shut out.
    """
    for name, value in wanted.items():
        if name in ("$and", "$or"):
            join = all if name == "$and" else any
            met = join(lets_through(each, metadata) for each in value)
        elif name == "$not" or (isinstance(value, dict) and value.keys() & _UNREAD):
            return False
        elif isinstance(value, dict) and "$exists" in value:
            met = (metadata.get(name) is not None) == value["$exists"]
        else:
            met = metadata.get(name) is not None and matches({name: value}, metadata)
        if not met:
            return False
    return True


def gives_vectors(store: Any) -> bool:
    """Whether the installed langchain-postgres has the searches that return vectors."""
    asked = _within(store)
    return hasattr(asked, _SEARCH) or hasattr(asked, _OLDER_SEARCH)


def _within(store: Any) -> Any:
    """Return the asynchronous store of a table, or what it is within; a PGVector as it is."""
    return getattr(store, _TABLE_STORE, store)


def _table(store: Any) -> Table:
    asked = _within(store)
    if not hasattr(asked, "table_name"):
        return pgvector_table(None, store.collection_name)
    return Table(
        asked.schema_name,
        asked.table_name,
        id=asked.id_column,
        text=asked.content_column,
        vector=asked.embedding_column,
        metadata=asked.metadata_json_column,
        also=tuple(asked.metadata_columns),
    )


def _transaction(store: Any) -> Transaction:
    if hasattr(store, _TABLE_STORE):
        return of_async_engine(store._engine._pool, store._engine._run_as_sync)
    if not hasattr(store, "table_name"):
        return of_engine(store._engine)
    loop = _LOOP.get()

    def wait(call: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(call, loop).result()

    return of_async_engine(store.engine, wait)
