"""LangChain's own standard suites, unmodified, and what they do not ask for."""

import asyncio
import pickle
import uuid
from dataclasses import replace

import numpy as np
import pytest
from langchain_chroma import Chroma
from langchain_core.documents import Document
from langchain_core.runnables import ConfigurableField
from langchain_core.vectorstores import InMemoryVectorStore, VectorStore
from langchain_tests.integration_tests import EmbeddingsIntegrationTests, RetrieversIntegrationTests
from langchain_tests.unit_tests import EmbeddingsUnitTests
from support.toy_data import reversed_letters

from kakehashi import Aligner, MultiAligner
from kakehashi.errors import AlignerMismatchError, DataError
from kakehashi.integrations.langchain import (
    AlignedEmbeddings,
    AlignedRetriever,
    BM25Search,
    HybridRetriever,
    VectorSearch,
)
from kakehashi.types import SIDES

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


class TestHybridRetriever(TestRetriever):
    @property
    def retriever_constructor(self):
        return HybridRetriever

    @property
    def retriever_constructor_params(self):
        embeddings = AlignedEmbeddings(aligner=self.aligner)
        documents = [Document(text) for text in TEXTS]
        searches = [_store(embeddings), BM25Search(documents=documents)]
        return {"searches": searches, "embeddings": embeddings, "fusion": "rank"}


def chroma(embeddings, texts=TEXTS):
    return Chroma.from_texts(
        texts,
        embeddings,
        metadatas=[{"part": text.split()[-1]} for text in texts],
        collection_name=f"c{uuid.uuid4().hex}",
        collection_configuration={"hnsw": {"space": "cosine"}},
    )


@pytest.fixture
def embeddings(text_aligner):
    return AlignedEmbeddings(aligner=text_aligner)


def contents(documents):
    return [document.page_content for document in documents]


def test_an_lcel_chain_configures_k_and_keeps_the_weights(embeddings):
    retriever = AlignedRetriever(vectorstore=_store(embeddings), embeddings=embeddings)
    chain = retriever.configurable_fields(k=ConfigurableField(id="k")) | contents
    assert chain.invoke("pump") == contents(retriever.invoke("pump"))
    assert chain.with_config(configurable={"k": 2}).invoke("pump") == chain.invoke("pump")[:2]


def test_async_and_batches_find_the_same(embeddings):
    retriever = AlignedRetriever(vectorstore=chroma(embeddings), embeddings=embeddings, k=2)
    expected = [contents(retriever.invoke(text)) for text in TEXTS]

    async def run():
        one_by_one = [await retriever.ainvoke(text) for text in TEXTS]
        return one_by_one, await retriever.abatch(TEXTS), await retriever.ainvoke("pump", k=3)

    one_by_one, together, three = asyncio.run(run())
    assert [*map(contents, one_by_one)] == [*map(contents, together)] == expected
    assert [*map(contents, retriever.batch(TEXTS))] == expected
    assert len(three) == 3


@pytest.mark.parametrize("make", [_store, chroma], ids=["in memory", "chroma"])
def test_the_score_threshold_keeps_what_is_relevant_enough(make, embeddings):
    store = make(embeddings)
    every = AlignedRetriever(vectorstore=store, embeddings=embeddings, k=4, score_threshold=-2.0)
    assert len(every.invoke("reset the pump")) == 4
    query = np.array(embeddings.embed_query("reset the pump"))
    cosines = np.sort(np.array(embeddings.embed_documents(TEXTS)) @ query)
    threshold = float(cosines[1] + cosines[2]) / 2
    above = every.model_copy(update={"score_threshold": threshold})
    assert len(above.invoke("reset the pump")) == 2


def test_a_store_without_scores_by_vector_refuses_a_threshold(embeddings):
    retriever = AlignedRetriever(
        vectorstore=_store(embeddings), embeddings=embeddings, score_threshold=0.5
    )
    retriever.vectorstore = VectorStoreWithoutScores()
    with pytest.raises(DataError, match="gives no scores by vector"):
        retriever.invoke("pump")


def test_a_fault_inside_a_store_is_not_taken_for_a_store_without_an_account(embeddings):
    class Faulty(VectorStoreWithoutScores):
        def similarity_search_with_score_by_vector(self, embedding, k=4, **kwargs):
            return []

        def _select_relevance_score_fn(self):
            return self.no_such_setting

    retriever = AlignedRetriever(vectorstore=Faulty(), embeddings=embeddings, score_threshold=0.5)
    with pytest.raises(AttributeError, match="no_such_setting"):
        retriever.invoke("pump")


class VectorStoreWithoutScores(VectorStore):
    """A store that searches by vector and says no more."""

    def similarity_search(self, query, k=4, **kwargs):
        return []

    def similarity_search_by_vector(self, embedding, k=4, **kwargs):
        return []

    @classmethod
    def from_texts(cls, texts, embedding, metadatas=None, **kwargs):
        return cls()


