"""A question to a store that LangChain opens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np
from langchain_core.documents import Document
from langchain_core.vectorstores import InMemoryVectorStore, VectorStore

from ...retrieval.index_record import KEY
from ...retrieval.move_note import NOTE_KEY
from ...retrieval.rescore import Rescore
from ...retrieval.stored_index import StoredDocument
from .._modalities import Space
from ..langchain import AlignedEmbeddings, HybridRetriever, VectorSearch
from ..langchain.index import scale_of
from ..langchain.postgres_address import opened_postgres
from ..stores.address import Address
from ..stores.arrow import vector_column
from ..stores.checked import require_index
from ..stores.chroma import opened_chroma
from ..stores.faiss import entries_of, files_of, require_equal_length
from ..stores.faiss_index import read_index_file
from ..stores.in_memory import InMemoryIndex, Keeper
from ..stores.kept_file import beside, kept_in
from ..stores.lancedb import opened_lancedb
from ..stores.parquet import parquet_rows
from ..stores.qdrant_clients import opened_qdrant
from .hit import StoreHit


def search(
    address: Address, space: Space, question: str, *, modality: str, k: int, rescore: Rescore
) -> list[StoreHit]:
    """Return the k best documents."""
    embeddings = AlignedEmbeddings(aligner=space, query_modality=modality)
    with _opened(address, embeddings) as store:
        retriever = HybridRetriever(
            searches=[VectorSearch(vectorstore=store, rescore=rescore)],
            embeddings=embeddings,
            k=k,
            fusion="rank" if space.calibration is None else "calibrated",
            explain=True,
        )
        hits, scale = [], scale_of(store, space)
        for document in retriever.invoke(question):
            metadata = {n: v for n, v in document.metadata.items() if n[:1] != "_"}
            hits.append(StoreHit.of(document.page_content, document.id, metadata, scale))
        return hits


@contextmanager
def _opened(address: Address, embeddings: AlignedEmbeddings) -> Iterator[VectorStore]:
    if address.kind == "langchain":
        yield _of_dump(address, embeddings)
    elif address.kind == "parquet":
        yield _of_parquet(address, embeddings)
    elif address.kind == "chroma":
        from langchain_chroma import Chroma

        client, name = opened_chroma(address)
        yield Chroma(name, embeddings, client=client, create_collection_if_not_exists=False)
    elif address.kind == "faiss":
        yield _of_faiss(address, embeddings)
    elif address.kind == "lancedb":
        yield _of_lancedb(address, embeddings)
    elif address.kind == "postgres":
        with opened_postgres(address, embeddings) as opened:
            yield opened
    else:
        from langchain_qdrant import QdrantVectorStore

        with opened_qdrant(address) as (client, name):
            yield QdrantVectorStore(
                client,
                name,
                embeddings,
                validate_embeddings=False,
                validate_collection_config=False,
            )


def _of_dump(address: Address, embeddings: AlignedEmbeddings) -> VectorStore:
    """Return the store of a dump; its record, which lies beside the file, is checked here."""
    path = address.required_folder()
    store = InMemoryVectorStore.load(str(path), embeddings)

    def document(name: str) -> StoredDocument:
        row = store.store[name]
        vector = np.asarray(row["vector"], np.float32)
        return StoredDocument(row["text"] or "", row["metadata"] or {}, vector)

    def index() -> InMemoryIndex:
        keeper = Keeper(partial(kept_in, beside(path)), None)
        return InMemoryIndex(f"The dump {str(path)!r}", None, list(store.store), document, keeper)

    require_index(store, index, embeddings.aligner, embeddings.modality_of_documents())
    return store


def _of_faiss(address: Address, embeddings: AlignedEmbeddings) -> VectorStore:
    """Return the store of a folder; what is kept in the folder goes with the docstore."""
    from langchain_community.docstore.in_memory import InMemoryDocstore
    from langchain_community.vectorstores import FAISS
    from langchain_community.vectorstores.utils import DistanceStrategy

    folder = address.required_folder()
    files = files_of(folder)
    index, entries = read_index_file(files.vectors), entries_of(files)
    require_equal_length(index.ntotal, entries, files)
    documents = {
        row["id"]: Document(row.get("text") or "", id=row["id"], metadata=row.get("metadata") or {})
        for row in entries
    }
    docstore = InMemoryDocstore(documents)
    for key in (KEY, NOTE_KEY):
        setattr(docstore, key, kept_in(beside(folder), key))
    strategies = (DistanceStrategy.MAX_INNER_PRODUCT, DistanceStrategy.EUCLIDEAN_DISTANCE)
    metric = strategies[min(index.metric_type, 1)]
    return FAISS(embeddings, index, docstore, dict(enumerate(documents)), distance_strategy=metric)


def _of_lancedb(address: Address, embeddings: AlignedEmbeddings) -> VectorStore:
    from langchain_community.vectorstores import LanceDB

    connection, name = opened_lancedb(address)
    vector = vector_column(connection.open_table(name).schema, address)
    return LanceDB(connection, embeddings, table_name=name, vector_key=vector, mode="append")


def _of_parquet(address: Address, embeddings: AlignedEmbeddings) -> VectorStore:
    """Return the rows of a file in memory; its record is checked here, as this store has none."""
    rows, store = parquet_rows(address), InMemoryVectorStore(embeddings)
    columns = zip(rows.ids, rows.vectors.tolist(), rows.texts, rows.metadata, strict=True)
    for row, (name, vector, text, metadata) in enumerate(columns):
        stored = {"id": name, "vector": vector, "text": text or "", "metadata": dict(metadata)}
        store.store[str(row)] = stored
    require_index(store, rows.index, embeddings.aligner, embeddings.modality_of_documents())
    return store
