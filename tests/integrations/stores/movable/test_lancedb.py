"""Tables of LanceDB, as a migration reads and writes them."""

import datetime

import numpy as np
import pytest
from support.toy_data import two_views

from kakehashi import Pairs
from kakehashi.errors import DataError
from kakehashi.integrations.stores.lancedb import LanceDBIndex
from kakehashi.integrations.stores.movable.lancedb_indices import sub_vectors
from kakehashi.integrations.stores.movable.opening import open_movable
from kakehashi.migration import migrate

lancedb = pytest.importorskip("lancedb")
pa = pytest.importorskip("pyarrow")
D = 16


def table(folder, n, vector=None, **more):
    """Write a table of n rows, and return it."""
    drawn = np.random.default_rng(0).standard_normal((n, D)).astype(np.float32)
    columns = {
        "id": [f"it's {i}" for i in range(n)],
        "vector": vector or pa.FixedSizeListArray.from_arrays(pa.array(drawn.reshape(-1)), D),
        "text": [f"text {i}" for i in range(n)],
        **more,
    }
    return lancedb.connect(str(folder)).create_table("manual", pa.table(columns))


def copied(folder, dimension=D + 2):
    """Move a table with random vectors, and return both collections."""
    source = open_movable(f"lancedb:{folder}")
    moved = source.create_beside("moved", dimension)
    rng = np.random.default_rng(1)
    for page in source.pages():
        moved.write(page, rng.standard_normal((len(page), dimension)).astype(np.float32))
    moved.finish()
    return source, moved


def rows_of(collection):
    return [row for page in collection.pages() for row in page]


def test_other_columns_and_types_are_kept(tmp_path):
    when = [datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.timezone.utc), None, None]
    table(
        tmp_path,
        3,
        when=pa.array(when, pa.timestamp("us", "UTC")),
        picture=pa.array([b"\x00\xff", None, b""], pa.binary()),
        tags=[["a", "b"], [], None],
        metadata=[{"page": 1, "deep": {"x": 1.5}}, None, {"page": None, "deep": None}],
    )
    source, moved = copied(tmp_path)
    before, after = rows_of(source), rows_of(moved)
    assert [row.untouched for row in before] == [row.untouched for row in after]
    assert [row.id for row in after] == ["it's 0", "it's 1", "it's 2"]
    assert after[0].metadata == {"page": 1, "deep": {"x": 1.5}}
    schemas = [each._table().schema for each in (source, moved)]
    old, new = (schema.remove(schema.get_field_index("vector")) for schema in schemas)
    assert old == new
    assert schemas[1].field("vector").type == pa.list_(pa.float32(), D + 2)


def test_vectors_of_half_precision_stay_so(tmp_path):
    half = pa.array(np.ones(3 * D, np.float16))
    table(tmp_path, 3, vector=pa.FixedSizeListArray.from_arrays(half, D))
    _, moved = copied(tmp_path)
    assert moved._table().schema.field("vector").type == pa.list_(pa.float16(), D + 2)
    assert rows_of(moved)[0].vector.dtype == np.float32


@pytest.mark.slow
def test_indices_are_built_again(tmp_path):
    from lancedb.index import FTS, Bitmap, HnswSq, IvfPq

    filled = table(tmp_path, 300, kind=["a", "b", "c"] * 100)
    filled.create_index("vector", config=IvfPq(distance_type="cosine", num_sub_vectors=2))
    filled.create_index("kind", config=Bitmap())
    filled.create_index("text", config=FTS(stem=False, with_position=True))
    source, moved = copied(tmp_path)
    assert moved.settings == source.settings
    assert {"type": "IvfPq", "columns": ["vector"], "metric": "cosine"} in (
        moved.settings["indices"]
    )
    full_text = next(i for i in moved._table().list_indices() if i.index_type == "FTS")
    assert full_text.num_unindexed_rows == 0
    assert full_text.index_details["stem"] is False
    found = moved._table().search("123", query_type="fts").to_list()
    assert [row["id"] for row in found] == ["it's 123"]
    moved.finish()  # nothing is left to do
    moved.drop()

    filled.create_index("vector", config=HnswSq(distance_type="dot", m=12), replace=True)
    _, moved = copied(tmp_path)
    graph = next(i for i in moved._table().list_indices() if i.columns == ["vector"])
    assert graph.index_details["hnsw"]["max_connections"] == 12


