"""Stores that a migration moves, each with what fills one: the contract suite runs over all.

To add a store, write a context manager that yields a ``MovableStore`` and name it in ``STORES``.
A server is started once, by ``servers.once``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.vectorstores import InMemoryVectorStore
from support.movable_files import faiss_folder, llama_index_faiss, llama_index_storage
from support.movable_store import MovableStore, NewRow, Servers
from support.postgres_server import postgres_url
from support.vector_stores import chroma_server, fresh

_HNSW = {"space": "cosine", "ef_construction": 77, "max_neighbors": 24, "ef_search": 55}


def _chroma(client: Any, place: str) -> MovableStore:
    name = fresh()
    collection = client.create_collection(
        name, configuration={"hnsw": _HNSW}, metadata={"owner": "the docs team"}
    )

    def fill(rows: Sequence[NewRow]) -> None:
        ids, vectors, texts, metadata = zip(*rows, strict=True)
        fields = {"documents": texts, "metadatas": [each or None for each in metadata]}
        given = {k: list(v) for k, v in fields.items() if any(each is not None for each in v)}
        collection.upsert(ids=list(ids), embeddings=np.stack(vectors), **given)

    return MovableStore(f"chroma:{place}?collection={name}", fill, settings={"hnsw": _HNSW})


@contextmanager
def chroma(folder: Path, servers: Servers) -> Iterator[MovableStore]:
    """Yield a collection in a folder."""
    chromadb = pytest.importorskip("chromadb")
    yield _chroma(chromadb.PersistentClient(str(folder / "chroma")), str(folder / "chroma"))


@contextmanager
def chroma_over_http(folder: Path, servers: Servers) -> Iterator[MovableStore]:
    """Yield a collection of ``chroma run``."""
    client = servers.once("chroma", lambda: chroma_server(folder))
    yield _chroma(client, f"//127.0.0.1:{client.get_settings().chroma_server_http_port}")


@contextmanager
def qdrant(folder: Path, servers: Servers) -> Iterator[MovableStore]:
    """Yield a collection of Qdrant's local mode."""
    models = pytest.importorskip("qdrant_client").models
    from kakehashi.integrations.stores.address import Address
    from kakehashi.integrations.stores.qdrant_clients import QdrantAccess

    (folder / "qdrant").mkdir()
    (folder / "qdrant" / "meta.json").write_text('{"collections": {}, "aliases": {}}')
    name = fresh()
    # Local mode lets one client in: the application's is that of the migration.
    access = QdrantAccess(Address("", "qdrant", folder / "qdrant"))
    by = models.VectorParams(size=16, distance=models.Distance.COSINE)
    access.client.create_collection(name, vectors_config=by, metadata={"owner": "the docs team"})

    def fill(rows: Sequence[NewRow]) -> None:
        points = []
        for row in rows:
            stored = {"page_content": row.text, "metadata": row.metadata}
            payload = {field: value for field, value in stored.items() if value is not None}
            vector = row.vector.tolist()
            points.append(models.PointStruct(id=row.id, vector=vector, payload=payload))
        access.client.upsert(name, points)

    yield MovableStore(f"qdrant:{folder / 'qdrant'}?collection={name}", fill, ordered=False)
    access.close()


@contextmanager
def lancedb(folder: Path, servers: Servers) -> Iterator[MovableStore]:
    """Yield a table of LanceDB, with an index of another column."""
    package = pytest.importorskip("lancedb")
    import pyarrow as pa
    from lancedb.index import BTree

    metadata = pa.struct({"page": pa.int64(), "書": pa.string(), "on": pa.bool_()})
    vector = pa.list_(pa.float32(), 16)
    columns = {"id": pa.string(), "vector": vector, "text": pa.string(), "metadata": metadata}
    name = fresh()
    table = package.connect(str(folder / "lancedb")).create_table(name, schema=pa.schema(columns))
    table.create_index("id", config=BTree())

    def fill(rows: Sequence[NewRow]) -> None:
        table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all().execute(
            pa.Table.from_pylist([row._asdict() for row in rows], pa.schema(columns))
        )

    yield MovableStore(f"lancedb:{folder / 'lancedb'}?collection={name}", fill)


@contextmanager
def parquet(folder: Path, servers: Servers) -> Iterator[MovableStore]:
    """Yield a folder of Parquet files, with a column of its own and several files."""
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    place = folder / "files"
    place.mkdir()
    metadata = pa.struct({"page": pa.int64(), "書": pa.string(), "on": pa.bool_()})
    vector = pa.list_(pa.float32(), 16)
    columns = {"id": pa.string(), "text": pa.string(), "vector": vector, "metadata": metadata}
    schema = pa.schema({**columns, "when": pa.timestamp("us")})
    pq.write_table(schema.empty_table(), place / "0.parquet")

    def fill(rows: Sequence[NewRow]) -> None:
        """Write the rows as an application does, which writes all its files again."""
        old = [row for path in sorted(place.iterdir()) for row in pq.read_table(path).to_pylist()]
        every = {row["id"]: row for row in old} | {row.id: row._asdict() for row in rows}
        listed = list(every.values())
        for number, start in enumerate(range(0, len(listed), 13)):
            table = pa.Table.from_pylist(listed[start : start + 13], schema)
            pq.write_table(table, place / f"{number}.parquet", compression="zstd")

    yield MovableStore(f"parquet:{place}", fill)


