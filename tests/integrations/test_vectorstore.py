"""AlignedVectorStore: LangChain's own standard suite, unmodified, and what fills a store."""

import pickle

import numpy as np
import pytest
from langchain_chroma import Chroma
from langchain_classic.embeddings import CacheBackedEmbeddings
from langchain_classic.retrievers import MultiVectorRetriever, ParentDocumentRetriever
from langchain_classic.storage import LocalFileStore
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.indexing import InMemoryRecordManager, index
from langchain_core.stores import InMemoryByteStore, InMemoryStore
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_tests.integration_tests import VectorStoreIntegrationTests
from langchain_text_splitters import CharacterTextSplitter
from support.vector_stores import fresh

from kakehashi.errors import DataError
from kakehashi.integrations.langchain import (
    AlignedEmbeddings,
    AlignedRetriever,
    AlignedVectorStore,
    HybridRetriever,
    VectorSearch,
)
from kakehashi.types import SIDES

TEXT = "reset the pump"


@pytest.fixture
def embeddings(text_aligner):
    return AlignedEmbeddings(aligner=text_aligner)


class TestInMemory(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self, embeddings):
        return AlignedVectorStore(InMemoryVectorStore(embeddings))


class TestChroma(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self, embeddings):
        return AlignedVectorStore(Chroma(fresh(), embeddings))


@pytest.fixture
def store(embeddings):
    return AlignedVectorStore(InMemoryVectorStore(embeddings))


def named(text=TEXT):
    return [Document(text, metadata={"modality": side}) for side in SIDES]


def check_vectors(store, aligner):
    """Each stored vector is that of its text as the modality that its metadata name."""
    rows = store.store.values()
    assert {row["metadata"]["modality"] for row in rows} == set(SIDES)
    for row in rows:
        expected = aligner.embed_documents([row["text"]], modality=row["metadata"]["modality"])
        assert np.array_equal(np.float32(row["vector"]), expected[0])


async def test_every_way_in_embeds_a_document_as_the_modality_that_it_names(store, text_aligner):
    store.add_documents(named("one"))
    await store.aadd_documents(named("two"))
    store.add_texts(["three"] * 2, [d.metadata for d in named()], ids=["a", "b"])
    await store.aadd_texts(["four"] * 2, [d.metadata for d in named()])
    made = {"embedding": store.embeddings, "vectorstore": store.vectorstore}
    AlignedVectorStore.from_documents(named("five"), **made)
    await AlignedVectorStore.afrom_documents(named("six"), **made)
    assert len(store.store) == 12
    assert [d.metadata["modality"] for d in store.get_by_ids(["a", "b"])] == list(SIDES)
    check_vectors(store, text_aligner)


def test_documents_are_changed_each_as_its_own_modality(embeddings, text_aligner):
    store = AlignedVectorStore(Chroma(fresh(), embeddings))
    ids = store.add_documents([Document("an older text")] * 2)
    store.update_documents(ids, named())
    store.update_document(ids[0], named("reset the valve")[0])
    kept = store.get(include=["documents", "metadatas", "embeddings"])
    for text, metadata, vector in zip(
        kept["documents"], kept["metadatas"], kept["embeddings"], strict=True
    ):
        expected = text_aligner.embed_documents([text], modality=metadata["modality"])
        assert np.allclose(vector, expected[0], atol=1e-6)


def test_a_parent_document_retriever_fills_and_searches_it(store, text_aligner):
    retriever = ParentDocumentRetriever(
        vectorstore=store,
        docstore=InMemoryStore(),
        child_splitter=CharacterTextSplitter(separator=". ", chunk_size=20, chunk_overlap=0),
    )
    parents = [Document(f"{TEXT} {s}. drain the tank.", metadata={"modality": s}) for s in SIDES]
    retriever.add_documents(parents)
    assert len(store.store) == 4
    check_vectors(store, text_aligner)
    assert retriever.invoke(TEXT)[0] in parents


async def test_a_multi_vector_retriever_searches_it(store, text_aligner):
    retriever = MultiVectorRetriever(vectorstore=store, byte_store=InMemoryByteStore())
    parents = {side: Document(f"all about {side}") for side in SIDES}
    retriever.docstore.mset(list(parents.items()))
    children = [
        d.model_copy(update={"metadata": {**d.metadata, "doc_id": s}})
        for d, s in zip(named(), SIDES, strict=True)
    ]
    await retriever.vectorstore.aadd_documents(children)
    check_vectors(store, text_aligner)
    assert len(retriever.invoke(TEXT)) == len(await retriever.ainvoke(TEXT)) == 2


