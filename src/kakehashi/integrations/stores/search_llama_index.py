"""A question to a store that LlamaIndex opens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from llama_index.core import StorageContext, VectorStoreIndex, load_index_from_storage

from .._modalities import Space
from ..llama_index import AlignedEmbedding, HybridRetriever, VectorSearch
from .address import Address
from .hit import StoreHit
from .read_llama_index import vectors_are_faiss
from .read_qdrant import qdrant_client

_EXPLAINED = "kakehashi"


def search(
    address: Address, space: Space, question: str, *, modality: str, k: int
) -> list[StoreHit]:
    """Return the k best nodes."""
    embedding = AlignedEmbedding(aligner=space, query_modality=modality)
    with _opened(address, embedding) as index:
        retriever = HybridRetriever(
            [VectorSearch(index)],
            embedding,
            similarity_top_k=k,
            fusion="rank" if space.calibration is None else "calibrated",
            explain=True,
        )
        hits = []
        for found in retriever.retrieve(question):
            metadata = dict(found.node.metadata)
            explained = metadata.pop(_EXPLAINED)
            hits.append(
                StoreHit(
                    found.node.get_content(),
                    found.node.node_id,
                    explained["similarity"],
                    next(iter(explained["searches"].values())),
                    explained["modality"],
                    metadata,
                )
            )
        return hits


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
    from llama_index.vector_stores.qdrant import QdrantVectorStore

    client = qdrant_client(address)
    try:
        present = [each.name for each in client.get_collections().collections]
        filled = QdrantVectorStore(address.collection_of(present), client=client)
        yield VectorStoreIndex.from_vector_store(filled, embed_model=embedding)
    finally:
        client.close()
