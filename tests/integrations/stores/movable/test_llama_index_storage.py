"""Storages of LlamaIndex, as a migration reads and writes them."""

import json

import numpy as np
import pytest
from llama_index.core import (
    MockEmbedding,
    QueryBundle,
    StorageContext,
    VectorStoreIndex,
    load_index_from_storage,
)
from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode

from kakehashi.errors import DataError, ReaderError
from kakehashi.integrations.stores.movable.opening import open_movable


def storage(folder, vector_store=None, n_indices=1):
    """Persist an index of six nodes, and the two nodes that they are parts of beside them."""
    parents = [TextNode(text="One. Two. Three.", id_=f"p{i}") for i in range(2)]
    leaves = [
        TextNode(
            text=f"Part {number}.",
            id_=f"n{number}",
            embedding=np.eye(8)[number].tolist(),
            metadata={"page": number},
            relationships={
                NodeRelationship.PARENT: RelatedNodeInfo(node_id=f"p{number % 2}"),
                NodeRelationship.SOURCE: RelatedNodeInfo(node_id=f"d{number % 2}"),
            },
        )
        for number in range(6)
    ]
    context = StorageContext.from_defaults(vector_store=vector_store)
    context.docstore.add_documents([*parents, *leaves])
    for _ in range(n_indices):
        VectorStoreIndex(leaves, storage_context=context, embed_model=MockEmbedding(8))
    context.persist(str(folder))
    return leaves


def moved_from(folder):
    source = open_movable(f"llama-index:{folder}")
    moved = source.create_beside("moved", 9)
    rows = [row for page in source.pages() for row in page]
    moved.write(rows, np.eye(9, dtype=np.float32)[np.arange(len(rows)) % 9])
    moved.finish()
    return rows, moved


def faiss_store():
    faiss = pytest.importorskip("faiss")
    module = pytest.importorskip("llama_index.vector_stores.faiss")
    return module.FaissVectorStore(faiss.IndexFlatIP(8))


@pytest.mark.parametrize("vectors", ["simple", "faiss"])
def test_llama_index_loads_what_was_moved(vectors, tmp_path):
    leaves = storage(tmp_path / "old", faiss_store() if vectors == "faiss" else None)
    rows, moved = moved_from(tmp_path / "old")
    assert [row.text for row in rows] == [leaf.get_content("embed") for leaf in leaves]
    assert rows[0].text.startswith("page: 0\n\n")
    assert rows[0].metadata == {"page": 0}

    new = str(tmp_path / "moved")
    store = type(faiss_store()).from_persist_dir(new) if vectors == "faiss" else None
    context = StorageContext.from_defaults(vector_store=store, persist_dir=new)
    index = load_index_from_storage(context, embed_model=MockEmbedding(9))
    retriever = index.as_retriever(similarity_top_k=1)
    for number, leaf in enumerate(leaves):
        found = retriever.retrieve(QueryBundle("", embedding=np.eye(9)[number % 9].tolist()))
        assert found[0].node.node_id == leaf.node_id
    # Parents, which have no vector, and what the docstore says of whole documents are there, too.
    old, copied = (
        json.loads((tmp_path / name / "docstore.json").read_text()) for name in ("old", "moved")
    )
    assert copied["docstore/ref_doc_info"] == old["docstore/ref_doc_info"]
    assert len(copied["docstore/data"]) > len(leaves)
    assert copied["docstore/data"] == old["docstore/data"]
    assert copied["docstore/metadata"] == old["docstore/metadata"]
    names = [sorted(path.name for path in (tmp_path / n).iterdir()) for n in ("old", "moved")]
    assert names[0] == names[1]
    assert sorted(moved.rows([leaves[0].node_id])) == [leaves[0].node_id]


def test_a_note_lies_where_our_retrievers_look_for_it(tmp_path):
    from kakehashi.integrations.llama_index.index import index_of

    storage(tmp_path / "old")
    _, moved = moved_from(tmp_path / "old")
    moved.write_note("the note")
    context = StorageContext.from_defaults(persist_dir=str(tmp_path / "moved"))
    index = load_index_from_storage(context, embed_model=MockEmbedding(9))
    opened = index_of(index, lambda node: node.text, 9)
    assert opened.kept("kakehashi_move") == "the note"


def test_what_is_added_to_the_old_one_comes_along(tmp_path):
    storage(tmp_path / "old")
    rows, moved = moved_from(tmp_path / "old")
    stored = json.loads((tmp_path / "old" / "docstore.json").read_text())
    stored["docstore/data"]["another"] = next(iter(stored["docstore/data"].values()))
    (tmp_path / "old" / "docstore.json").write_text(json.dumps(stored))
    moved.write(rows[:1], np.ones((1, 9), np.float32))
    moved.finish()
    copied = json.loads((tmp_path / "moved" / "docstore.json").read_text())
    assert "another" in copied["docstore/data"]


def test_vectors_elsewhere_and_several_indices_are_refused(tmp_path):
    storage(tmp_path / "old")
    vectors = tmp_path / "old" / "default__vector_store.json"
    vectors.write_text('{"embedding_dict": {}}')
    with pytest.raises(ReaderError, match=r"with vectors in it .* a vector store of its own"):
        open_movable(f"llama-index:{tmp_path / 'old'}")
    vectors.unlink()
    with pytest.raises(ReaderError, match="is no storage of LlamaIndex with vectors in it"):
        open_movable(f"llama-index:{tmp_path / 'old'}")
    storage(tmp_path / "two", n_indices=2)
    with pytest.raises(DataError, match="holds 2 indices with vectors; one is moved"):
        open_movable(f"llama-index:{tmp_path / 'two'}")
