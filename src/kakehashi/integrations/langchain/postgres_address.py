"""LangChain: the store of a table of PostgreSQL at an address, whoever filled it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore

from ...errors import KakehashiError
from ..stores.address import Address
from ..stores.postgres.catalogue import table_of
from ..stores.postgres.vector_indices import settings_of
from ..stores.postgres_address import PostgresAddress

_OPERATORS = {"_l2_": "EUCLIDEAN", "_ip_": "INNER_PRODUCT"}
"""By operator class of an index of vectors, the distance strategy that it serves; else cosine."""


@contextmanager
def opened_postgres(address: Address, embeddings: Embeddings) -> Iterator[VectorStore]:
    """Yield the store of an address; it searches by the metric of its index.

    Raises:
        DataError: no such table.
        KakehashiError: langchain-postgres is not installed.
    """
    try:
        from langchain_postgres import PGEngine, PGVector, PGVectorStore
        from langchain_postgres.v2.indexes import DistanceStrategy
    except ImportError as error:
        raise KakehashiError(
            "langchain-postgres is not installed, which opens such a store: pip install "
            "langchain-postgres"
        ) from error
    assert isinstance(address, PostgresAddress)
    with table_of(address) as (sql, table):
        stated = "" if table.collection else str(settings_of(sql, table, None))
    if table.collection is not None:
        collection = PGVector(
            embeddings, connection=address.engine_url(), collection_name=table.collection
        )
        try:
            yield collection
        finally:
            engine: Any = collection._engine
            engine.dispose()
        return
    strategy = next((s for ops, s in _OPERATORS.items() if ops in stated), "COSINE_DISTANCE")
    engine = PGEngine.from_connection_string(address.engine_url())
    try:
        yield PGVectorStore.create_sync(
            engine,
            embeddings,
            table.name,
            schema_name=str(table.schema),
            id_column=table.id,
            content_column=table.text,
            embedding_column=table.vector,
            metadata_columns=list(table.also),
            metadata_json_column=table.metadata or "",  # a name that no column has
            distance_strategy=DistanceStrategy[strategy],
        )
    finally:
        engine._run_as_sync(engine._pool.dispose())
