"""LangChain's own standard suites, unmodified, and what they do not ask for."""

import pickle

import numpy as np
import pytest
from langchain_core.documents import Document
from langchain_core.runnables import ConfigurableField
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_tests.integration_tests import EmbeddingsIntegrationTests, RetrieversIntegrationTests
from langchain_tests.unit_tests import EmbeddingsUnitTests

from kakehashi import Aligner
from kakehashi.errors import DataError
from kakehashi.integrations.langchain import AlignedEmbeddings, AlignedRetriever

TEXTS = ["reset the pump", "check the valve", "replace the seal", "drain the tank"]


@pytest.fixture(autouse=True)
def _aligner(request, text_aligner):
    if request.cls is not None:
        request.cls.aligner = text_aligner


class _Params:
    aligner: Aligner

    @property
    def embeddings_class(self):
        return AlignedEmbeddings

    @property
    def embedding_model_params(self):
        return {"aligner": self.aligner}


class TestEmbeddingsUnit(_Params, EmbeddingsUnitTests):
    pass


class TestEmbeddingsIntegration(_Params, EmbeddingsIntegrationTests):
    pass


def _store(embeddings):
    return InMemoryVectorStore.from_texts(TEXTS, embeddings)


class TestRetriever(RetrieversIntegrationTests):
    aligner: Aligner

    @property
    def retriever_constructor(self):
        return AlignedRetriever

    @property
    def retriever_constructor_params(self):
        embeddings = AlignedEmbeddings(aligner=self.aligner)
        return {"vectorstore": _store(embeddings), "embeddings": embeddings}

    @property
    def retriever_query_example(self):
        return "pump"


def test_an_lcel_chain_configures_k_and_keeps_the_weights(text_aligner):
    embeddings = AlignedEmbeddings(aligner=text_aligner)
    retriever = AlignedRetriever(vectorstore=_store(embeddings), embeddings=embeddings)
    chain = retriever.configurable_fields(k=ConfigurableField(id="k")) | len
    assert chain.invoke("pump") == 4
    assert chain.with_config(configurable={"k": 2}).invoke("pump") == 2


def test_pickling_and_dumping_keep_the_weights(text_aligner):
    embeddings = AlignedEmbeddings(aligner=text_aligner)
    expected = embeddings.embed_query("pump")
    assert pickle.loads(pickle.dumps(embeddings)).embed_query("pump") == expected
    dumped = embeddings.model_dump()
    assert dumped["aligner"]["fingerprint"] == text_aligner.fingerprint


def test_documents_choose_their_modality_by_metadata(text_aligner):
    embeddings = AlignedEmbeddings(aligner=text_aligner)
    store = InMemoryVectorStore(embeddings)
    documents = [
        Document("reset the pump", metadata={"modality": "source"}),
        Document("reset the pump"),
    ]
    ids = embeddings.add_documents(store, documents)
    for side, id_ in zip(("source", "target"), ids, strict=True):
        expected = text_aligner.embed(["reset the pump"], modality=side, role="document")[0]
        assert np.array_equal(np.float32(store.store[id_]["vector"]), expected)
    with pytest.raises(DataError, match="Document 0 has modality='French'"):
        embeddings.add_documents(store, [Document("x", metadata={"modality": "French"})])


def test_mmr_filter_and_bad_k(text_aligner):
    embeddings = AlignedEmbeddings(aligner=text_aligner)
    store = _store(embeddings)
    mmr = AlignedRetriever(vectorstore=store, embeddings=embeddings, search_type="mmr", k=2)
    assert len(mmr.invoke("pump")) == 2
    only = mmr.model_copy(
        update={
            "search_type": "similarity",
            "search_kwargs": {"filter": lambda d: "seal" in d.page_content},
        }
    )
    assert [d.page_content for d in only.invoke("pump")] == ["replace the seal"]
    with pytest.raises(DataError, match="k=0"):
        mmr.invoke("pump", k=0)
