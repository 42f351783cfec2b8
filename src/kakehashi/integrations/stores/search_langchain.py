"""A question to a store that LangChain opens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from langchain_core.vectorstores import InMemoryVectorStore, VectorStore

from .._modalities import Space
from ..langchain import AlignedEmbeddings, HybridRetriever, VectorSearch
from .address import Address
from .hit import StoreHit
from .read_chroma import chroma_client
from .read_qdrant import qdrant_client

_EXPLAINED = "kakehashi"


def search(
    address: Address, space: Space, question: str, *, modality: str, k: int
) -> list[StoreHit]:
    """Return the k best documents."""
    embeddings = AlignedEmbeddings(aligner=space, query_modality=modality)
    with _opened(address, embeddings) as store:
        retriever = HybridRetriever(
            searches=[VectorSearch(vectorstore=store)],
            embeddings=embeddings,
            k=k,
            fusion="rank" if space.calibration is None else "calibrated",
            explain=True,
        )
        hits = []
        for document in retriever.invoke(question):
            metadata = {n: v for n, v in document.metadata.items() if n[:1] != "_"}
            explained = metadata.pop(_EXPLAINED)
            hits.append(
                StoreHit(
                    document.page_content,
                    document.id,
                    explained["similarity"],
                    next(iter(explained["searches"].values())),
                    explained["modality"],
                    metadata,
                )
            )
        return hits


@contextmanager
def _opened(address: Address, embeddings: AlignedEmbeddings) -> Iterator[VectorStore]:
    if address.kind == "langchain":
        yield InMemoryVectorStore.load(str(address.required_folder()), embeddings)
    elif address.kind == "chroma":
        from langchain_chroma import Chroma

        client = chroma_client(address)
        name = address.collection_of([each.name for each in client.list_collections()])
        yield Chroma(name, embeddings, client=client, create_collection_if_not_exists=False)
    else:
        from langchain_qdrant import QdrantVectorStore

        client = qdrant_client(address)
        try:
            present = [each.name for each in client.get_collections().collections]
            yield QdrantVectorStore(
                client,
                address.collection_of(present),
                embeddings,
                validate_embeddings=False,
                validate_collection_config=False,
            )
        finally:
            client.close()
