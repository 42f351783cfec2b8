"""A moved collection of every store is searched as one that was filled afresh.

The old one holds the target encoder's own vectors, as an application stored them through its
framework. The framework's own objects open the new one, and so do our retrievers.
"""

from __future__ import annotations

import json
from contextlib import ExitStack

import numpy as np
import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import InMemoryVectorStore
from llama_index.core import StorageContext, VectorStoreIndex
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.schema import TextNode
from support.toy_data import machine_pairs, reversed_letters

from kakehashi.integrations import langchain, llama_index
from kakehashi.integrations.address_search import through_langchain, through_llama_index
from kakehashi.integrations.stores.address import parse_address
from kakehashi.migration import migrate
from kakehashi.vectors import unit_rows

DOCUMENTS = list(machine_pairs().target_texts)
QUESTIONS = list(machine_pairs().source_texts)[::6]
K = 5
IDS = [f"00000000-0000-0000-0000-{i:012d}" for i in range(len(DOCUMENTS))]


class Letters(Embeddings):
    """The target encoder, for LangChain."""

    def embed_documents(self, texts):
        return unit_rows(reversed_letters(texts)).tolist()

    def embed_query(self, text):
        return self.embed_documents([text])[0]


class Nodes(BaseEmbedding):
    """The target encoder, for LlamaIndex."""

    def _get_text_embeddings(self, texts):
        return unit_rows(reversed_letters(texts)).tolist()

    def _get_text_embedding(self, text):
        return self._get_text_embeddings([text])[0]

    _get_query_embedding = _get_text_embedding

    async def _aget_query_embedding(self, query):
        return self._get_text_embedding(query)


def width(embeddings):
    return len(embeddings.embed_query("x"))


def add(store):
    documents = [Document(t, metadata={"page": i}) for i, t in enumerate(DOCUMENTS)]
    store.add_documents(documents, ids=IDS)
    return store


def chroma(embeddings, folder):
    import chromadb
    from langchain_chroma import Chroma

    add(Chroma("manual", embeddings, client=chromadb.PersistentClient(str(folder))))
    return f"chroma:{folder}?collection=manual"


def qdrant(embeddings, folder):
    module = pytest.importorskip("langchain_qdrant")
    from qdrant_client import QdrantClient, models

    client = QdrantClient(path=str(folder))
    by = models.VectorParams(size=width(embeddings), distance=models.Distance.COSINE)
    client.create_collection("manual", vectors_config=by)
    add(module.QdrantVectorStore(client, "manual", embeddings))
    client.close()
    return f"qdrant:{folder}?collection=manual"


def lancedb(embeddings, folder):
    package = pytest.importorskip("lancedb")
    from langchain_community.vectorstores import LanceDB

    connection = package.connect(str(folder))
    add(LanceDB(connection, embeddings, table_name="manual", mode="append"))
    return f"lancedb:{folder}?collection=manual"


def dump(embeddings, folder):
    folder.mkdir()
    add(InMemoryVectorStore(embeddings)).dump(str(folder / "dump.json"))
    return f"langchain:{folder / 'dump.json'}"


def parquet(embeddings, folder):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    folder.mkdir()
    vectors = embeddings.embed_documents(DOCUMENTS)
    table = pa.table({"id": IDS, "vector": vectors, "text": DOCUMENTS})
    pq.write_table(table.slice(0, 50), folder / "0.parquet")
    pq.write_table(table.slice(50), folder / "1.parquet")
    return f"parquet:{folder}"


def faiss(embeddings, folder):
    package = pytest.importorskip("faiss")
    folder.mkdir()
    index = package.IndexFlatIP(width(embeddings))
    index.add(np.array(embeddings.embed_documents(DOCUMENTS), np.float32))
    package.write_index(index, str(folder / "index.faiss"))
    rows = zip(IDS, DOCUMENTS, strict=True)
    lines = [json.dumps({"id": name, "text": text}) for name, text in rows]
    (folder / "index.jsonl").write_text("\n".join(lines))
    return f"faiss:{folder}"


