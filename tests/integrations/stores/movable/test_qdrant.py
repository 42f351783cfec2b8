"""Collections of Qdrant, as a migration reads and writes them."""

import uuid

import numpy as np
import pytest

from kakehashi.errors import DataError
from kakehashi.integrations.stores.address import parse_address
from kakehashi.integrations.stores.movable import qdrant_settings
from kakehashi.integrations.stores.movable.qdrant import open_qdrant

qdrant_client = pytest.importorskip("qdrant_client")
models = qdrant_client.models
IDS = [str(uuid.UUID(int=n)) for n in range(1, 8)]


def vectors_of(n, dimension=4):
    drawn = np.random.default_rng(n).standard_normal((n, dimension)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def size(n, distance="Cosine", **more):
    return models.VectorParams(size=n, distance=distance, **more)


@pytest.fixture
def filled(tmp_path):
    """Return what makes a collection in local mode, and its address."""

    def fill(points, **config):
        with_client = qdrant_client.QdrantClient(path=str(tmp_path / "db"))
        with_client.create_collection("manual", **config)
        if points:
            with_client.upsert("manual", points)
        with_client.close()
        return parse_address(f"qdrant:{tmp_path / 'db'}?collection=manual")

    return fill


def copied(address, dimension):
    """Move a collection with vectors of ones, and return the rows of both."""
    source = open_qdrant(address)
    moved = source.create_beside("moved", dimension)
    for page in source.pages():
        moved.write(page, np.ones((len(page), dimension), np.float32))
    moved.finish()
    both = [row for page in source.pages() for row in page], [r for p in moved.pages() for r in p]
    source.close()
    return both


def test_other_vectors_and_payloads_are_kept(filled):
    sparse = models.SparseVector(indices=[3, 9], values=[0.1, 0.25])
    given = zip(IDS, vectors_of(7).tolist(), vectors_of(7, 3).tolist(), strict=True)
    address = filled(
        [
            models.PointStruct(
                id=each,
                vector={"text": v, "title": title, "image": title, "words": sparse},
                payload={
                    "page_content": f"text {each}",
                    "metadata": {"page": 1, "deep": {"a": [1]}},
                },
            )
            for each, v, title in given
        ],
        vectors_config={"text": size(4), "title": size(3), "image": size(3, "Dot")},
        sparse_vectors_config={"words": models.SparseVectorParams(modifier=models.Modifier.IDF)},
    )
    with pytest.raises(DataError, match=r"&vector=NAME; .*'text', 'title', 'image'"):
        open_qdrant(address)
    before, after = copied(parse_address(address.text + "&vector=text"), 6)
    assert [row.untouched for row in before] == [row.untouched for row in after]
    assert [row.text for row in after] == [f"text {each}" for each in IDS]
    assert after[0].metadata == {"page": 1, "deep": {"a": [1]}}
    others = [row.payload.others for row in after]
    assert others[0]["words"] == sparse
    np.testing.assert_allclose([o["title"] for o in others], vectors_of(7, 3), atol=1e-6)
    np.testing.assert_allclose(after[0].vector, np.full(6, 6**-0.5), atol=1e-6)


def test_numbers_as_ids_and_points_without_a_vector(filled):
    address = filled(
        [models.PointStruct(id=n, vector={"text": [1, 0, 0, 0]} if n else {}) for n in (5, 0, 31)],
        vectors_config={"text": size(4)},
    )
    source = open_qdrant(address)
    rows = source.rows(["31", "0", "7"])
    assert {name: row.vector is None for name, row in rows.items()} == {"31": False, "0": True}
    assert [row.id for page in source.pages() for row in page] == ["0", "5", "31"]
    source.delete(["31", "7"])
    assert source.count() == 2
    source.close()


def test_an_alias_opens_its_collection_which_is_not_deleted_under_it(filled):
    address = filled([], vectors_config=size(4))
    client = qdrant_client.QdrantClient(path=str(address.folder))
    alias = models.CreateAlias(collection_name="manual", alias_name="docs")
    client.update_collection_aliases([models.CreateAliasOperation(create_alias=alias)])
    client.close()
    source = open_qdrant(parse_address(f"qdrant:{address.folder}?collection=docs"))
    assert source.name == "the collection 'manual' of Qdrant"
    with pytest.raises(DataError, match="the alias 'docs' names it"):
        source.drop()
    with pytest.raises(DataError, match=r"does not create 'docs': .*exists"):
        source.create_beside("docs", 4)
    source.close()


def test_metadata_of_the_application_are_kept_without_ours(filled):
    address = filled([], vectors_config=size(4), metadata={"owner": "the docs team"})
    source = open_qdrant(address)
    source.write_note("ours")
    moved = source.create_beside("moved", 4)
    assert (source.note(), moved.note()) == ("ours", None)
    assert moved._info().config.metadata == {"owner": "the docs team"}
    source.close()


def test_the_settings_that_a_server_tells_are_those_of_the_new_collection():
    """No server is at hand here: this is what one answers, by the models of Qdrant's own client."""
    info = models.CollectionInfo(
        status="green",
        optimizer_status="ok",
        segments_count=1,
        payload_schema={
            "page": {"data_type": "integer", "points": 7},
            "title": {
                "data_type": "text",
                "params": {"type": "text", "tokenizer": "word", "lowercase": True},
                "points": 7,
            },
        },
        config={
            "params": {
                "vectors": {
                    "size": 4,
                    "distance": "Cosine",
                    "on_disk": True,
                    "datatype": "float16",
                },
                "shard_number": 2,
                "replication_factor": 1,
                "on_disk_payload": True,
            },
            "hnsw_config": {"m": 24, "ef_construct": 77, "full_scan_threshold": 1, "on_disk": True},
            "optimizer_config": {
                "default_segment_number": 3,
                "flush_interval_sec": 9,
                "indexing_threshold": 5000,
            },
            "wal_config": {"wal_capacity_mb": 8, "wal_segments_ahead": 1},
            "quantization_config": {"scalar": {"type": "int8", "quantile": 0.98}},
            "strict_mode_config": {"enabled": True, "upsert_max_batchsize": 64},
            "metadata": {"owner": "docs", "kakehashi": "a record", "kakehashi_move": "a note"},
        },
    )
    made = qdrant_settings.creation(info, "", 6)
    assert made["vectors_config"] == size(6, on_disk=True, datatype="float16")
    assert made["hnsw_config"].model_dump(exclude_none=True) == (
        info.config.hnsw_config.model_dump(exclude_none=True)
    )
    assert made["optimizers_config"].indexing_threshold == 5000
    assert made["wal_config"].wal_segments_ahead == 1
    assert made["quantization_config"] == info.config.quantization_config
    assert made["strict_mode_config"].upsert_max_batchsize == 64
    assert (made["shard_number"], made["on_disk_payload"]) == (2, True)
    assert made["metadata"] == {"owner": "docs"}
    told = qdrant_settings.settings_of(info, "")
    assert told["payload_indices"]["page"] == "integer"
    assert told["payload_indices"]["title"]["tokenizer"] == "word"
    assert told["params"]["vectors"] == {
        "distance": "Cosine",
        "on_disk": True,
        "datatype": "float16",
    }

    info.config.params.sharding_method = models.ShardingMethod.CUSTOM
    with pytest.raises(DataError, match="shard keys of your own is not moved"):
        qdrant_settings.creation(info, "", 6)


def test_the_text_of_a_node_is_as_it_was_embedded(tmp_path):
    module = pytest.importorskip("llama_index.vector_stores.qdrant")
    from llama_index.core.schema import TextNode

    client = qdrant_client.QdrantClient(path=str(tmp_path))
    node = TextNode(
        text="Grease it.",
        id_=IDS[0],
        embedding=[1.0, 0, 0, 0],
        metadata={"page": 3, "modality": "target", "hidden": "x"},
        excluded_embed_metadata_keys=["hidden"],
    )
    module.QdrantVectorStore("manual", client=client).add([node])
    client.close()
    source = open_qdrant(parse_address(f"qdrant:{tmp_path}"))
    row = source.rows([IDS[0]])[IDS[0]]
    source.close()
    assert row.text == "page: 3\n\nGrease it."
    assert row.metadata == node.metadata