def test_a_chroma_store_is_searched_with_a_filter_and_by_mmr(embeddings):
    store = chroma(embeddings)
    retriever = AlignedRetriever(
        vectorstore=store, embeddings=embeddings, search_kwargs={"filter": {"part": "seal"}}
    )
    assert contents(retriever.invoke("pump")) == ["replace the seal"]
    mmr = AlignedRetriever(vectorstore=store, embeddings=embeddings, search_type="mmr", k=3)
    assert len(set(contents(mmr.invoke("pump", fetch_k=4)))) == 3


def test_mmr_is_the_stores_own(embeddings):
    store = chroma(embeddings, [f"{text} {i}" for text in TEXTS for i in range(4)])
    mmr = AlignedRetriever(vectorstore=store, embeddings=embeddings, search_type="mmr", k=4)
    options = {"fetch_k": 12, "lambda_mult": 0.1}
    own = store.max_marginal_relevance_search_by_vector(
        embeddings.embed_query("pump"), k=4, **options
    )
    assert contents(mmr.invoke("pump", **options)) == contents(own)
    plain = mmr.model_copy(update={"search_type": "similarity"})
    assert contents(mmr.invoke("pump", **options)) != contents(plain.invoke("pump"))


def test_a_score_threshold_with_mmr_is_refused(embeddings):
    with pytest.raises(ValueError, match="no meaning with search_type='mmr'"):
        AlignedRetriever(
            vectorstore=_store(embeddings),
            embeddings=embeddings,
            search_type="mmr",
            score_threshold=0.5,
        )


def test_traces_name_store_and_aligner(embeddings):
    retriever = AlignedRetriever(vectorstore=chroma(embeddings), embeddings=embeddings)
    params = retriever._get_ls_params()
    assert params["ls_vector_store_provider"] == "Chroma"
    assert params["ls_embedding_model"].endswith(embeddings.aligner.fingerprint[:12])


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
        expected = text_aligner.embed_documents(["reset the pump"], modality=side)[0]
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


@pytest.mark.parametrize("options", [{}, {"search_type": "mmr"}, {"score_threshold": 0.5}])
def test_an_index_that_was_not_moved_is_refused_with_the_way_to_move_it(ngram_aligner, options):
    assert (ngram_aligner.mode, ngram_aligner.output_dimension) == ("shared", 20)
    stored = reversed_letters(TEXTS)
    store = Chroma(f"c{uuid.uuid4().hex}")
    store._collection.add(ids=TEXTS, documents=TEXTS, embeddings=stored)
    retriever = AlignedRetriever(
        vectorstore=store, embeddings=AlignedEmbeddings(aligner=ngram_aligner), **options
    )
    said = (
        r"'c\w+' of Chroma holds vectors of 24 dimensions, and this aligner gives 20.*to be moved"
    )
    with pytest.raises(AlignerMismatchError, match=said):
        retriever.invoke("pump")


def test_other_errors_of_a_store_are_left_as_they_are(ngram_aligner):
    class Down(VectorStoreWithoutScores):
        def similarity_search_by_vector(self, embedding, k=4, **kwargs):
            raise ConnectionError

    keep = replace(ngram_aligner, mode="keep")
    embeddings = AlignedEmbeddings(aligner=keep)
    with pytest.raises(ConnectionError) as raised:
        AlignedRetriever(vectorstore=Down(), embeddings=embeddings).invoke("pump")
    assert not hasattr(raised.value, "__notes__")


# What a newcomer passes


def both_retrievers(store, embeddings):
    yield AlignedRetriever(vectorstore=store, embeddings=embeddings)
    yield HybridRetriever(searches=[store], embeddings=embeddings, fusion="rank")


def test_the_embeddings_of_a_retriever_may_be_an_aligner_or_its_folder(text_aligner, embeddings):
    store = _store(embeddings)
    expected = [contents(r.invoke("pump")) for r in both_retrievers(store, embeddings)]
    of_aligner = both_retrievers(store, text_aligner)
    assert [contents(retriever.invoke("pump")) for retriever in of_aligner] == expected
    for folder in (text_aligner.path, str(text_aligner.path)):
        for retriever in both_retrievers(store, folder):
            assert retriever.embeddings.aligner.fingerprint == text_aligner.fingerprint


def test_the_embeddings_of_a_retriever_may_be_a_multi_aligner(ngram_aligner, embeddings):
    several = MultiAligner({"ja": replace(ngram_aligner, mode="keep")}, target="en")
    for retriever in both_retrievers(_store(embeddings), several):
        assert retriever.embeddings.query_modality == "auto"
        assert retriever.embeddings.document_modality == "en"


