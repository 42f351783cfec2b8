"""What interrupted runs leave: copies in the store, and files."""

import json

from support.indices import chroma_index, numbered_texts, random_units

from kakehashi.doctor import examine
from kakehashi.doctor.leftovers import half_written, look_at_leftovers
from kakehashi.integrations.stores.movable.opening import open_movable
from kakehashi.retrieval.move_note import NOTE_KEY, MoveNote


def test_a_copy_that_was_interrupted_is_found_beside_the_index(tmp_path):
    vectors, texts = random_units(40), numbered_texts(40)
    address = chroma_index(tmp_path, vectors, texts)
    assert examine(address).about("copy") is None
    note = MoveNote("manual", "f" * 64, "copying", 10, "2026-01-05T08:00:00+00:00")
    about = {NOTE_KEY: note.to_json()}
    copy = chroma_index(tmp_path, vectors[:10], texts[:10], name="manual_moved", about=about)
    found = examine(address)
    assert found.about("copy").evidence["state"] == "copying"
    assert found.outcome == "healthy"  # the index itself is whole
    assert examine(copy).outcome == "at fault"


def test_the_copy_of_a_dump_is_found_under_the_name_that_a_migration_gives_it(tmp_path):
    dump, note = tmp_path / "manual.json", MoveNote("manual.json", "f" * 64, "copying", 0, "")
    entry = {"id": "a", "vector": [1.0, 0.0], "text": "a", "metadata": {}}
    dump.write_text(json.dumps({"a": entry}))
    collection = open_movable(dump)
    collection.create_beside("manual_moved.json", 2).write_note(note.to_json())
    assert [found.about for found in look_at_leftovers(collection)] == ["copy"]


def test_half_written_files_are_found(tmp_path):
    folder = tmp_path / "vectors[1]"
    folder.mkdir()
    for path in (folder / ".00001.parquet-ab.part", tmp_path / ".vectors[1]-0a1b2c3d"):
        path.write_bytes(b"")
    (tmp_path / ".vectors1-0a1b2c3d").write_bytes(b"")
    names = [path.name for path in half_written(f"parquet:{folder}")]
    assert sorted(names) == [".00001.parquet-ab.part", ".vectors[1]-0a1b2c3d"]
