"""LlamaIndex: its store in PostgreSQL, the table behind it, and a search with vectors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from llama_index.core.vector_stores.types import (
    VectorStoreQuery,
    VectorStoreQueryMode,
    VectorStoreQueryResult,
)

from ..stores.address import Address
from ..stores.postgres.catalogue import PREFIX, table_of
from ..stores.postgres.index import PostgresIndex, vectors_in_postgres
from ..stores.postgres.table import Table
from ..stores.postgres.transactions import of_engine
from ..stores.postgres_address import PostgresAddress
from .nodes import TextOfNode, text_of_metadata

_PACKAGE = "llama_index.vector_stores.postgres"


def is_postgres(store: Any) -> bool:
    """Whether a vector store is LlamaIndex's of PostgreSQL: other packages have such names, too."""
    return any(base.__module__.startswith(_PACKAGE) for base in type(store).__mro__)


def index_of_postgres(store: Any, text_of: TextOfNode) -> PostgresIndex:
    """Return the table of a store, which the store makes where it is not there.

    Args:
        text_of: returns the text that was embedded of a node.
    """
    store._initialize()
    table, read = _table(store), partial(text_of_metadata, text_of)
    return PostgresIndex(
        f"The table {table.name!r} of PostgreSQL",
        of_engine(store._engine),
        table,
        scale="similarity",
        by_cosine=True,
        read=lambda text, metadata: (read(text, metadata), metadata),
    )


def stored_in_postgres(index: Any, ids: Sequence[str]) -> Sequence[Any]:
    """Return the stored vector of each node."""
    store = index.vector_store
    store._initialize()
    return vectors_in_postgres(of_engine(store._engine), _table(store), ids)


def _table(store: Any) -> Table:
    return Table(
        store.schema_name,
        store._table_class.__tablename__,
        id="node_id",
        text="text",
        vector="embedding",
        metadata="metadata_",
        order="id",
    )


@contextmanager
def opened_postgres(address: Address) -> Iterator[Any]:
    """Yield the store of a table that LlamaIndex filled, at an address."""
    from llama_index.vector_stores.postgres import PGVectorStore

    with table_of(address) as (sql, table):
        declared = table.type_of(sql, table.vector)
    assert isinstance(address, PostgresAddress)
    kind, _, dimension = declared.partition("(")
    store = PGVectorStore(
        connection_string=address.engine_url(),
        async_connection_string=address.engine_url("asyncpg"),
        table_name=table.name.removeprefix(PREFIX),
        schema_name=table.schema,
        embed_dim=int(dimension.rstrip(")")),
        use_halfvec=kind == "halfvec",
        perform_setup=False,
    )
    try:
        yield store
    finally:
        if store._engine is not None:
            store._engine.dispose()


class WithVectors:
    """A store whose nodes have their vectors, which its own search for MMR reads.

    Its table has no index of the ids of nodes: asking for vectors by id would read all of it.
    """

    def __init__(self, store: Any) -> None:
        self._store = store

    @classmethod
    def of(cls, store: Any) -> Any:
        """Return a store with this search, where it is one of PostgreSQL that has it.

        The package cannot read vectors of half precision in that search.
        """
        known = is_postgres(store) and hasattr(store, "_query_with_embedding")
        is_own = type(store).query.__module__.startswith(_PACKAGE)  # and not that of a subclass
        return cls(store) if known and is_own and not store.use_halfvec else store

    def __getattr__(self, name: str) -> Any:
        """Return anything else of the store."""
        return getattr(self._store, name)

    def query(self, query: VectorStoreQuery, **options: Any) -> VectorStoreQueryResult:
        """Return the nodes that are nearest, with their vectors where they are asked by one."""
        if query.mode != VectorStoreQueryMode.DEFAULT:
            result: VectorStoreQueryResult = self._store.query(query, **options)
            return result
        self._store._initialize()
        return self._result(self._store._query_with_embedding(*_asked(query), **options))

    async def aquery(self, query: VectorStoreQuery, **options: Any) -> VectorStoreQueryResult:
        """Do the same with the asynchronous engine of the store."""
        if query.mode != VectorStoreQueryMode.DEFAULT:
            result: VectorStoreQueryResult = await self._store.aquery(query, **options)
            return result
        self._store._initialize()
        return self._result(
            await self._store._async_query_with_embedding(*_asked(query), **options)
        )

    def _result(self, rows: Sequence[tuple[Any, Sequence[float]]]) -> VectorStoreQueryResult:
        result: VectorStoreQueryResult = self._store._db_rows_to_query_result([r for r, _ in rows])
        for node, (_, vector) in zip(result.nodes or (), rows, strict=True):
            node.embedding = list(map(float, vector)) or None
        return result


def _asked(query: VectorStoreQuery) -> tuple[Any, int, Any]:
    return query.query_embedding, query.similarity_top_k, query.filters
