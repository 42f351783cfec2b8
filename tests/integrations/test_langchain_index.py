"""LangChain: a store of another aligner's vectors is refused, whichever way it is asked."""

import asyncio
import uuid
from dataclasses import replace
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from langchain_chroma import Chroma
from langchain_classic.embeddings import CacheBackedEmbeddings
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.indexing import InMemoryRecordManager, index
from langchain_core.stores import InMemoryByteStore
from langchain_core.vectorstores import InMemoryVectorStore, VectorStore
from support.toy_data import ENCODERS, hashed_letters

import kakehashi
from kakehashi.errors import AlignerMismatchError, UncheckedIndexWarning
from kakehashi.integrations.langchain import (
    AlignedEmbeddings,
    AlignedRetriever,
    AlignedVectorStore,
    HybridRetriever,
)
from kakehashi.projection.head import AffineHead

TEXTS = [
    f"{verb} the {part} {n}"
    for verb in ("reset", "drain")
    for part in ("pump", "seal")
    for n in range(4)
]
DOCUMENTS = [Document(text) for text in TEXTS]


@pytest.fixture(scope="module")
def embeddings(text_aligner):
    return AlignedEmbeddings(aligner=text_aligner)


@pytest.fixture(scope="module")
def others(text_aligner):
    """Embeddings of another aligner, of the same encoders and dimension."""
    target = text_aligner.projection.target
    turned = np.roll(target.weight, 5, axis=1), np.roll(target.bias, 5)
    projection = replace(text_aligner.projection, target=AffineHead(*turned))
    return AlignedEmbeddings(aligner=replace(text_aligner, projection=projection))


def in_memory(embeddings):
    return InMemoryVectorStore(embeddings)


def chroma(embeddings):
    return Chroma(f"c{uuid.uuid4().hex}", embeddings)


def qdrant(embeddings):
    from langchain_qdrant import QdrantVectorStore
    from qdrant_client import QdrantClient, models

    client = QdrantClient(":memory:")
    size = embeddings.aligner.output_dimension
    by = models.VectorParams(size=size, distance=models.Distance.COSINE)
    client.create_collection("c", vectors_config=by)
    return QdrantVectorStore(client, "c", embeddings)


def lancedb(embeddings):
    lance = pytest.importorskip("lancedb")
    community = pytest.importorskip("langchain_community.vectorstores")
    connection = lance.connect("memory://")
    return community.LanceDB(connection, embeddings, table_name="c", mode="append")


def faiss(embeddings):
    faiss = pytest.importorskip("faiss")
    community = pytest.importorskip("langchain_community.vectorstores")
    docstore = pytest.importorskip("langchain_community.docstore.in_memory").InMemoryDocstore()
    width = embeddings.aligner.output_dimension
    return community.FAISS(embeddings, faiss.IndexFlatL2(width), docstore, {})


STORES = [in_memory, chroma, qdrant, lancedb, faiss]


def opened_by(store, embeddings):
    """The same store, opened with other embeddings."""
    if type(store).__name__ == "FAISS":
        with TemporaryDirectory() as folder:
            store.save_local(folder)
            return type(store).load_local(folder, embeddings, allow_dangerous_deserialization=True)
    if type(store).__name__ == "LanceDB":
        return type(store)(store._connection, embeddings, table_name="c", mode=store.mode)
    if isinstance(store, Chroma):
        return Chroma(store._collection.name, embeddings, client=store._client)
    if isinstance(store, InMemoryVectorStore):
        again = InMemoryVectorStore(embeddings)
        again.store = store.store
        return again
    return type(store)(store.client, store.collection_name, embeddings)


def ways_to_search(store, embeddings):
    """Every way to ask a store: by the framework's own retriever and by ours, and awaited."""
    yield lambda: store.similarity_search("PUMP 1")
    yield lambda: store.as_retriever().invoke("PUMP 1")
    yield lambda: asyncio.run(store.as_retriever().ainvoke("PUMP 1"))
    yield lambda: AlignedVectorStore(store).similarity_search("PUMP 1")
    retriever = AlignedRetriever(vectorstore=store, embeddings=embeddings)
    yield lambda: retriever.invoke("PUMP 1")
    yield lambda: asyncio.run(retriever.ainvoke("PUMP 1"))
    hybrid = HybridRetriever(searches=[store], embeddings=embeddings, fusion="rank")
    yield lambda: hybrid.invoke("PUMP 1")


@pytest.mark.parametrize("make", STORES)
def test_a_store_that_another_aligner_filled_is_refused_in_every_way(make, embeddings, others):
    store = make(others)
    store.add_documents(DOCUMENTS)
    for search in ways_to_search(store, others):
        assert len(search()) == 4
    opened = opened_by(store, embeddings)
    for search in ways_to_search(opened, embeddings):
        with pytest.raises(AlignerMismatchError):
            search()
    with pytest.raises(AlignerMismatchError):
        opened.add_documents([Document("oil the valve 1")])