def index_of(embedding, store=None):
    nodes = [TextNode(text=t, id_=i) for i, t in zip(IDS, DOCUMENTS, strict=True)]
    context = StorageContext.from_defaults(vector_store=store)
    return VectorStoreIndex(nodes, storage_context=context, embed_model=embedding)


def storage(embedding, folder):
    index_of(embedding).storage_context.persist(str(folder))
    return f"llama-index:{folder}"


def storage_faiss(embedding, folder):
    package = pytest.importorskip("faiss")
    module = pytest.importorskip("llama_index.vector_stores.faiss")
    index = package.IndexFlatIP(len(embedding.get_query_embedding("x")))
    index_of(embedding, module.FaissVectorStore(index)).storage_context.persist(str(folder))
    return f"llama-index:{folder}"


def llama_index_qdrant(embedding, folder):
    module = pytest.importorskip("llama_index.vector_stores.qdrant")
    from qdrant_client import QdrantClient

    client = QdrantClient(path=str(folder))
    index_of(embedding, module.QdrantVectorStore("manual", client=client))
    client.close()
    return f"qdrant:{folder}?collection=manual"


def llama_index_lancedb(embedding, folder):
    module = pytest.importorskip("llama_index.vector_stores.lancedb")
    index_of(embedding, module.LanceDBVectorStore(str(folder), "manual"))
    return f"lancedb:{folder}?collection=manual"


LANGCHAIN = [chroma, qdrant, lancedb, dump, parquet, faiss]
LLAMA_INDEX = [storage, storage_faiss, llama_index_qdrant, llama_index_lancedb]


def answers_of_langchain(aligner, address):
    """Return what LangChain's own object and our retriever find for each question."""
    embeddings = langchain.AlignedEmbeddings(aligner=aligner, query_modality="source")
    with through_langchain._opened(parse_address(address), embeddings) as store:
        retriever = langchain.AlignedRetriever(vectorstore=store, embeddings=embeddings, k=K)
        own = [store.similarity_search(question, k=K) for question in QUESTIONS]
        ours = [retriever.invoke(question) for question in QUESTIONS]
    return [[[d.page_content for d in found] for found in each] for each in (own, ours)]


def require_same(found, fresh):
    """Compare what both kinds of objects found for each question, in order."""
    assert found == fresh
    assert {len(hits) for each in found for hits in each} == {K}
    answers = DOCUMENTS[::6]
    for each in found:  # so both find most answers
        assert np.mean([a in hits for a, hits in zip(answers, each, strict=True)]) > 0.5


def answers_of_llama_index(aligner, address):
    """Return what LlamaIndex's own retriever and ours find for each question."""
    embedding = llama_index.AlignedEmbedding(aligner=aligner, query_modality="source")
    with ExitStack() as stack:
        index = stack.enter_context(through_llama_index._opened(parse_address(address), embedding))
        retrievers = [
            index.as_retriever(similarity_top_k=K),
            llama_index.AlignedRetriever(index, embedding, similarity_top_k=K),
        ]
        found = [[each.retrieve(question) for question in QUESTIONS] for each in retrievers]
    return [[[hit.node.text for hit in hits] for hits in each] for each in found]


@pytest.mark.slow
@pytest.mark.parametrize("fill", LANGCHAIN, ids=lambda fill: fill.__name__)
def test_langchain_finds_the_same_in_a_moved_collection(fill, text_aligner, tmp_path):
    old = fill(Letters(), tmp_path / "old")
    moved = migrate(old, text_aligner, to="moved").moved
    fresh = fill(langchain.AlignedEmbeddings(aligner=text_aligner), tmp_path / "fresh")
    require_same(*(answers_of_langchain(text_aligner, each) for each in (moved, fresh)))


@pytest.mark.slow
@pytest.mark.parametrize("fill", LLAMA_INDEX, ids=lambda fill: fill.__name__)
def test_llama_index_finds_the_same_in_a_moved_collection(fill, text_aligner, tmp_path):
    old = fill(Nodes(), tmp_path / "old")
    moved = migrate(old, text_aligner, to="moved").moved
    fresh = fill(llama_index.AlignedEmbedding(aligner=text_aligner), tmp_path / "fresh")
    require_same(*(answers_of_llama_index(text_aligner, each) for each in (moved, fresh)))
