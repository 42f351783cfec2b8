"""The documents of stores at hand, read once for a fit."""

import uuid

import numpy as np
import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import InMemoryVectorStore, VectorStore
from support.toy_data import ENCODERS, machine_pairs, reversed_letters

import kakehashi
from kakehashi.encoders import as_encoder
from kakehashi.errors import DataError, ReaderError
from kakehashi.integrations.langchain import AlignedEmbeddings
from kakehashi.training.index_rows import index_rows
from kakehashi.vectors import unit_rows

TEXTS = [f"grease the bearing {i}" for i in range(30)]


class Letters(Embeddings):
    """The toy encoder of the targets, for LangChain's stores."""

    def embed_documents(self, texts):
        return reversed_letters(texts).tolist()

    def embed_query(self, text):
        return self.embed_documents([text])[0]


def filled(store):
    store.add_documents([Document(text, metadata={"page": 1}) for text in TEXTS])
    return store


def in_memory():
    return filled(InMemoryVectorStore(Letters()))


def chroma():
    from langchain_chroma import Chroma

    return filled(Chroma(f"c{uuid.uuid4().hex}", Letters()))


def faiss():
    faiss = pytest.importorskip("faiss")
    community = pytest.importorskip("langchain_community.vectorstores")
    docstore = pytest.importorskip("langchain_community.docstore.in_memory").InMemoryDocstore()
    width = reversed_letters(["a"]).shape[1]
    return filled(community.FAISS(Letters(), faiss.IndexFlatL2(width), docstore, {}))


def qdrant():
    qdrant = pytest.importorskip("langchain_qdrant")
    from qdrant_client import QdrantClient, models

    client, name = QdrantClient(":memory:"), f"c{uuid.uuid4().hex}"
    width = reversed_letters(["a"]).shape[1]
    by = models.VectorParams(size=width, distance=models.Distance.COSINE)
    client.create_collection(name, vectors_config=by)
    return filled(qdrant.QdrantVectorStore(client, name, Letters(), validate_embeddings=False))


def collection():
    import chromadb

    made = chromadb.EphemeralClient().create_collection(f"c{uuid.uuid4().hex}")
    vectors = reversed_letters(TEXTS).tolist()
    made.add(ids=TEXTS, embeddings=vectors, documents=TEXTS)
    return made


def llama_index(store=None):
    from llama_index.core import MockEmbedding, StorageContext, VectorStoreIndex
    from llama_index.core.schema import TextNode

    vectors = reversed_letters(TEXTS).tolist()
    nodes = [TextNode(text=t, embedding=v) for t, v in zip(TEXTS, vectors, strict=True)]
    context = StorageContext.from_defaults(vector_store=store)
    return VectorStoreIndex(nodes, storage_context=context, embed_model=MockEmbedding(24))


def llama_index_chroma():
    import chromadb
    from llama_index.vector_stores.chroma import ChromaVectorStore

    client = chromadb.EphemeralClient()
    return llama_index(ChromaVectorStore(client.create_collection(f"c{uuid.uuid4().hex}")))


STORES = [in_memory, chroma, faiss, qdrant, collection, llama_index, llama_index_chroma]


@pytest.mark.slow
@pytest.mark.parametrize("make", STORES, ids=lambda make: make.__name__)
def test_a_store_at_hand_is_read_whole(make):
    read = kakehashi.read_index(make(), learn=7)
    assert sorted(read.texts) == sorted(TEXTS)
    stored, made = (
        unit_rows(np.asarray(v, np.float32))  # a store may keep unit vectors
        for v in (read.vectors, reversed_letters(list(read.texts)))
    )
    np.testing.assert_allclose(stored, made, atol=1e-5)
    assert read.learn == 7


def chroma_by(model):
    from langchain_chroma import Chroma
    from langchain_huggingface import HuggingFaceEmbeddings

    return Chroma(f"c{uuid.uuid4().hex}", HuggingFaceEmbeddings(model_name=model))


def llama_index_by(model, texts):
    from llama_index.core import VectorStoreIndex
    from llama_index.core.schema import TextNode
    from llama_index.embeddings.huggingface import HuggingFaceEmbedding

    nodes = [TextNode(text=text) for text in texts]
    return VectorStoreIndex(nodes, embed_model=HuggingFaceEmbedding(model))