@pytest.mark.parametrize("make", STORES)
def test_an_index_that_was_not_moved_is_refused_in_every_way(make, embeddings, text_aligner):
    assert text_aligner.output_dimension == 24  # as the encoder's own: no store can tell
    raw = ENCODERS["target_encoder"](TEXTS).tolist()
    store = make(embeddings)
    fill = type(
        "Fill", (Embeddings,), {"embed_documents": lambda self, texts: raw, "embed_query": None}
    )()
    [name] = [n for n, value in vars(store).items() if value is embeddings]
    setattr(store, name, fill)
    store.add_documents(DOCUMENTS)
    setattr(store, name, embeddings)
    for search in ways_to_search(store, embeddings):
        with pytest.raises(
            AlignerMismatchError,
            match=r"not hold this aligner's.*moved first, by kakehashi migrate",
        ):
            search()


@pytest.mark.parametrize("make", [chroma, qdrant, faiss])
def test_the_record_is_written_before_the_first_document(make, embeddings, text_aligner):
    from kakehashi.integrations.langchain.index import index_of

    store = make(embeddings)
    store.add_documents(DOCUMENTS)
    record = index_of(opened_by(store, embeddings), 8).record()
    assert record.fingerprint == text_aligner.fingerprint
    assert record.text == "page_content"


def test_a_record_is_kept_in_the_table_of_lancedb(embeddings, others, text_aligner, tmp_path):
    """Its first write makes the table, so the record is written by the caller."""
    from kakehashi.integrations.langchain.index import index_of

    store = lancedb(embeddings)
    assert not embeddings.record(store)
    store.add_documents(DOCUMENTS)
    assert embeddings.record(store)
    store.add_documents([Document("oil the valve 1")])
    store.delete(filter="text = 'oil the valve 1'")
    assert index_of(store, 24).record().fingerprint == text_aligner.fingerprint
    with pytest.raises(AlignerMismatchError, match="was filled through the aligner"):
        opened_by(store, others).similarity_search("PUMP 1")
    assert len(opened_by(store, embeddings).similarity_search("PUMP 1")) == 4


def test_a_table_that_is_overwritten_takes_any_aligner(embeddings, others):
    """The default of LangChain's LanceDB: each write replaces all documents."""
    store = lancedb(others)
    store.add_documents(DOCUMENTS)
    others.record(store)
    store.mode = "overwrite"
    opened = opened_by(store, embeddings)
    opened.add_documents(DOCUMENTS[:8])
    assert len(opened.similarity_search("PUMP 1", k=20)) == 8
    with pytest.raises(AlignerMismatchError, match="compared"):
        opened_by(store, others).similarity_search("PUMP 1")


def test_metadata_of_a_collection_stay_beside_the_record(embeddings, text_aligner):
    store = Chroma(
        f"c{uuid.uuid4().hex}", embeddings, collection_metadata={"owner": "me", "hnsw:space": "ip"}
    )
    store.add_documents(DOCUMENTS)
    assert store._collection.metadata["owner"] == "me"
    assert text_aligner.fingerprint in store._collection.metadata["kakehashi"]
    assert len(store.similarity_search("PUMP 1")) == 4


def test_edited_documents_do_not_stop_a_search(embeddings):
    store = in_memory(embeddings)
    store.add_documents(DOCUMENTS)
    for row in list(store.store.values())[::3]:
        row["text"] = "quite another text " + row["id"]
    for search in ways_to_search(store, embeddings):
        assert len(search()) == 4


def test_a_dump_that_is_loaded_with_another_aligner_is_refused(embeddings, others, tmp_path):
    store = in_memory(embeddings)
    store.add_documents(DOCUMENTS)
    store.dump(str(tmp_path / "dump.json"))
    assert (
        len(InMemoryVectorStore.load(tmp_path / "dump.json", embeddings).similarity_search("A"))
        == 4
    )
    with pytest.raises(AlignerMismatchError):
        InMemoryVectorStore.load(tmp_path / "dump.json", others).similarity_search("A")


def test_a_store_is_asked_once(embeddings, monkeypatch):
    store = in_memory(embeddings)
    store.add_documents(DOCUMENTS)
    assert len(store.similarity_search("PUMP 1")) == 4
    monkeypatch.setattr(kakehashi.Aligner, "recognises", None)
    monkeypatch.setattr(kakehashi.Aligner, "embed_documents", None)
    assert len(store.similarity_search("PUMP 2")) == 4


def test_an_encoder_that_is_such_an_object_itself_is_no_caller(embeddings, text_aligner):
    """The store holds the vectors of the outer aligner."""
    inner = AlignedEmbeddings(aligner=text_aligner)
    pairs = kakehashi.Pairs(TEXTS, [t.upper() for t in TEXTS])
    outer = kakehashi.fit(
        pairs, source_encoder=inner, target_encoder=hashed_letters, mode="keep", learned=False
    )
    store = InMemoryVectorStore(AlignedEmbeddings(aligner=outer))
    store.add_documents(DOCUMENTS)
    assert len(store.similarity_search("PUMP 1")) == 4


