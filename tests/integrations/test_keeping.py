"""What an index keeps: the record and the note lie beside each other, and beside the user's own."""

import uuid

import pytest
from llama_index.core import StorageContext, VectorStoreIndex, load_index_from_storage
from llama_index.core.schema import TextNode
from support.vector_stores import LANGCHAIN, LLAMA_INDEX, chroma_server

from kakehashi.integrations.langchain import AlignedEmbeddings
from kakehashi.integrations.langchain import index as langchain
from kakehashi.integrations.llama_index import AlignedEmbedding
from kakehashi.integrations.llama_index import index as llama_index
from kakehashi.retrieval.index_record import KEY
from kakehashi.retrieval.move_note import NOTE_KEY, MoveNote

NOTE = MoveNote("old", "f" * 64, "copying", 3, "2026-12-01T00:00:00+00:00").to_json()
LATER = NOTE.replace("copying", "live")


def no_server():
    raise AssertionError


def require_both_kept(index, fingerprint):
    """The record is there already; the note is written twice beside it."""
    assert index.kept(NOTE_KEY) is None
    assert index.keep(NOTE_KEY, NOTE)
    assert index.keep(NOTE_KEY, LATER)
    assert index.kept(NOTE_KEY) == LATER
    assert index.record().fingerprint == fingerprint
    assert index.write(index.record())
    assert index.kept(NOTE_KEY) == LATER


@pytest.mark.parametrize("store", ["chroma", "faiss", "qdrant", "lancedb"])
def test_a_store_of_langchain_keeps_record_and_note(store, text_aligner, tmp_path):
    embeddings = AlignedEmbeddings(aligner=text_aligner)
    opened = LANGCHAIN[store](embeddings, tmp_path, no_server)
    opened.add_texts(["reset the pump", "drain the seal"])
    embeddings.record(opened)
    require_both_kept(langchain.index_of(opened, 24), text_aligner.fingerprint)
    assert len(opened.similarity_search("PUMP", k=1)) == 1


@pytest.mark.parametrize("store", ["simple", "chroma", "faiss", "qdrant", "lancedb"])
def test_a_store_of_llama_index_keeps_record_and_note(store, text_aligner, tmp_path):
    embedding = AlignedEmbedding(aligner=text_aligner)
    context = StorageContext.from_defaults(
        vector_store=LLAMA_INDEX[store](embedding, tmp_path, no_server)
    )
    nodes = [TextNode(text="reset the pump"), TextNode(text="drain the seal")]
    index = VectorStoreIndex(nodes, storage_context=context, embed_model=embedding)
    embedding.record(index)
    require_both_kept(llama_index.index_of(index, embedding.text_of, 24), text_aligner.fingerprint)
    if store == "simple":  # its note is saved with it
        context.persist(str(tmp_path))
        again = load_index_from_storage(
            StorageContext.from_defaults(persist_dir=str(tmp_path)), embed_model=embedding
        )
        assert llama_index.index_of(again, embedding.text_of, 24).kept(NOTE_KEY) == LATER


def test_a_collection_of_chroma_keeps_the_metadata_of_its_user_and_tells_the_present_note():
    """The object of Chroma remembers the metadata that it was opened with."""
    import chromadb

    from kakehashi.integrations.stores.chroma import ChromaIndex

    client, name = chromadb.EphemeralClient(), uuid.uuid4().hex
    mine = client.create_collection(name, metadata={"owner": "me"}, embedding_function=None)
    opened_before = ChromaIndex(client.get_collection(name, embedding_function=None))
    assert ChromaIndex(mine).keep(NOTE_KEY, NOTE)
    assert opened_before.kept(NOTE_KEY) == NOTE
    assert opened_before.keep(KEY, "mine")
    now = client.get_collection(name, embedding_function=None).metadata
    assert now == {"owner": "me", NOTE_KEY: NOTE, KEY: "mine"}


@pytest.mark.slow
def test_a_collection_over_http_tells_the_present_note(tmp_path):
    from kakehashi.integrations.stores.chroma import ChromaIndex

    with chroma_server(tmp_path) as client:
        opened = ChromaIndex(client.create_collection("new", embedding_function=None))
        assert ChromaIndex(client.get_collection("new", embedding_function=None)).keep(
            NOTE_KEY, NOTE
        )
        assert opened.kept(NOTE_KEY) == NOTE
