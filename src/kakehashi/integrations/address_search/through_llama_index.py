"""A question to a store that LlamaIndex opens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from llama_index.core import StorageContext, VectorStoreIndex, load_index_from_storage

from ...retrieval.rescore import Rescore
from .._modalities import Space
from ..llama_index import AlignedEmbedding, HybridRetriever, VectorSearch
from ..llama_index.index import scale_of
from ..llama_index.postgres import opened_postgres
from ..stores.address import Address
from ..stores.arrow import vector_column
from ..stores.lancedb import opened_lancedb
from ..stores.llama_index_storage import vectors_are_faiss
from ..stores.qdrant_clients import opened_qdrant
from .hit import StoreHit


def search(
    address: Address, space: Space, question: str, *, modality: str, k: int, rescore: Rescore
) -> list[StoreHit]:
    """Return the k best nodes."""
    embedding = AlignedEmbedding(aligner=space, query_modality=modality)
    with _opened(address, embedding) as index:
        retriever = HybridRetriever(
            [VectorSearch(index, rescore=rescore)],
            embedding,
            similarity_top_k=k,
            fusion="rank" if space.calibration is None else "calibrated",
            explain=True,
        )
        scale = scale_of(index, embedding)
        return [
            StoreHit.of(found.node.get_content(), found.node.node_id, found.node.metadata, scale)
            for found in retriever.retrieve(question)
        ]


@contextmanager
def _opened(address: Address, embedding: AlignedEmbedding) -> Iterator[Any]:
    if address.kind == "llama-index":
        folder = address.required_folder()
        store: Any = None
        if vectors_are_faiss(folder):
            from llama_index.vector_stores.faiss import FaissVectorStore

            store = FaissVectorStore.from_persist_dir(str(folder))
        context = StorageContext.from_defaults(vector_store=store, persist_dir=str(folder))
        yield load_index_from_storage(context, embed_model=embedding)
        return
    if address.kind == "lancedb":
        from llama_index.vector_stores.lancedb import LanceDBVectorStore

        connection, name = opened_lancedb(address)
        vector = vector_column(connection.open_table(name).schema, address)
        table = LanceDBVectorStore(
            table_name=name, vector_column_name=vector, connection=connection, mode="append"
        )
        yield VectorStoreIndex.from_vector_store(table, embed_model=embedding)
        return
    if address.kind == "postgres":
        with opened_postgres(address) as opened:
            yield VectorStoreIndex.from_vector_store(opened, embed_model=embedding)
        return
    from llama_index.vector_stores.qdrant import QdrantVectorStore

    with opened_qdrant(address) as (client, name):
        filled = QdrantVectorStore(name, client=client)
        yield VectorStoreIndex.from_vector_store(filled, embed_model=embedding)