def test_index_keeps_what_is_unchanged_and_removes_what_is_gone(store, text_aligner):
    records = InMemoryRecordManager("notes")
    records.create_schema()
    how = {"cleanup": "full", "key_encoder": "sha256"}
    first = index([*named("one"), *named("two")], records, store, **how)
    assert (first["num_added"], first["num_skipped"]) == (4, 0)
    check_vectors(store, text_aligner)
    second = index([*named("two"), *named("three")], records, store, **how)
    assert (second["num_added"], second["num_skipped"], second["num_deleted"]) == (2, 2, 2)
    check_vectors(store, text_aligner)


def test_retrievers_search_the_store_inside(store, embeddings):
    store.add_documents([*named(), Document("drain the tank", metadata={"part": "tank"})])
    own = store.as_retriever(search_kwargs={"k": 3}).invoke(TEXT)
    assert AlignedRetriever(vectorstore=store, embeddings=embeddings, k=3).invoke(TEXT) == own
    for search in (store, VectorSearch(vectorstore=store)):
        hybrid = HybridRetriever(searches=[search], embeddings=embeddings, fusion="rank", k=3)
        assert hybrid.invoke(TEXT, filter={"part": "tank"})[0].page_content == "drain the tank"
    again = pickle.loads(pickle.dumps(store))
    assert again.similarity_search(TEXT, k=3) == own


def test_documents_may_name_their_modality_in_another_field(text_aligner):
    embeddings = AlignedEmbeddings(aligner=text_aligner, modality_field="language")
    store = AlignedVectorStore(InMemoryVectorStore(embeddings))
    store.add_documents([Document(TEXT, metadata={"language": side}) for side in SIDES])
    retriever = HybridRetriever(
        searches=[VectorSearch(vectorstore=store)],
        embeddings=embeddings,
        fusion="rank",
        merge="identity",
        explain=True,
    )
    found = {d.metadata["language"]: d.metadata["kakehashi"] for d in retriever.invoke(TEXT)}
    assert [found[side]["modality"] for side in SIDES] == list(SIDES)
    assert len(AlignedRetriever(vectorstore=store, embeddings=embeddings).invoke(TEXT)) == 2
    assert len(store.as_retriever().invoke(TEXT)) == 2


def test_a_store_that_embeds_with_something_else_is_refused(embeddings, ngram_aligner):
    for other in (DeterministicFakeEmbedding(size=24), AlignedEmbeddings(aligner=ngram_aligner)):
        with pytest.raises(DataError, match=r"make it with Aligned|not with this object"):
            AlignedVectorStore(InMemoryVectorStore(other), embeddings)
    with pytest.raises(DataError, match="embeds with DeterministicFakeEmbedding; make it with"):
        AlignedVectorStore(InMemoryVectorStore(DeterministicFakeEmbedding(size=24)))
    with pytest.raises(DataError, match="vectorstore= is missing"):
        AlignedVectorStore.from_texts(["a"], embeddings)


# CacheBackedEmbeddings


def cached(embeddings, folder):
    return CacheBackedEmbeddings.from_bytes_store(
        embeddings,
        LocalFileStore(folder / "documents"),
        namespace=embeddings.model,
        query_embedding_cache=LocalFileStore(folder / "queries"),
        key_encoder="sha256",
    )


def test_one_cache_serves_aligners_modalities_and_roles(text_aligner, ngram_aligner, tmp_path):
    made = [
        AlignedEmbeddings(aligner=aligner, document_modality=modality)
        for aligner in (text_aligner, ngram_aligner)
        for modality in (*SIDES, "auto")
    ]
    assert len({each.model for each in made}) == len(made)
    assert text_aligner.fingerprint in made[0].model
    for embeddings in made * 2:
        through = cached(embeddings, tmp_path)
        assert through.embed_documents([TEXT]) == embeddings.embed_documents([TEXT])
        assert through.embed_query(TEXT) == embeddings.embed_query(TEXT)


@pytest.mark.filterwarnings("error")
def test_a_store_that_embeds_through_a_cache_is_filled_with_one_modality(embeddings, tmp_path):
    target = [Document(TEXT, metadata={"modality": "target"})]
    for _ in range(2):  # the second time, nothing is embedded
        store = AlignedVectorStore(InMemoryVectorStore(cached(embeddings, tmp_path)))
        [key] = store.add_documents(target)
        assert store.store[key]["vector"] == embeddings.embed_documents([TEXT])[0]
    with pytest.raises(DataError, match="through a cache, which keeps one vector for each text"):
        store.add_documents(named())
    assert len(store.store) == 1
