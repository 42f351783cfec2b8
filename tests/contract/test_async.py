"""Async queries await the encoder: as many wait at once as were asked, and none holds a thread."""

import asyncio

import numpy as np
import pytest
from langchain_core.documents import Document
from langchain_core.vectorstores import InMemoryVectorStore
from llama_index.core import MockEmbedding, VectorStoreIndex
from llama_index.core.schema import TextNode
from support.toy_data import ENCODERS, hashed_letters, machine_pairs
from support.waiting import Meeting, waiting_models

from kakehashi import MultiAligner, fit
from kakehashi.encoders import as_encoder
from kakehashi.encoders.protocol import checked_aencode, raised_by
from kakehashi.errors import EncoderError
from kakehashi.integrations import langchain, llama_index

QUERIES = [f"drain the pump {i}" for i in range(64)]
TEXTS = machine_pairs().target_texts[:20]


def langchain_store(aligner):
    store = InMemoryVectorStore(langchain.AlignedEmbeddings(aligner=aligner))
    documents = [Document(text, metadata={"modality": "target"}) for text in TEXTS]
    store.add_documents(documents)
    return store, documents


def langchain_one(aligner):
    store, _ = langchain_store(aligner)
    retriever = langchain.AlignedRetriever(vectorstore=store, embeddings=aligner, k=2)
    return retriever.invoke, retriever.ainvoke, lambda d: d.page_content


def langchain_hybrid(aligner):
    store, documents = langchain_store(aligner)
    searches = [store, langchain.BM25Search(documents=documents)]
    retriever = langchain.HybridRetriever(searches=searches, embeddings=aligner, k=2, fusion="rank")
    return retriever.invoke, retriever.ainvoke, lambda d: d.page_content


def llama_index_store(aligner):
    nodes = [TextNode(text=text, metadata={"modality": "target"}) for text in TEXTS]
    embedding = llama_index.AlignedEmbedding(aligner=aligner)
    return VectorStoreIndex(embedding(nodes), embed_model=MockEmbedding(embed_dim=1)), nodes


def llama_index_one(aligner):
    index, _ = llama_index_store(aligner)
    retriever = llama_index.AlignedRetriever(index, aligner, similarity_top_k=2)
    return retriever.retrieve, retriever.aretrieve, lambda row: row.node.text


def llama_index_hybrid(aligner):
    index, nodes = llama_index_store(aligner)
    searches = [index, llama_index.BM25Search(nodes)]
    retriever = llama_index.HybridRetriever(searches, aligner, similarity_top_k=2, fusion="rank")
    return retriever.retrieve, retriever.aretrieve, lambda row: row.node.text


@pytest.mark.parametrize("framework", ["langchain", "llama_index"], ids=lambda f: f"by-{f}")
@pytest.mark.parametrize(
    "make", [langchain_one, langchain_hybrid, llama_index_one, llama_index_hybrid]
)
def test_64_queries_wait_for_a_hosted_encoder_at_once(make, framework, text_aligner):
    """No pool of threads would let them all meet: there are as many threads as cores, and four."""
    search, _, text_of = make(text_aligner)
    expected = [[text_of(hit) for hit in search(query)] for query in QUERIES[:3]]

    async def run():
        meeting = Meeting(len(QUERIES))
        hosted = waiting_models(meeting)[framework]
        aligner = text_aligner.with_encoders(source_encoder=hosted)
        _, asearch, _ = make(aligner)
        aligner.encoder("source")  # is recognised by the blocking methods
        asked = meeting.blocking
        found = await asyncio.gather(*map(asearch, QUERIES))
        assert meeting.blocking == asked
        return [[text_of(hit) for hit in hits] for hits in found[:3]]

    assert asyncio.run(run()) == expected


@pytest.mark.parametrize("framework", ["langchain", "llama_index"])
def test_async_methods_of_an_aligner_give_the_vectors_of_the_others(framework, text_aligner):
    aligner, texts = text_aligner, [*TEXTS[:3], "drain the pump"]

    async def run():
        hosted = aligner.with_encoders(source_encoder=waiting_models(Meeting(1))[framework])
        for modality in ("source", "target", "auto"):
            for role in ("queries", "documents"):
                found = await getattr(hosted, f"aembed_{role}")(texts, modality=modality)
                expected = getattr(aligner, f"embed_{role}")(texts, modality=modality)
                assert np.array_equal(found, expected)
            query = await hosted.aprepare_query(texts[3], modality)
            known = aligner.prepare_query(texts[3], modality)
            assert (query.modality, query.how) == (known.modality, known.how)
            assert np.array_equal(query.vector, known.vector)
        assert np.array_equal(await hosted.aembed_query("pump"), aligner.embed_query("pump"))

    asyncio.run(run())


def test_async_methods_of_a_multi_aligner_give_the_vectors_of_the_others():
    aligner = fit(machine_pairs(), **ENCODERS, ngrams=False, learn_from=[], learned=False)
    both = MultiAligner({"small": aligner}, "large")

    async def run():
        for modality in ("small", "large", "auto"):
            found = await both.aembed_queries(TEXTS, modality=modality)
            assert np.array_equal(found, both.embed_queries(TEXTS, modality=modality))
        found = await both.aembed_documents(TEXTS)
        assert np.array_equal(found, both.embed_documents(TEXTS))
        assert np.array_equal(await both.aembed_query("pump"), both.embed_query("pump"))

    asyncio.run(run())


def test_an_encoder_of_ones_own_may_have_an_async_method():
    class Own:
        name = "own"

        def encode(self, texts, role="document"):
            raise AssertionError("the async method is there")

        async def aencode(self, texts, role="document"):
            return hashed_letters([f"{role}: {text}" for text in texts])

    for encoder in (Own(), as_encoder(Own(), name="renamed")):
        found = asyncio.run(checked_aencode(encoder, TEXTS, "query"))
        assert np.array_equal(found, hashed_letters([f"query: {text}" for text in TEXTS]))


def test_an_encoder_without_async_methods_runs_in_a_thread():
    found = asyncio.run(checked_aencode(as_encoder(hashed_letters), TEXTS, "query"))
    assert np.array_equal(found, hashed_letters(TEXTS))


@pytest.mark.parametrize("returned", ["too few", "an error"])
def test_async_results_and_errors_are_checked_like_the_others(returned):
    class Broken:
        model = "broken"

        def embed_documents(self, texts): ...

        def embed_query(self, text): ...

        async def aembed_documents(self, texts):
            if returned == "an error":
                raise ConnectionError("429")
            return hashed_letters(texts[:-1])

    with pytest.raises((EncoderError, ConnectionError)) as caught:
        asyncio.run(checked_aencode(as_encoder(Broken()), TEXTS, "document"))
    if returned == "an error":
        assert "raised by encoder 'broken' over 20 texts" in raised_by(caught.value)
    else:
        assert "'broken' returned 19 vectors for 20 texts" in str(caught.value)