def test_index_skips_what_is_unchanged_and_the_search_that_follows_says_so(embeddings, others):
    """After a new fit: a namespace by the model embeds all again, any other is found out."""
    store, records = in_memory(others), InMemoryRecordManager("manual")
    records.create_schema()
    documents = [Document(text, metadata={"source": "manual"}) for text in TEXTS]
    options = {"cleanup": "incremental", "source_id_key": "source", "key_encoder": "sha256"}
    assert index(documents, records, store, **options)["num_added"] == len(TEXTS)
    opened = opened_by(store, embeddings)
    assert index(documents, records, opened, **options)["num_skipped"] == len(TEXTS)
    with pytest.raises(AlignerMismatchError):
        opened.similarity_search("PUMP 1")
    fresh = in_memory(embeddings)
    by_model = InMemoryRecordManager(f"manual/{embeddings.model}")
    by_model.create_schema()
    assert index(documents, by_model, fresh, **options)["num_added"] == len(TEXTS)
    assert len(fresh.similarity_search("PUMP 1")) == 4


def test_a_store_that_cannot_be_searched_before_it_is_filled_is_filled(embeddings):
    """As LanceDB's, whose table is made by the first write; it gives no vectors back either."""

    class Late(InMemoryVectorStore):
        def similarity_search_by_vector(self, embedding, k=4, **kwargs):
            assert self.store, "no table yet"
            return super().similarity_search_by_vector(embedding, k, **kwargs)

    class Unlisted(VectorStore):
        def __init__(self, inner):
            self._inner = inner

        @property
        def embeddings(self):
            return self._inner.embeddings

        def add_texts(self, texts, metadatas=None, **kwargs):
            vectors = self._inner.embeddings.embed_documents(list(texts))
            rows = enumerate(zip(texts, vectors, strict=True))
            self._inner.store |= {
                str(i): {"id": str(i), "text": t, "vector": v, "metadata": {}} for i, (t, v) in rows
            }
            return []

        def similarity_search(self, query, k=4, **kwargs):
            vector = self._inner.embeddings.embed_query(query)
            return self._inner.similarity_search_by_vector(vector, k)

        def similarity_search_by_vector(self, embedding, k=4, **kwargs):
            return self._inner.similarity_search_by_vector(embedding, k)

        @classmethod
        def from_texts(cls, texts, embedding, metadatas=None, **kwargs):
            raise NotImplementedError

    store = Unlisted(Late(embeddings))
    store.add_texts(TEXTS)
    for search in ways_to_search(store, embeddings):
        assert len(search()) == 4


@pytest.mark.parametrize("make", STORES)
def test_an_emptied_store_is_filled_through_another_aligner(make, embeddings, others):
    store = make(others)
    ids = store.add_documents(DOCUMENTS)
    store.similarity_search("PUMP 1")
    store.delete(ids)
    store = opened_by(store, embeddings)
    store.add_documents(DOCUMENTS)
    for search in ways_to_search(store, embeddings):
        assert len(search()) == 4


@pytest.mark.parametrize("run", ["sync", "async"])
def test_vectors_that_a_cache_kept_of_another_aligner_are_found_out(run, embeddings, others):
    """The cache asks for the new document alone: that does not make the store this aligner's."""
    kept = InMemoryByteStore()

    def cached(model):
        named = {"namespace": "manual", "key_encoder": "sha256"}
        return CacheBackedEmbeddings.from_bytes_store(model, kept, **named)

    chroma(cached(others)).add_texts(TEXTS)
    store = chroma(cached(embeddings))
    if run == "sync":
        store.add_texts([*TEXTS, "one more"])
    else:
        asyncio.run(store.aadd_texts([*TEXTS, "one more"]))
    with pytest.raises(AlignerMismatchError):
        store.similarity_search("PUMP 1")


def test_a_store_that_is_searched_by_texts_alone_is_searched(embeddings):
    class ByText(VectorStore):
        def __init__(self, inner):
            self._inner = inner

        @property
        def embeddings(self):
            return self._inner.embeddings

        def similarity_search(self, query, k=4, **kwargs):
            vector = self._inner.embeddings.embed_query(query)
            return self._inner.similarity_search_by_vector(vector, k)

        @classmethod
        def from_texts(cls, texts, embedding, metadatas=None, **kwargs):
            raise NotImplementedError

    inner = in_memory(embeddings)
    inner.add_texts(TEXTS)
    with pytest.warns(UncheckedIndexWarning, match="cannot be read"):
        found = ByText(inner).similarity_search("PUMP 1")
    assert found == inner.similarity_search("PUMP 1")
