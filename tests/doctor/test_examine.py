"""A diagnosis of real collections of Chroma: what is counted, and that nothing is written."""

import hashlib
import json

import numpy as np
import pytest
from support.indices import chroma_index, numbered_texts, random_units

from kakehashi.doctor import examine
from kakehashi.doctor.contents import metric_of
from kakehashi.errors import DataError
from kakehashi.retrieval.index_record import KEY, IndexRecord
from kakehashi.retrieval.move_note import NOTE_KEY, MoveNote


def test_a_sound_index_is_healthy(tmp_path):
    address = chroma_index(tmp_path, random_units(60), numbered_texts(60))
    found = examine(address)
    assert found.outcome == "healthy"
    assert found.about("dimension").says == ("all vectors have 16 dimensions",)
    assert found.about("lengths").says == ("all vectors have length 1", "the metric is cosine")
    assert found.about("size").evidence == {"documents": 60, "read": 60, "kept": 60}
    json.dumps(found.to_dict())


def test_vectors_that_are_all_zeros_are_a_fault_with_their_ids(tmp_path):
    vectors = random_units(40)
    vectors[[3, 7]] = 0
    found = examine(chroma_index(tmp_path, vectors, numbered_texts(40)))
    assert found.outcome == "at fault"
    assert found.about("lengths").says[0] == "2 vectors are all zeros (ids d3, d7)"
    assert found.about("lengths").next_step


def test_documents_without_a_text_are_noted(tmp_path):
    texts = numbered_texts(40)
    texts[5] = None
    found = examine(chroma_index(tmp_path, random_units(40), texts))
    assert found.outcome == "healthy"
    assert found.about("fields").evidence == {"without_text": 1, "without_vector": 0}
    assert found.about("copies").evidence["texts"] == 0


def test_lengths_that_the_metric_prefers_are_noted(tmp_path):
    vectors = random_units(40) * np.linspace(1, 3, 40, dtype=np.float32)[:, None]
    by_product = examine(chroma_index(tmp_path, vectors, numbered_texts(40), space="ip"))
    assert by_product.about("lengths").level == "note"
    by_cosine = examine(chroma_index(tmp_path, vectors, numbered_texts(40), name="by_cosine"))
    assert by_cosine.about("lengths").level == "sound"


def test_a_record_that_contradicts_the_vectors_is_a_fault(tmp_path):
    record = IndexRecord("f" * 64, "keep", 384, "USE", "MiniLM", "text")
    about = {KEY: record.to_json()}
    found = examine(chroma_index(tmp_path, random_units(40), numbered_texts(40), about=about))
    assert found.about("record").level == "fault"
    assert found.about("record").says[1] == "but its vectors have 16 dimensions"


@pytest.mark.parametrize(
    ("state", "level"), [("copying", "fault"), ("verified", "note"), ("live", "sound")]
)
def test_the_note_of_a_move_is_read(tmp_path, state, level):
    note = MoveNote("old", "f" * 64, state, 40, "2026-01-05T08:00:00+00:00")
    about = {NOTE_KEY: note.to_json()}
    found = examine(chroma_index(tmp_path, random_units(40), numbered_texts(40), about=about))
    assert found.about("move").level == level


def test_an_empty_collection_cannot_be_told(tmp_path):
    assert examine(chroma_index(tmp_path, np.zeros((0, 4)), [])).outcome == "cannot tell"


def test_a_missing_store_is_an_error(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        examine(f"chroma:{tmp_path / 'none'}?collection=manual")


def test_nothing_is_written_into_the_store(tmp_path):
    address = chroma_index(tmp_path, random_units(60), numbered_texts(60))
    examine(address)  # the first opening of a database may tidy it up

    def contents():
        files = [path for path in sorted(tmp_path.rglob("*")) if path.is_file()]
        return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    before = contents()
    examine(address, everything=True)
    assert contents() == before


@pytest.mark.parametrize(
    ("settings", "metric"),
    [
        ({"hnsw": {"space": "l2", "ef_search": 55}}, "l2"),
        ({"params": {"vectors": {"distance": "Cosine"}}}, "Cosine"),
        ({"faiss": {"kind": "Flat", "metric": 0}}, "ip"),
        ({"indices": []}, None),
    ],
)
def test_the_metric_is_found_in_the_settings_of_each_store(settings, metric):
    assert metric_of(settings) == metric