def test_a_store_that_the_frameworks_encoder_filled_is_the_target_encoders(kicad, minilm):
    """A fit that learns from it checks that, and takes its vectors as they are."""
    pytest.importorskip("langchain_huggingface")
    pytest.importorskip("llama_index.embeddings.huggingface")
    texts = list(dict.fromkeys(kicad.target_texts))[:40]
    store, encoder = chroma_by(minilm), as_encoder(minilm)
    store.add_texts(texts)
    made = encoder.encode(texts, "document")
    for filled in (store, llama_index_by(minilm, texts)):
        read = kakehashi.read_index(filled)
        rows = index_rows(read, encoder, dimension=made.shape[1], cache=None)
        assert sorted(rows.target_texts) == sorted(texts)
        order = [rows.target_texts.index(text) for text in texts]
        np.testing.assert_allclose(rows.target_vectors[order], made, atol=1e-5)


@pytest.mark.slow
def test_a_fit_learns_from_a_store_at_hand():
    made = kakehashi.fit(
        machine_pairs(), **ENCODERS, learn_from=in_memory(), ngrams=False, learned=False
    )
    [(name, learned)] = made.report.learned_from.items()
    assert (name, learned.rows) == ("The in-memory store", 30)
    assert made.report.candidates[made.report.chosen].scores.pool == 80 + 30


def test_documents_of_the_source_are_left_out():
    store = in_memory()
    store.add_documents([Document("弁を開く", metadata={"modality": "source"})])
    store.add_documents([Document("OPEN THE VALVE.", metadata={"modality": "target"})])
    assert sorted(kakehashi.read_index(store).texts) == ["OPEN THE VALVE.", *sorted(TEXTS)]


def test_a_store_that_cannot_be_read_is_an_error_of_ours():
    broken = in_memory()
    broken.store[next(iter(broken.store))].pop("text")
    with pytest.raises(ReaderError, match="The in-memory store cannot be read: KeyError"):
        kakehashi.read_index(broken)


def test_what_lists_no_documents_is_refused():
    class Search(VectorStore):
        def similarity_search(self, query, k=4, **options):
            return []

        @classmethod
        def from_texts(cls, texts, embedding, metadatas=None, **options):
            return cls()

    with pytest.raises(DataError, match="Search lists no documents; save their texts and vect"):
        kakehashi.read_index(Search())
    with pytest.raises(DataError, match="index: object is no index; pass what"):
        kakehashi.read_index(object())


def test_an_npz_brings_its_texts_as_the_source_encoder_sees_them(tmp_path):
    rows = np.eye(3, dtype=np.float32)
    path = tmp_path / "index.npz"
    np.savez(path, target=rows, target_texts=np.array(["a", "b", "c"]), source=rows[:, :2] + 1)
    read = kakehashi.read_index(path)
    assert read.source_vectors.shape == (3, 2)
    np.savez(path, target=rows, source=rows[:2])
    with pytest.raises(DataError, match="differ in number"):
        kakehashi.read_index(path)
    questions = {"source_texts": np.array(["?", "!", "..."]), "source": rows}
    np.savez(path, target=rows, target_texts=np.array(["a", "b", "c"]), **questions)
    assert kakehashi.read_index(path).source_vectors is None  # of a file of pairs


@pytest.mark.parametrize(
    ("modalities", "field"), [(("source", "target"), "lang"), (("ja", "en"), "modality")]
)
def test_a_store_that_embeds_through_an_aligner_tells_which_documents_are_projected(
    modalities, field
):
    source, target = modalities
    aligner = kakehashi.fit(
        machine_pairs(), **ENCODERS, ngrams=False, learned=False, learn_from=[], mode="keep"
    )
    if source != "source":
        aligner = kakehashi.MultiAligner({source: aligner}, target=target)
    embeddings = AlignedEmbeddings(aligner=aligner, modality_field=field)
    store = InMemoryVectorStore(embeddings)
    documents = [("OPEN IT.", target), ("check the pump 1", source)]
    embeddings.add_documents(store, [Document(t, metadata={field: m}) for t, m in documents])
    assert kakehashi.read_index(store).texts == ("OPEN IT.",)
