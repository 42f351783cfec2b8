"""Stores that the benchmarks of a migration fill, by each store's own client."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import uuid
from pathlib import Path
from typing import Any

import numpy as np

NAME = "manual"
KINDS = ("chroma", "qdrant", "postgres", "lancedb", "parquet")
_BATCH = 1000


def fill(kind: str, folder: Path, vectors: Any, texts: list[str]) -> str:
    """Write documents by the store's own client, close it, and return the address."""
    ids = [str(uuid.UUID(int=i + 1)) for i in range(len(texts))]
    metadata: list[dict[str, Any]] = [{"page": i, "part": f"p{i % 7}"} for i in range(len(texts))]
    writers = {
        "chroma": _chroma,
        "qdrant": _qdrant,
        "postgres": _postgres,
        "lancedb": _lancedb,
        "parquet": _parquet,
    }
    return writers[kind](folder, ids, np.asarray(vectors, np.float32), texts, metadata)


def _chroma(folder: Path, ids: Any, vectors: Any, texts: Any, metadata: Any) -> str:
    import chromadb

    client = chromadb.PersistentClient(str(folder / "chroma"))
    made = client.create_collection(NAME, configuration={"hnsw": {"space": "cosine"}})
    for part in _parts(len(ids)):
        made.add(
            ids=ids[part],
            embeddings=vectors[part],
            documents=texts[part],
            metadatas=metadata[part],
        )
    client.close()
    return f"chroma:{folder / 'chroma'}?collection={NAME}"


def _qdrant(folder: Path, ids: Any, vectors: Any, texts: Any, metadata: Any) -> str:
    from qdrant_client import QdrantClient, models

    # Local mode waits for the disk after each point, so the store is filled in memory and copied.
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    place = tempfile.mkdtemp(dir=memory)
    client = QdrantClient(path=place)
    by = models.VectorParams(size=vectors.shape[1], distance=models.Distance.COSINE)
    client.create_collection(NAME, vectors_config=by)
    for part in _parts(len(ids)):
        both = zip(texts[part], metadata[part], strict=True)
        payloads = [{"page_content": text, "metadata": about} for text, about in both]
        batch = models.Batch(ids=ids[part], vectors=vectors[part].tolist(), payloads=payloads)
        client.upsert(NAME, batch)
    client.close()
    shutil.move(place, folder / "qdrant")
    return f"qdrant:{folder / 'qdrant'}?collection={NAME}"


def _postgres(folder: Path, ids: Any, vectors: Any, texts: Any, metadata: Any) -> str:
    sys.path.append(str(Path(__file__).parents[1] / "tests"))
    import psycopg
    from pgvector.psycopg import register_vector
    from support.postgres_server import postgres_url

    name = f"m{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_url(), autocommit=True) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        register_vector(connection)
        connection.execute(
            f"CREATE TABLE {name} (langchain_id uuid PRIMARY KEY, content text NOT NULL,"
            f" embedding vector({vectors.shape[1]}) NOT NULL, langchain_metadata json)"
        )
        rows = zip(ids, texts, vectors, map(json.dumps, metadata), strict=True)
        with connection.cursor() as cursor:
            cursor.executemany(f"INSERT INTO {name} VALUES (%s, %s, %s, %s)", list(rows))
        connection.execute(f"CREATE INDEX ON {name} USING hnsw (embedding vector_cosine_ops)")
    return str(postgres_url(query=f"?table={name}"))


def _lancedb(folder: Path, ids: Any, vectors: Any, texts: Any, metadata: Any) -> str:
    import lancedb
    from lancedb.index import IvfFlat

    made = lancedb.connect(str(folder / "lancedb")).create_table(
        NAME, _arrow(ids, vectors, texts, metadata)
    )
    made.create_index("vector", config=IvfFlat(distance_type="cosine"))
    return f"lancedb:{folder / 'lancedb'}?collection={NAME}"


def _parquet(folder: Path, ids: Any, vectors: Any, texts: Any, metadata: Any) -> str:
    import pyarrow.parquet as pq

    (folder / NAME).mkdir()
    rows = _arrow(ids, vectors, texts, metadata)
    for part in _parts(len(ids)):
        pq.write_table(rows.slice(part.start, _BATCH), folder / NAME / f"{part.start:09d}.parquet")
    return f"parquet:{folder / NAME}"


def _arrow(ids: Any, vectors: Any, texts: Any, metadata: Any) -> Any:
    import pyarrow as pa

    lists = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), vectors.shape[1])
    return pa.table({"id": ids, "vector": lists, "text": texts, "metadata": metadata})


def _parts(n: int) -> list[slice]:
    return [slice(start, start + _BATCH) for start in range(0, n, _BATCH)]
