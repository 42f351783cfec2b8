"""The documents of real stores, read by their address."""

from __future__ import annotations

import json

import numpy as np
import pytest
from langchain_core.embeddings import Embeddings
from support.vector_stores import chroma_server

import kakehashi
from kakehashi.data.index import IndexDocuments, as_index
from kakehashi.errors import DataError, ReaderError
from kakehashi.integrations.stores.rows import documents_of
from kakehashi.retrieval.index_record import IndexRecord

TEXTS = ["red key", "blue key", "green door"]
VECTORS = np.array([[1, 0, 0], [0, 1, 0], [0, 0.6, 0.8]], np.float32)
STORED = [*TEXTS, "扉を開く"]
"""What the stores hold: a document of the source, too, whose vector is projected."""
STORED_VECTORS = np.concatenate([VECTORS, VECTORS[:1]])
METADATA = [{"modality": "target"}] * 3 + [{"modality": "source"}]


class Letters(Embeddings):
    """Embeds by the rows of VECTORS, for LangChain's stores."""

    def embed_documents(self, texts):
        return [VECTORS[TEXTS.index(text) if text in TEXTS else 0].tolist() for text in texts]

    def embed_query(self, text):
        return VECTORS[0].tolist()


def _document(text, metadata):
    from langchain_core.documents import Document

    return Document(text, metadata=metadata)


def _nodes():
    from llama_index.core.schema import TextNode

    rows = zip(STORED, STORED_VECTORS.tolist(), METADATA, strict=True)
    return [TextNode(text=t, embedding=v, metadata=m) for t, v, m in rows]


def chroma(folder):
    import chromadb

    client = chromadb.PersistentClient(str(folder))
    collection = client.get_or_create_collection("notes", embedding_function=None)
    collection.add(ids=list("abc"), embeddings=VECTORS.tolist(), documents=TEXTS)
    one = {"ids": ["d"], "documents": STORED[3:], "metadatas": METADATA[3:]}  # the others have none
    collection.add(embeddings=STORED_VECTORS[3:].tolist(), **one)
    return f"chroma:{folder}?collection=notes"


def qdrant(folder):
    from langchain_qdrant import QdrantVectorStore
    from qdrant_client import QdrantClient, models

    client = QdrantClient(path=str(folder))
    by = models.VectorParams(size=3, distance=models.Distance.COSINE)
    client.create_collection("notes", vectors_config=by)
    store = QdrantVectorStore(client, "notes", Letters(), validate_embeddings=False)
    store.add_documents(list(map(_document, STORED, METADATA)))
    client.close()
    return f"qdrant:{folder}?collection=notes"


def qdrant_of_llama_index(folder):
    from llama_index.vector_stores.qdrant import QdrantVectorStore
    from qdrant_client import QdrantClient

    client = QdrantClient(path=str(folder))
    store = QdrantVectorStore("notes", client=client)
    store.add(_nodes())
    client.close()
    return f"qdrant:{folder}"


def langchain_dump(folder):
    from langchain_core.vectorstores import InMemoryVectorStore

    store = InMemoryVectorStore(Letters())
    store.add_documents(list(map(_document, STORED, METADATA)))
    store.dump(str(folder / "dump.json"))
    return str(folder / "dump.json")


def llama_index(folder, store=None):
    from llama_index.core import MockEmbedding, StorageContext, VectorStoreIndex

    context = StorageContext.from_defaults(vector_store=store)
    index = VectorStoreIndex(_nodes(), storage_context=context, embed_model=MockEmbedding(3))
    index.storage_context.persist(str(folder))
    return str(folder)


def llama_index_faiss(folder):
    faiss = pytest.importorskip("faiss")
    from llama_index.vector_stores.faiss import FaissVectorStore

    return llama_index(folder, FaissVectorStore(faiss.IndexFlatIP(3)))


def parquet(folder):
    pyarrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    rows = {"vector": STORED_VECTORS.tolist(), "text": STORED, "metadata": METADATA}
    table = pyarrow.table(rows)
    pq.write_table(table, folder / "notes.parquet")
    return f"parquet:{folder / 'notes.parquet'}"