def test_quantisation_cuts_any_dimension():
    assert [sub_vectors(d) for d in (384, 386, 512, 514, 7)] == [24, 193, 32, 257, 1]


def test_a_table_without_ids_is_refused(tmp_path):
    lancedb.connect(str(tmp_path)).create_table("manual", [{"vector": [1.0, 2.0], "text": "x"}])
    with pytest.raises(DataError, match="moved by their column 'id', and the columns are 'vector'"):
        open_movable(f"lancedb:{tmp_path}")


def test_one_of_several_columns_of_vectors_is_named(tmp_path):
    row = {"id": "a", "title": [1.0, 2.0], "body": [1.0, 2.0, 3.0]}
    lancedb.connect(str(tmp_path)).create_table("manual", [row])
    with pytest.raises(
        DataError, match="no column 'vector' of vectors; there are: 'title', 'body'"
    ):
        open_movable(f"lancedb:{tmp_path}")
    assert open_movable(f"lancedb:{tmp_path}?vector=body").dimension == 3


def test_the_text_of_a_node_is_as_it_was_embedded(tmp_path):
    module = pytest.importorskip("llama_index.vector_stores.lancedb")
    from llama_index.core.schema import TextNode

    nodes = [
        TextNode(text=f"Grease {i}.", embedding=[1.0, 0], metadata={"page": i}) for i in range(2)
    ]
    module.LanceDBVectorStore(str(tmp_path), "manual").add(nodes)
    source, moved = copied(tmp_path, 4)
    for row, node in zip(rows_of(moved), nodes, strict=True):
        assert row.text == f"page: {node.metadata['page']}\n\n{node.text}"
        assert row.metadata == node.metadata
    assert [r.untouched for r in rows_of(source)] == [r.untouched for r in rows_of(moved)]


def test_a_table_at_hand_tells_the_note_that_another_process_wrote(tmp_path):
    table(tmp_path, 2)
    at_hand = lancedb.connect(str(tmp_path)).open_table("manual")
    open_movable(f"lancedb:{tmp_path}").write_note("live")
    assert LanceDBIndex(at_hand, "vector", None).kept("kakehashi_move") == "live"


def test_ids_may_be_numbers_and_name_one_row_each(tmp_path):
    rows = [{"id": i, "vector": [1.0, i], "text": f"text {i}"} for i in (3, 1)]
    made = lancedb.connect(str(tmp_path)).create_table("manual", rows)
    _, moved = copied(tmp_path)
    assert [row.id for row in rows_of(moved)] == ["3", "1"]
    assert list(moved.rows(["1", "7"])) == ["1"]
    moved.delete(["3"])
    assert [row.id for row in rows_of(moved)] == ["1"]
    moved.drop()
    made.add(rows[:1])
    with pytest.raises(DataError, match="0 rows have no id, and 1 the id of another"):
        copied(tmp_path)


@pytest.mark.slow
def test_a_run_after_a_kill_before_the_last_step_builds_the_index(tmp_path, aligner, monkeypatch):
    from kakehashi.integrations.stores.movable.lancedb import LanceDBCollection

    x, y, _ = two_views(300)
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(y.reshape(-1)), D)
    made = table(tmp_path, 300, vector=vectors)
    made.create_index("vector", config=lancedb.index.IvfFlat(distance_type="cosine"))
    texts = made.to_arrow().column("text").to_pylist()
    probe = Pairs(source_vectors=x[:50], target_vectors=y[:50], target_texts=texts[:50])

    def killed(self):
        raise KeyboardInterrupt

    address = f"lancedb:{tmp_path}?collection=manual"
    with monkeypatch.context() as patched:
        patched.setattr(LanceDBCollection, "finish", killed)
        with pytest.raises(KeyboardInterrupt):
            migrate(address, aligner, probe=probe)
    assert migrate(address, aligner, probe=probe).written == 0
    moved = open_movable(f"{address}_moved")
    assert moved.settings == open_movable(address).settings
