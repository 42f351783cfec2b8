"""One contract for every integration: the same text, role and modality give the same bits."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.vectorstores import InMemoryVectorStore
from llama_index.core import MockEmbedding, VectorStoreIndex
from llama_index.core.schema import TextNode
from support.toy_data import embed

from kakehashi import Aligner
from kakehashi.integrations import langchain as langchain_integration
from kakehashi.integrations import llama_index as llama_index_integration
from kakehashi.integrations.chroma import AlignedEmbeddingFunction
from kakehashi.integrations.langchain import AlignedEmbeddings
from kakehashi.integrations.llama_index import AlignedEmbedding

TEXTS = ["部品の値を変更します。", "Change the value of the symbol.", "R12 10kΩ", "a"]


def langchain(aligner, texts, role, modality):
    embeddings = AlignedEmbeddings(
        aligner=aligner, query_modality=modality, document_modality=modality
    )
    if role == "query":
        return [embeddings.embed_query(text) for text in texts]
    return embeddings.embed_documents(texts)


def langchain_async(aligner, texts, role, modality):
    embeddings = AlignedEmbeddings(
        aligner=aligner, query_modality=modality, document_modality=modality
    )
    if role == "query":
        return [asyncio.run(embeddings.aembed_query(text)) for text in texts]
    return asyncio.run(embeddings.aembed_documents(texts))


def langchain_by_metadata(aligner, texts, role, modality):
    embeddings = AlignedEmbeddings(aligner=aligner)
    if role == "query":
        return [embeddings.embed_query(text, modality=modality) for text in texts]
    store = InMemoryVectorStore(embeddings)
    documents = [Document(text, metadata={"modality": modality}) for text in texts]
    return [store.store[i]["vector"] for i in embeddings.add_documents(store, documents)]


def llama_index(aligner, texts, role, modality):
    embedding = AlignedEmbedding(
        aligner=aligner, query_modality=modality, document_modality=modality
    )
    if role == "query":
        return [embedding.get_query_embedding(text) for text in texts]
    return embedding.get_text_embedding_batch(texts)


def llama_index_async(aligner, texts, role, modality):
    embedding = AlignedEmbedding(
        aligner=aligner, query_modality=modality, document_modality=modality
    )
    if role == "query":
        return [asyncio.run(embedding.aget_query_embedding(text)) for text in texts]
    return asyncio.run(embedding.aget_text_embedding_batch(texts))


def llama_index_by_metadata(aligner, texts, role, modality):
    if role == "query":
        return llama_index(aligner, texts, role, modality)
    nodes = [TextNode(text=text, metadata={"modality": modality}) for text in texts]
    return [node.embedding for node in AlignedEmbedding(aligner=aligner)(nodes)]


def chroma(aligner, texts, role, modality):
    function = AlignedEmbeddingFunction(
        aligner, query_modality=modality, document_modality=modality
    )
    if role == "query":
        return [function.embed_query([text])[0] for text in texts]
    return function(texts)


INTEGRATIONS = [
    langchain,
    langchain_async,
    langchain_by_metadata,
    llama_index,
    llama_index_async,
    llama_index_by_metadata,
    chroma,
]


@pytest.mark.parametrize("encoders", ["text_aligner", "ngram_aligner", "real_aligner"])
@pytest.mark.parametrize("modality", ["source", "target"])
@pytest.mark.parametrize("role", ["query", "document"])
@pytest.mark.parametrize("integration", INTEGRATIONS, ids=lambda f: f.__name__)
def test_vectors_are_those_of_the_aligner_bit_for_bit(
    integration, role, modality, encoders, request
):
    aligner = request.getfixturevalue(encoders)
    # A query is embedded by itself, documents in one batch: an encoder's last bits may depend on
    # what else is in its batch, and no framework sends queries in batches.
    batches = [[text] for text in TEXTS] if role == "query" else [TEXTS]
    expected = np.vstack([embed(aligner, batch, modality, role) for batch in batches])
    found = np.float32(integration(aligner, TEXTS, role, modality))
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("integration", INTEGRATIONS, ids=lambda f: f.__name__)
def test_values_are_plain_floats_or_float32(integration, text_aligner):
    value = integration(text_aligner, TEXTS, "document", "target")[0][0]
    assert isinstance(value, float if integration is not chroma else np.float32)


@pytest.mark.parametrize(
    "load", [AlignedEmbeddings.load, AlignedEmbedding.load], ids=["langchain", "llama_index"]
)
def test_a_recorded_encoder_needs_nothing_but_the_folder(load, real_aligner):
    embedder = load(real_aligner.path, query_modality="target")
    embed = getattr(embedder, "embed_query", None) or embedder.get_query_embedding
    expected = real_aligner.embed_queries(["Place a symbol."], modality="target")[0]
    assert np.array_equal(np.float32(embed("Place a symbol.")), expected)


@pytest.mark.parametrize("role", ["query", "document"])
@pytest.mark.parametrize("integration", INTEGRATIONS, ids=lambda f: f.__name__)
def test_the_texts_themselves_reach_an_aligner_that_reads_them(
    integration, role, ngram_aligner, tmp_path
):
    """Two texts that the encoder cannot tell apart are told apart by their n-grams."""

    def blind(texts):
        return np.tile(np.linspace(0.1, 1, 32, dtype=np.float32), (len(texts), 1))

    identities = dict.fromkeys(ngram_aligner.identities)
    seeing = replace(ngram_aligner, identities=identities).with_encoders(source_encoder=blind)
    seeing = Aligner.load(seeing.save(tmp_path / "aligner"))
    found = np.float32(
        integration(seeing.with_encoders(source_encoder=blind), TEXTS, role, "source")
    )
    assert len({row.tobytes() for row in found}) == len(TEXTS)


def test_what_holds_an_aligner_is_printed_in_a_line(text_aligner, ngram_aligner):
    """Notebooks and logs print these; an aligner's arrays would fill pages."""
    store = InMemoryVectorStore(DeterministicFakeEmbedding(size=4))
    index = VectorStoreIndex([], embed_model=MockEmbedding(4))
    for aligner in (text_aligner, ngram_aligner):
        embeddings = AlignedEmbeddings(aligner=aligner)
        embedding = AlignedEmbedding(aligner=aligner)
        for holder in (
            aligner,
            aligner.projection,
            aligner.identities,
            embeddings,
            embedding,
            AlignedEmbeddingFunction(aligner),
            langchain_integration.AlignedRetriever(vectorstore=store, embeddings=embeddings),
            llama_index_integration.AlignedRetriever(index, embedding),
        ):
            assert len(repr(holder)) < 1000, type(holder)
            assert len(str(holder)) < 1000, type(holder)
            assert "array" not in repr(holder)
    width = text_aligner.embed_documents(["a"], modality="target").shape[1]
    said = f"source='support.toy_data.hashed_letters' (32 -> {width})"
    for part in (said, "mode='shared'", text_aligner.fingerprint[:12], "verdict='"):
        assert part in repr(text_aligner)
    unhashed = replace(text_aligner, path=None)
    repr(unhashed)
    assert "fingerprint" not in unhashed.__dict__