def parquet_of_lancedb(folder):
    lancedb = pytest.importorskip("lancedb")
    import pyarrow.parquet as pq
    from langchain_community.vectorstores import LanceDB

    connection = lancedb.connect("memory://")
    LanceDB(connection, Letters(), table_name="notes").add_texts(STORED, METADATA)
    pq.write_table(connection.open_table("notes").to_arrow(), folder / "notes.parquet")
    return f"parquet:{folder / 'notes.parquet'}"


def lancedb(folder):
    package = pytest.importorskip("lancedb")
    from langchain_community.vectorstores import LanceDB

    connection = package.connect(str(folder))
    LanceDB(connection, Letters(), table_name="notes").add_texts(STORED, METADATA)
    return str(folder)


STORES = [
    lancedb,
    chroma,
    qdrant,
    qdrant_of_llama_index,
    langchain_dump,
    llama_index,
    llama_index_faiss,
]
STORES += [parquet, parquet_of_lancedb]


@pytest.mark.slow
@pytest.mark.parametrize("fill", STORES, ids=lambda fill: fill.__name__)
def test_reads_all_texts_and_vectors_of_the_target_of_a_store(fill, tmp_path):
    read = kakehashi.read_index(fill(tmp_path))
    order = [read.texts.index(text) for text in TEXTS]
    np.testing.assert_allclose(read.vectors[order], VECTORS, atol=1e-6)
    assert len(set(read.ids)) == len(read) == 3


@pytest.mark.slow
def test_chroma_is_read_page_by_page_and_shows_its_collections(tmp_path):
    import chromadb

    client = chromadb.PersistentClient(str(tmp_path))
    collection = client.create_collection("many", embedding_function=None)
    rows = np.random.default_rng(0).standard_normal((1203, 4), np.float32)
    texts = [f"text {i}" for i in range(len(rows))]
    collection.add(ids=list(map(str, range(1203))), embeddings=rows.tolist(), documents=texts)
    read = kakehashi.read_index(tmp_path)  # the folder and the only collection show themselves
    assert (len(read), read.texts[1202]) == (1203, "text 1202")
    np.testing.assert_array_equal(read.vectors, rows)
    client.create_collection("empty", embedding_function=None)
    with pytest.raises(DataError, match=r"name one with \?collection=NAME; .* 'empty', 'many'"):
        kakehashi.read_index(f"chroma:{tmp_path}")
    with pytest.raises(DataError, match="no collection 'notes'"):
        kakehashi.read_index(f"chroma:{tmp_path}?collection=notes")
    with pytest.raises(DataError, match="holds no documents"):
        kakehashi.read_index(f"chroma:{tmp_path}?collection=empty")


def test_reads_files_of_texts_and_of_vectors(tmp_path):
    (tmp_path / "a.txt").write_text("red key\n\nblue key\n")
    assert kakehashi.read_index(tmp_path / "a.txt").texts == ("red key", "blue key")
    rows = [json.dumps({"english": text}) for text in TEXTS]
    (tmp_path / "a.jsonl").write_text("\n".join(rows))
    assert kakehashi.read_index(tmp_path / "a.jsonl", column="english").texts == tuple(TEXTS)
    np.savez(tmp_path / "a.npz", target=VECTORS, target_texts=np.array(TEXTS))
    read = kakehashi.read_index(tmp_path / "a.npz")
    assert read.texts == tuple(TEXTS)
    np.testing.assert_array_equal(read.vectors, VECTORS)
    np.savez(tmp_path / "b.npz", target=VECTORS)
    assert kakehashi.read_index(tmp_path / "b.npz").texts is None
    np.savez(tmp_path / "c.npz", target_texts=np.array(TEXTS))
    assert kakehashi.read_index(tmp_path / "c.npz").vectors is None
    np.savez(tmp_path / "d.npz", other=VECTORS)
    with pytest.raises(ReaderError, match="neither an array 'target' nor 'target_texts'"):
        kakehashi.read_index(tmp_path / "d.npz")


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("chroma:", "names no folder"),
        ("chroma:nowhere", "does not exist"),
        ("chroma:.?database=x", "unknown option 'database'; allowed are collection"),
        ("chroma://host:port?collection=x", "Port could not be cast"),
        ("milvus://host", "unknown kind 'milvus'"),
        ("llama-index://host", "no server here"),
        (".", "folder of no known store"),
        ("missing.txt", "is not a file"),
    ],
)
def test_an_address_that_leads_nowhere_is_refused_with_advice(
    address, message, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=message):
        kakehashi.read_index(address)
    assert not list(tmp_path.iterdir())  # no new database


