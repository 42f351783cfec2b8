"""Dumps of LangChain's in-memory store, as a migration reads and writes them."""

import json

import numpy as np
import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.vectorstores import InMemoryVectorStore

from kakehashi.errors import DataError, ReaderError
from kakehashi.integrations.stores.movable.opening import open_movable


@pytest.fixture
def dump(tmp_path):
    store = InMemoryVectorStore(DeterministicFakeEmbedding(size=4))
    documents = [
        Document("一つ", metadata={"page": 1, "deep": {"a": [1.5, None]}}),
        Document('a "quoted" \ntext', metadata={}),
    ]
    store.add_documents(documents, ids=["é", "b"])
    store.dump(str(tmp_path / "dump.json"))
    return tmp_path / "dump.json"


def test_langchain_loads_what_was_moved(dump, tmp_path):
    source = open_movable(dump)  # the kind shows itself
    moved = source.create_beside("moved.json", 6)
    rows = [row for page in source.pages() for row in page]
    moved.write(rows, np.eye(2, 6, dtype=np.float32))
    assert json.loads((tmp_path / "moved.json").read_text()) == {}  # a kill leaves the old state
    moved.finish()
    embeddings = DeterministicFakeEmbedding(size=6)
    old = InMemoryVectorStore.load(str(dump), embeddings).store
    new = InMemoryVectorStore.load(str(tmp_path / "moved.json"), embeddings).store
    assert list(new) == ["é", "b"]
    assert new["é"]["vector"] == [1, 0, 0, 0, 0, 0]
    for name in old:
        assert {**new[name], "vector": None} == {**old[name], "vector": None}


def test_our_texts_go_with_a_new_dump_and_away_with_it(dump, tmp_path):
    (tmp_path / "moved.json.kakehashi").write_text('{"kakehashi_move": "of an older one"}')
    moved = open_movable(dump).create_beside("moved.json", 6)
    assert moved.note() is None
    moved.write_note("{}")
    moved.drop()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dump.json"]


def test_a_file_that_changes_is_read_again(dump):
    opened = open_movable(dump)
    entries = json.loads(dump.read_text())
    entries["c"] = entries["b"]
    dump.write_text(json.dumps(entries))
    assert opened.count() == 3
    opened.delete(["c"])
    assert opened.count() == 2
    assert list(json.loads(dump.read_text())) == ["é", "b", "c"]  # until finish


def test_what_is_no_dump_is_refused(dump, tmp_path):
    (tmp_path / "list.json").write_text('{"a": {"text": "x"}}')
    with pytest.raises(ReaderError, match="no dump of LangChain's InMemoryVectorStore"):
        open_movable(tmp_path / "list.json")
    with pytest.raises(DataError, match=r"'dump.json' is taken"):
        open_movable(dump).create_beside("dump.json", 4)
