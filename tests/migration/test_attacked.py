"""A move over what nobody would have stored: odd names, links, forged notes, two moves at once."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from support.toy_data import machine_pairs, reversed_letters

from kakehashi.doctor import examine
from kakehashi.errors import DataError, MigrationError
from kakehashi.integrations.stores.movable.opening import open_movable
from kakehashi.integrations.stores.movable.parquet import ParquetCollection
from kakehashi.migration import clean_up, migrate
from kakehashi.retrieval.move_note import NOTE_KEY, MoveNote

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
TEXTS = list(dict.fromkeys(machine_pairs().target_texts))[:40]
IDS = [f"d{i}" for i in range(len(TEXTS))]
NOTE = MoveNote("old", "f" * 64, "live", 3, "2026-01-05T08:00:00+00:00")


def folder(place, vectors=None, note=None):
    """Write a folder of Parquet, and return its address."""
    place.mkdir()
    given = reversed_letters(TEXTS).tolist() if vectors is None else vectors
    table = pa.table({"id": IDS, "vector": pa.array(given, pa.list_(pa.float32())), "text": TEXTS})
    metadata = None if note is None else {NOTE_KEY: note}
    pq.write_table(table.replace_schema_metadata(metadata), place / "0.parquet")
    return f"parquet:{place}"


def test_two_moves_at_once_double_nothing_for_long(tmp_path, keeping_aligner):
    address = folder(tmp_path / "index")
    first = migrate(address, keeping_aligner)
    moved = open_movable(first.moved)
    rows = [row for page in moved.pages() for row in page]
    [path] = (tmp_path / "index_moved").glob("part-*1.parquet")
    # What another process wrote that had looked before the first one wrote.
    path.with_name("part-000000002.parquet").write_bytes(path.read_bytes())
    assert moved.count() == 2 * len(rows)
    done = migrate(address, keeping_aligner)
    assert done.deleted == len(rows)
    assert open_movable(first.moved).count() == len(rows)
    assert done.checksum == first.checksum


def test_another_run_that_makes_it_live_stops_this_one(tmp_path, keeping_aligner, monkeypatch):
    address = folder(tmp_path / "index")
    finish, runs = ParquetCollection.finish, []

    def meanwhile(self):
        finish(self)
        runs.append(self)
        if len(runs) == 1:  # another process
            migrate(address, keeping_aligner, switch=True)

    monkeypatch.setattr(ParquetCollection, "finish", meanwhile)
    with pytest.raises(MigrationError, match=r"changed the state of .* it is 'live'"):
        migrate(address, keeping_aligner)
    assert migrate(address, keeping_aligner, switch=True).state == "live"


def test_vectors_of_several_lengths_are_refused_before_the_first_write(tmp_path, keeping_aligner):
    vectors = reversed_letters(TEXTS).tolist()
    vectors[6] = vectors[6][:5]
    address = folder(tmp_path / "index", vectors)
    with pytest.raises(DataError, match=r"1 documents without a usable vector, such as 'd6'"):
        migrate(address, keeping_aligner)
    assert not (tmp_path / "index_moved").exists()


@pytest.mark.parametrize("name", ["a\0b", "x" * 201, "\ud800", "../x", "a/b", "\x1b[31m", "_x"])
def test_a_name_that_no_file_has_is_refused(tmp_path, keeping_aligner, name):
    address = folder(tmp_path / "index")
    with pytest.raises(DataError, match="is no name of a file"):
        migrate(address, keeping_aligner, to=name)
    assert [path.name for path in tmp_path.iterdir()] == ["index"]


@pytest.mark.parametrize("name", ["_hidden", ".hidden"])
def test_a_hidden_index_is_moved_to_one_that_is_seen(tmp_path, keeping_aligner, name):
    address = folder(tmp_path / name)
    assert migrate(address, keeping_aligner).moved.endswith("/hidden_moved")
    assert examine(address).about("copy").evidence["copy"] == "hidden_moved"


def test_the_folder_that_one_stands_in_is_moved(tmp_path, keeping_aligner, monkeypatch):
    folder(tmp_path / "index")
    monkeypatch.chdir(tmp_path / "index")
    assert migrate("parquet:.", keeping_aligner).moved == f"parquet:{tmp_path}/index_moved"
    assert examine("parquet:.").about("copy").evidence["state"] == "verified"


@pytest.mark.skipif(os.name != "posix", reason="links need rights")
def test_a_clean_up_deletes_what_a_link_leads_to(tmp_path, keeping_aligner):
    folder(tmp_path / "real")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    address = f"parquet:{tmp_path / 'link'}"
    migrate(address, keeping_aligner, switch=True)
    clean_up(address, agree=lambda question: True)
    assert [path.name for path in tmp_path.iterdir()] == ["link_moved"]


@pytest.mark.parametrize(
    "source", ["../..", "", "a\0b", "x" * 100_000, "\x1b[31m", "\ud800", ".", "_x"]
)
def test_a_forged_note_breaks_no_diagnosis(tmp_path, source):
    about = replace(NOTE, source=source)
    forged = about.to_json().encode(errors="backslashreplace").decode()
    address = folder(tmp_path / "index", note=forged)
    [file] = (tmp_path / "index").iterdir()
    before = file.read_bytes(), file.stat().st_mtime_ns
    assert examine(address).about("move").says[1] == "the old index is deleted"
    assert (file.read_bytes(), file.stat().st_mtime_ns) == before