@pytest.mark.parametrize("wrong", [None, 5, reversed_letters, ["aligner"]])
def test_what_is_no_embeddings_is_named_with_what_may_be_passed(wrong, embeddings):
    store = _store(embeddings)
    said = r"is no AlignedEmbeddings; give one, an Aligner, a MultiAligner, or the folder of a"
    with pytest.raises(ValueError, match=said):
        AlignedRetriever(vectorstore=store, embeddings=wrong)
    with pytest.raises(ValueError, match=said):
        HybridRetriever(searches=[store], embeddings=wrong)
    with pytest.raises(ValueError, match=r"aligner=.*; give an Aligner, a MultiAligner, or the fo"):
        AlignedEmbeddings(aligner=wrong)


def test_a_vector_store_is_taken_for_a_search_of_it(embeddings):
    store, words = _store(embeddings), BM25Search(documents=[Document(text) for text in TEXTS])

    def retriever(*searches):
        return HybridRetriever(
            searches=searches, embeddings=embeddings, fusion="rank", explain=True
        )

    short, full = retriever(store, words), retriever(VectorSearch(vectorstore=store), words)
    assert short.invoke("pump") == full.invoke("pump")
    assert set(short.invoke("pump")[0].metadata["kakehashi"]["searches"]) == {"vectors", "words"}


def test_documents_are_taken_for_no_search_and_their_search_is_named(embeddings):
    documents = [Document(text) for text in TEXTS]
    for wrong in ([documents], documents, [None], [_store(embeddings).as_retriever()]):
        with pytest.raises(ValueError, match=r"searches hold .*BM25Search\(documents=documents\)"):
            HybridRetriever(searches=wrong, embeddings=embeddings)
    for wrong in (_store(embeddings), VectorSearch(vectorstore=_store(embeddings)), None, "words"):
        with pytest.raises(ValueError, match=r"give a list, such as \[store, BM25Search\("):
            HybridRetriever(searches=wrong, embeddings=embeddings)


def test_a_search_refuses_what_it_cannot_search_when_it_is_made(embeddings):
    with pytest.raises(ValueError, match="search_kwargs holds k; give k="):
        VectorSearch(vectorstore=_store(embeddings), search_kwargs={"k": 3})
    with pytest.raises(ValueError, match=r"1 validation error .*\s.*\s.*documents hold '"):
        BM25Search(documents=TEXTS)


def test_several_stores_are_refused_where_one_is_searched(embeddings):
    store = _store(embeddings)
    with pytest.raises(ValueError, match=r"Several are searched .*HybridRetriever\(searches="):
        AlignedRetriever(vectorstore=[store, store], embeddings=embeddings)
    with pytest.raises(ValueError, match="searches"):
        AlignedRetriever(vectorstore=store, embeddings=embeddings, searches=[store])
    with pytest.raises(ValueError, match="score_threshold"):
        HybridRetriever(searches=[store], embeddings=embeddings, score_threshold=0.5)


def test_one_store_is_searched_by_the_frameworks_own_line(embeddings):
    """A store that was opened with these embeddings needs no retriever of ours."""
    name = f"c{uuid.uuid4().hex}"
    Chroma(name, embedding_function=embeddings).add_texts(TEXTS)
    store = Chroma(name, embedding_function=embeddings)
    ours = AlignedRetriever(vectorstore=store, embeddings=embeddings)
    for text in TEXTS:
        assert contents(store.as_retriever().invoke(text)) == contents(ours.invoke(text))


def test_modalities_that_are_not_declared_are_those_of_the_aligner(text_aligner):
    embeddings = AlignedEmbeddings(aligner=text_aligner, query_modality=None)
    assert (embeddings.query_modality, embeddings.document_modality) == ("source", "target")
    with pytest.raises(ValueError, match="query_modality=''; choose one of source, target, or aut"):
        AlignedEmbeddings(aligner=text_aligner, query_modality="")
    with pytest.raises(ValueError, match="document_modality='French'; choose one of source, targ"):
        AlignedEmbeddings(aligner=text_aligner, document_modality="French")


def test_a_store_may_embed_with_another_object_of_the_same_aligner_only(
    text_aligner, ngram_aligner
):
    embeddings = AlignedEmbeddings(aligner=text_aligner)
    documents = [Document("reset the pump", metadata={"modality": side}) for side in SIDES]
    store = InMemoryVectorStore(AlignedEmbeddings(aligner=text_aligner, document_modality="source"))
    ids = embeddings.add_documents(store, documents)
    for side, id_ in zip(SIDES, ids, strict=True):
        expected = text_aligner.embed_documents(["reset the pump"], modality=side)[0]
        assert np.array_equal(np.float32(store.store[id_]["vector"]), expected)
    other = InMemoryVectorStore(AlignedEmbeddings(aligner=ngram_aligner))
    with pytest.raises(DataError, match="not with this object"):
        embeddings.add_documents(other, documents)
    assert not other.store
