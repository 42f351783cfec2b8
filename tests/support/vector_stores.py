"""Vector stores of both frameworks, made empty, under the names that the suite of mixed
retrievers knows them by. Each is an optional extra: what is not installed is skipped."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import uuid
from contextlib import contextmanager

import pytest
from support.postgres_server import postgres_url


def fresh() -> str:
    return f"c{uuid.uuid4().hex}"


def lc_in_memory(embeddings, folder, server):
    from langchain_core.vectorstores import InMemoryVectorStore

    return InMemoryVectorStore(embeddings)


def lc_chroma(embeddings, folder, server):
    from langchain_chroma import Chroma

    return Chroma(fresh(), embeddings)


def lc_chroma_http(embeddings, folder, server):
    from langchain_chroma import Chroma

    return Chroma(fresh(), embeddings, client=server())


def lc_faiss(embeddings, folder, server):
    faiss = pytest.importorskip("faiss")
    community = pytest.importorskip("langchain_community.vectorstores")
    docstore = pytest.importorskip("langchain_community.docstore.in_memory").InMemoryDocstore()
    width = embeddings.aligner.output_dimension
    return community.FAISS(embeddings, faiss.IndexFlatL2(width), docstore, {})


def lc_qdrant(embeddings, folder, server):
    qdrant = pytest.importorskip("langchain_qdrant")
    from qdrant_client import QdrantClient, models

    client, name = QdrantClient(":memory:"), fresh()
    width = embeddings.aligner.output_dimension
    by = models.VectorParams(size=width, distance=models.Distance.COSINE)
    client.create_collection(name, vectors_config=by)
    return qdrant.QdrantVectorStore(client, name, embeddings)


def lc_lancedb(embeddings, folder, server):
    lancedb = pytest.importorskip("lancedb")
    community = pytest.importorskip("langchain_community.vectorstores")
    connection = lancedb.connect(str(folder / "lancedb"))
    return community.LanceDB(connection, embeddings, table_name=fresh(), mode="append")


def lc_milvus(embeddings, folder, server):
    pytest.importorskip("milvus_lite")
    milvus = pytest.importorskip("langchain_milvus")
    uri = str(folder / "milvus.db")
    store = milvus.Milvus(
        embeddings,
        fresh(),
        connection_args={"uri": uri},
        auto_id=True,
        index_params={"index_type": "FLAT", "metric_type": "L2"},
    )
    # langchain-milvus 0.3 looks for its client's connection where pymilvus 2.6 no longer puts it.
    pytest.importorskip("pymilvus").connections.connect(alias=store.alias, uri=uri)
    return store


def lc_postgres(embeddings, folder, server):
    postgres = pytest.importorskip("langchain_postgres")
    engine = postgres.PGEngine.from_connection_string(postgres_url("psycopg"))
    name = fresh()
    engine.init_vectorstore_table(name, embeddings.aligner.output_dimension)
    return postgres.PGVectorStore.create_sync(engine, embeddings, name)


def lc_postgres_collection(embeddings, folder, server):
    postgres = pytest.importorskip("langchain_postgres")
    return postgres.PGVector(
        embeddings, connection=postgres_url("psycopg"), collection_name=fresh()
    )


def li_simple(embedding, folder, server):
    from llama_index.core.vector_stores import SimpleVectorStore

    return SimpleVectorStore()


def li_chroma(embedding, folder, server):
    import chromadb
    from llama_index.vector_stores.chroma import ChromaVectorStore

    return ChromaVectorStore(chromadb.EphemeralClient().create_collection(fresh()))


def li_chroma_http(embedding, folder, server):
    from llama_index.vector_stores.chroma import ChromaVectorStore

    return ChromaVectorStore(server().create_collection(fresh()))


def li_faiss(embedding, folder, server):
    faiss = pytest.importorskip("faiss")
    module = pytest.importorskip("llama_index.vector_stores.faiss")
    return module.FaissVectorStore(faiss.IndexFlatL2(embedding.aligner.output_dimension))


def li_qdrant(embedding, folder, server):
    module = pytest.importorskip("llama_index.vector_stores.qdrant")
    from qdrant_client import QdrantClient

    return module.QdrantVectorStore(fresh(), client=QdrantClient(":memory:"))


def li_lancedb(embedding, folder, server):
    module = pytest.importorskip("llama_index.vector_stores.lancedb")
    return module.LanceDBVectorStore(str(folder / "lancedb"), fresh())


def li_milvus(embedding, folder, server):
    pytest.importorskip("milvus_lite")
    module = pytest.importorskip("llama_index.vector_stores.milvus")
    return module.MilvusVectorStore(
        uri=str(folder / "milvus.db"),
        collection_name=fresh(),
        dim=embedding.aligner.output_dimension,
        index_config={"index_type": "FLAT"},
    )


def li_postgres(embedding, folder, server):
    module = pytest.importorskip("llama_index.vector_stores.postgres")
    from sqlalchemy import create_engine
    from sqlalchemy.ext.asyncio import create_async_engine
    from sqlalchemy.pool import NullPool

    return module.PGVectorStore(
        engine=create_engine(postgres_url("psycopg")),
        # Each asyncio.run is another event loop.
        async_engine=create_async_engine(postgres_url("asyncpg"), poolclass=NullPool),
        table_name=fresh(),
        embed_dim=embedding.aligner.output_dimension,
    )


LANGCHAIN = {
    "in memory": lc_in_memory,
    "chroma": lc_chroma,
    "chroma over http": lc_chroma_http,
    "faiss": lc_faiss,
    "qdrant": lc_qdrant,
    "lancedb": lc_lancedb,
    "milvus lite": lc_milvus,
    "postgres": lc_postgres,
    "postgres collection": lc_postgres_collection,
}
LLAMA_INDEX = {
    "simple": li_simple,
    "chroma": li_chroma,
    "chroma over http": li_chroma_http,
    "faiss": li_faiss,
    "qdrant": li_qdrant,
    "lancedb": li_lancedb,
    "milvus lite": li_milvus,
    "postgres": li_postgres,
}


class ChromaServer:
    """`chroma run` over a folder, on a port that was free; it may be killed and started again."""

    def __init__(self, folder):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._folder, self._process = folder, None

    def start(self):
        """Start it, and return a client."""
        import chromadb

        command = "import sys; from chromadb.cli.cli import app; sys.argv[0] = 'chroma'; app()"
        where = ["--path", str(self._folder), "--host", "127.0.0.1", "--port", str(self.port)]
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", command, "run", *where],
                stdout=log,
                stderr=log,
                env=os.environ | {"ANONYMIZED_TELEMETRY": "False"},
            )
        deadline = time.monotonic() + 60
        while True:
            try:
                return chromadb.HttpClient("127.0.0.1", self.port)
            except Exception:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise RuntimeError((self._folder / "log").read_text(errors="replace")) from None
                time.sleep(0.1)

    def kill(self):
        """End it without notice."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@contextmanager
def chroma_server(folder):
    """Run `chroma run` on a free port, and yield a client of it."""
    server = ChromaServer(folder)
    try:
        yield server.start()
    finally:
        server.kill()