@contextmanager
def langchain_dump(folder: Path, servers: Servers) -> Iterator[MovableStore]:
    """Yield a dump of LangChain's in-memory store."""
    path, embeddings = str(folder / "dump.json"), DeterministicFakeEmbedding(size=16)
    InMemoryVectorStore(embeddings).dump(path)

    def fill(rows: Sequence[NewRow]) -> None:
        store = InMemoryVectorStore.load(path, embeddings)
        for row in rows:
            entry = {"id": row.id, "vector": row.vector.tolist(), "text": row.text}
            store.store[row.id] = {**entry, "metadata": dict(row.metadata or {})}
        store.dump(path)

    yield MovableStore(f"langchain:{folder / 'dump.json'}", fill)


def _table_like(name: str, columns: str) -> dict[str, Any]:
    """Make a table with an index of its vectors; return its settings."""
    import psycopg

    with psycopg.connect(postgres_url(), autocommit=True) as connection:
        connection.execute(f"CREATE TABLE {name} ({columns})")
        connection.execute(
            f"CREATE INDEX ON {name} USING hnsw (embedding vector_cosine_ops) WITH (m = 24)"
        )
    return {"hnsw": {"(embedding vector_cosine_ops)": "m='24'"}}


def _filling(table: str, columns: str, where: str = "") -> Callable[[Sequence[NewRow]], None]:
    """Return what writes rows as LangChain does: id, text, metadata and vector."""

    def fill(rows: Sequence[NewRow]) -> None:
        import psycopg

        names = [name.strip() for name in columns.split(",")]
        updates = ", ".join(f"{name} = EXCLUDED.{name}" for name in names[1:])
        with psycopg.connect(postgres_url(), autocommit=True) as connection:
            connection.cursor().executemany(
                f"INSERT INTO {table} ({columns}) VALUES (%s, %s, %s, %s{where})"
                f" ON CONFLICT ({names[0]}) DO UPDATE SET {updates}",
                [
                    (row.id, row.text or "", json.dumps(row.metadata), str(row.vector.tolist()))
                    for row in rows
                ],
            )

    return fill


@contextmanager
def postgres(folder: Path, servers: Servers) -> Iterator[MovableStore]:
    """Yield a table as langchain-postgres makes one."""
    name = fresh()
    settings = _table_like(
        name,
        "langchain_id uuid PRIMARY KEY, content text NOT NULL, embedding vector(16) NOT NULL,"
        " langchain_metadata json",
    )
    fill = _filling(name, "langchain_id, content, langchain_metadata, embedding")
    yield MovableStore(postgres_url(query=f"?table={name}"), fill, settings=settings)


@contextmanager
def postgres_collection(folder: Path, servers: Servers) -> Iterator[MovableStore]:
    """Yield a collection of the older PGVector, which becomes a table."""
    postgres = pytest.importorskip("langchain_postgres")
    import psycopg

    name = fresh()
    postgres.PGVector(None, connection=postgres_url("psycopg"), collection_name=name)
    with psycopg.connect(postgres_url()) as connection:
        [uuid] = connection.execute(
            "SELECT uuid FROM langchain_pg_collection WHERE name = %s", [name]
        ).fetchone()
    columns = "id, document, cmetadata, embedding, collection_id"
    fill = _filling("langchain_pg_embedding", columns, f", '{uuid}'")
    # The collections share a table, where one takes the room that another left.
    yield MovableStore(postgres_url(query=f"?collection={name}"), fill, ordered=False)


@contextmanager
def postgres_of_llama_index(folder: Path, servers: Servers) -> Iterator[MovableStore]:
    """Yield a table as LlamaIndex makes one: ids of nodes are not its primary key."""
    module = pytest.importorskip("llama_index.vector_stores.postgres")
    from llama_index.core.schema import TextNode

    name = fresh()
    store = module.PGVectorStore.from_params(
        connection_string=postgres_url("psycopg"),
        async_connection_string=postgres_url("asyncpg"),
        table_name=name,
        embed_dim=16,
        hnsw_kwargs={"hnsw_m": 9, "hnsw_ef_construction": 33, "hnsw_ef_search": 20},
    )
    store._initialize()

    def fill(rows: Sequence[NewRow]) -> None:
        store.add(
            [
                TextNode(
                    id_=row.id,
                    text=row.text or "",
                    metadata=dict(row.metadata or {}),
                    embedding=row.vector.tolist(),
                    excluded_embed_metadata_keys=list(row.metadata or {}),
                )
                for row in rows
            ]
        )

    settings = {"hnsw": {"(embedding vector_cosine_ops)": "m='9', ef_construction='33'"}}
    yield MovableStore(postgres_url(query=f"?table=data_{name}"), fill, settings=settings)


STORES: dict[str, Callable[[Path, Servers], AbstractContextManager[MovableStore]]] = {
    "chroma": chroma,
    "chroma over http": chroma_over_http,
    "qdrant": qdrant,
    "lancedb": lancedb,
    "parquet": parquet,
    "langchain's dump": langchain_dump,
    "postgres": postgres,
    "postgres collection": postgres_collection,
    "postgres of llama index": postgres_of_llama_index,
    "faiss": faiss_folder,
    "llama-index's storage": llama_index_storage,
    "llama-index's storage with faiss": llama_index_faiss,
}
