"""Whatever searches a collection takes a moved one as it is, and finds the same in it."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from support.toy_data import ENCODERS, machine_pairs, rescoring_aligner, reversed_letters

import kakehashi
from kakehashi.errors import AlignerMismatchError, UncheckedIndexWarning
from kakehashi.migration import migrate

chromadb = pytest.importorskip("chromadb")
pytestmark = pytest.mark.slow  # the frameworks take seconds to import
TEXTS = list(machine_pairs().target_texts)
QUESTION, ANSWER = "drain the valve 2", "DRAIN THE VALVE 2."


@pytest.fixture(scope="module")
def shared(text_aligner, tmp_path_factory):
    """The map of mode shared, saved, which moved the collection."""
    folder = tmp_path_factory.mktemp("moved")
    keep = rescoring_aligner(text_aligner, folder / "keep")
    saved = kakehashi.Aligner.load(keep.as_shared().save(folder / "shared"))
    return saved.with_encoders(**ENCODERS)


@pytest.fixture(scope="module")
def folder(shared, tmp_path_factory):
    """A database whose collection ``manual`` was moved."""
    place = tmp_path_factory.mktemp("db")
    made = chromadb.PersistentClient(str(place)).create_collection(
        "manual", configuration={"hnsw": {"space": "cosine"}}
    )
    metadatas = [{"page": i} for i in range(len(TEXTS))]
    made.add(
        ids=[str(i) for i in range(len(TEXTS))],
        embeddings=reversed_letters(TEXTS),
        documents=TEXTS,
        metadatas=metadatas,
    )
    migrate(f"chroma:{place}?collection=manual", shared, switch=True)
    return place


@pytest.fixture
def client(folder):
    return chromadb.PersistentClient(str(folder))


@pytest.fixture(autouse=True)
def _checked():
    """An index that could not be checked is a failure here."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", UncheckedIndexWarning)
        yield


def test_open_collection_takes_it(client, shared):
    from kakehashi.integrations.chroma import open_collection

    collection = open_collection(client, "manual_moved", shared)
    assert collection.query(query_texts=[QUESTION], n_results=1)["documents"] == [[ANSWER]]
    collection.add(ids=["new"], documents=["CHECK THE LAMP 9."])
    found = collection.get(ids=["new"], include=["embeddings"])["embeddings"][0]
    wanted = shared.embed_documents(["CHECK THE LAMP 9."])[0]
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    collection.delete(ids=["new"])


def test_another_aligner_is_refused(client, shared, text_aligner):
    from kakehashi.integrations.chroma import open_collection

    mover, other = shared.fingerprint[:12], text_aligner.fingerprint[:12]
    with pytest.raises(AlignerMismatchError, match=rf"'{mover}', not of '{other}'.*as_shared"):
        open_collection(client, "manual_moved", text_aligner)
    with pytest.raises(AlignerMismatchError):
        open_collection(client, "manual", text_aligner)


def test_langchain_takes_it(client, shared):
    from langchain_chroma import Chroma
    from langchain_core.documents import Document

    from kakehashi.integrations.langchain import (
        AlignedEmbeddings,
        AlignedRetriever,
        AlignedVectorStore,
    )

    embeddings = AlignedEmbeddings(aligner=shared)
    store = Chroma("manual_moved", embeddings, client=client)
    [found] = AlignedRetriever(vectorstore=store, embeddings=embeddings, k=1).invoke(QUESTION)
    assert (found.page_content, found.metadata["page"]) == (ANSWER, TEXTS.index(ANSWER))
    around = AlignedVectorStore(store)
    assert around.similarity_search(QUESTION, k=1)[0].page_content == ANSWER
    [added] = around.add_documents([Document("CHECK THE LAMP 9.")])
    around.delete([added])


def test_llama_index_takes_it(client, shared):
    from llama_index.core import VectorStoreIndex
    from llama_index.vector_stores.chroma import ChromaVectorStore

    from kakehashi.integrations.llama_index import AlignedEmbedding, AlignedRetriever

    embedding = AlignedEmbedding(aligner=shared)
    store = ChromaVectorStore(client.get_collection("manual_moved", embedding_function=None))
    index = VectorStoreIndex.from_vector_store(store, embed_model=embedding)
    [found] = AlignedRetriever(index, embedding, similarity_top_k=1).retrieve(QUESTION)
    assert found.node.get_content() == ANSWER


def test_the_command_line_searches_it(folder, shared):
    from kakehashi.integrations.address_search.searching import search_address

    address = f"chroma:{folder}?collection=manual_moved"
    [hit] = search_address(address, shared, QUESTION, modality="source", k=1)
    assert hit.text == ANSWER