def test_a_pickle_is_refused_by_name(tmp_path):
    (tmp_path / "index.pkl").write_bytes(b"\x80\x04.")
    with pytest.raises(DataError, match="FAISS folder of LangChain: its texts are a pickle"):
        kakehashi.read_index(tmp_path)


def test_a_record_goes_with_a_copy_of_a_table_of_lancedb(text_aligner, tmp_path):
    lancedb = pytest.importorskip("lancedb")
    import pyarrow.parquet as pq

    from kakehashi.integrations.stores.address import parse_address
    from kakehashi.integrations.stores.lancedb import LanceDBIndex
    from kakehashi.integrations.stores.parquet import parquet_rows

    rows = [{"vector": v.tolist(), "text": t} for t, v in zip(TEXTS, VECTORS, strict=True)]
    table = lancedb.connect("memory://").create_table("notes", rows)
    record = IndexRecord.of(text_aligner, "text")
    assert LanceDBIndex(table, "vector", None).write(record)
    pq.write_table(table.to_arrow(), tmp_path / "notes.parquet")
    read = parquet_rows(parse_address(f"parquet:{tmp_path / 'notes.parquet'}")).index()
    assert read.record() == record
    assert [document.text for document in read.sample(9)] == TEXTS


def test_parquet_is_read_by_the_columns_that_a_move_reads(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    from kakehashi.integrations.stores.movable.opening import open_movable

    path = tmp_path / "notes.parquet"
    ids = [f"d{row}" for row in range(len(STORED))]
    rows = {"id": ids, "page_content": STORED, "title": (2 * STORED_VECTORS).tolist()}
    rows["metadata"] = list(map(json.dumps, METADATA))
    rows["body"] = STORED_VECTORS.tolist()
    pq.write_table(pyarrow.table(rows), path)
    with pytest.raises(DataError, match=r"'title', 'body'. Name one with \?vector=NAME"):
        kakehashi.read_index(f"parquet:{path}")
    read = kakehashi.read_index(f"parquet:{path}?vector=body")
    moved = {
        row.id: row for page in open_movable(f"parquet:{path}?vector=body").pages() for row in page
    }
    assert sorted(read.texts) == sorted(TEXTS)  # the document of the source is left out
    for name, text, vector in zip(read.ids, read.texts, read.vectors, strict=True):
        assert moved[name].text == text
        np.testing.assert_array_equal(moved[name].vector, vector)
    bare = pyarrow.table({"embedding": VECTORS.tolist()})  # the only vectors, and nothing else
    pq.write_table(bare, path)
    read = kakehashi.read_index(f"parquet:{path}")
    assert (read.texts, len(read)) == (None, 3)


def test_a_file_that_is_no_copy_of_an_index_is_refused(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    path = tmp_path / "notes.parquet"
    address = f"parquet:{path}"
    pq.write_table(pyarrow.table({"text": TEXTS}), path)
    with pytest.raises(DataError, match=r"there are: none. Name one with \?vector=NAME"):
        kakehashi.read_index(address)
    unequal = {"vector": [[1.0], [1.0, 2.0], [3.0]], "text": TEXTS}
    pq.write_table(pyarrow.table(unequal), path)
    with pytest.raises(ReaderError, match="no Parquet with a column of equally long"):
        kakehashi.read_index(address)
    path.write_bytes(b"PAR1")
    with pytest.raises(ReaderError, match="is no Parquet"):
        kakehashi.read_index(address)


def test_documents_are_checked_once(tmp_path):
    with pytest.raises(DataError, match="document 1: vector contains NaN"):
        IndexDocuments(vectors=np.array([[1.0], [np.nan]], np.float32))
    with pytest.raises(DataError, match="differ in number"):
        IndexDocuments(("a",), VECTORS)
    with pytest.raises(DataError, match="holds no documents"):
        as_index([])
    with pytest.raises(DataError, match=r"read it with kakehashi.read_index\('db'\)"):
        as_index("db")
    assert as_index(TEXTS).texts == tuple(TEXTS)
    (tmp_path / "a.json").write_text("[1]")
    with pytest.raises(ReaderError, match="no dump of LangChain's InMemoryVectorStore"):
        kakehashi.read_index(tmp_path / "a.json")


@pytest.mark.slow
def test_chroma_is_read_from_a_server(tmp_path):
    with chroma_server(tmp_path) as client:
        collection = client.get_or_create_collection("notes", embedding_function=None)
        collection.add(ids=list("abc"), embeddings=VECTORS.tolist(), documents=TEXTS)
        port = client.get_settings().chroma_server_http_port
        read = kakehashi.read_index(f"chroma://127.0.0.1:{port}?collection=notes")
    assert read.texts == tuple(TEXTS)
    np.testing.assert_array_equal(read.vectors, VECTORS)


@pytest.mark.slow
def test_a_damaged_store_is_an_error_of_ours(tmp_path):
    address = qdrant(tmp_path)
    [stored] = tmp_path.rglob("storage.sqlite")
    stored.write_bytes(stored.read_bytes()[:200] + b"x" * 9000)
    with pytest.raises(ReaderError, match="cannot be read: DatabaseError"):
        kakehashi.read_index(address)


def test_rows_without_a_text_or_with_another_kind_of_text():
    bare = documents_of("db", ["a", "b"], ["red", None], VECTORS[:2], [{}, {}])
    assert (bare.texts, len(bare)) == (None, 2)
    without = documents_of("db", ["a", "b", "c"], ["red", None, "  "], None, [{}] * 3)
    assert (without.texts, without.ids) == (("red",), ("a",))
    with pytest.raises(DataError, match=r"db: the text of document 'b' is no string \(int\)"):
        documents_of("db", ["a", "b"], ["red", 3], VECTORS[:2], [{}, {}])
    with pytest.raises(DataError, match="holds no documents"):
        documents_of("db", ["a"], [None], None, [None])
    with pytest.raises(DataError, match="db holds documents of the source alone"):
        documents_of("db", ["a"], ["red"], VECTORS[:1], [{"modality": "source"}])


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"a": 1}',
        '{"a": {"text": "x"}}',
        '{"a": {"text": "x", "vector": [1, 2]}, "b": {"text": "y", "vector": [1]}}',
        '{"a": {"text": 1, "vector": [1, 2]}}',
        '{"a": {"text": "x", "vector": [1e999, 2]}}',
        '{"a": {"text": "x", "vector": {"b": 1}}}',
        "\ufeff{",
    ],
)
def test_a_broken_dump_is_an_error_of_ours(content, tmp_path):
    (tmp_path / "dump.json").write_text(content)
    with pytest.raises(DataError):
        kakehashi.read_index(tmp_path / "dump.json")


@pytest.mark.parametrize("name", ["docstore.json", "default__vector_store.json"])
@pytest.mark.parametrize("content", ["", "[]", "{}", '{"docstore/data": 1}', "\x00\x01"])
def test_a_broken_storage_is_an_error_of_ours(name, content, tmp_path):
    docstore = {"docstore/data": {"a": {"__data__": {"text": "x"}}}}
    (tmp_path / "docstore.json").write_text(json.dumps(docstore))
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError):
        kakehashi.read_index(f"llama-index:{tmp_path}")
