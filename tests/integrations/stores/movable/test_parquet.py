"""Folders of Parquet files, as a migration reads and writes them."""

import datetime
import os
from pathlib import Path

import numpy as np
import pytest

from kakehashi.errors import DataError, KakehashiError, ReaderError
from kakehashi.integrations.stores.movable import parquet, parquet_parts
from kakehashi.integrations.stores.movable.opening import open_movable
from kakehashi.integrations.stores.movable.places import Places

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
D = 4


def table(ids, dimension=D, **more):
    drawn = np.random.default_rng(len(ids)).standard_normal((len(ids), dimension))
    columns = {
        "id": ids,
        "vector": pa.array(drawn.astype(np.float32).tolist(), pa.list_(pa.float32(), dimension)),
        "text": [f"text {each}" for each in ids],
        **more,
    }
    return pa.table(columns)


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "index"
    made.mkdir()
    for number, ids in enumerate((["b", "a"], ["d"], ["c", "e"])):
        pq.write_table(table(ids), made / f"{number}.parquet", compression="zstd")
    (made / "_SUCCESS").touch()
    return made


def moved_from(folder, name="moved", value=1.0, n=2):
    """Move a folder, n rows at a time, and return both collections."""
    source = open_movable(f"parquet:{folder}")
    moved = source.beside(name) or source.create_beside(name, D + 2)
    rows = [row for page in source.pages() for row in page]
    for start in range(0, len(rows), n):
        part = rows[start : start + n]
        moved.write(part, np.full((len(part), D + 2), value, np.float32))
    return source, moved


def rows_of(collection):
    return [row for page in collection.pages() for row in page]


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_address_of_a_copy_names_the_column_of_vectors_too(tmp_path):
    vectors = table(["a", "b"]).column("vector")
    rows = table(["a", "b"], title=vectors, body=vectors).drop_columns("vector")
    (tmp_path / "index").mkdir()
    pq.write_table(rows, tmp_path / "index" / "0.parquet")
    source = open_movable(f"parquet:{tmp_path / 'index'}?vector=title")
    moved = source.create_beside("moved", D + 2)
    assert open_movable(moved.address).dimension == D + 2


def test_parts_become_one_file_in_the_order_of_the_source(folder):
    source, moved = moved_from(folder)
    assert [row.id for row in rows_of(source)] == ["b", "a", "d", "c", "e"]
    new = folder.parent / "moved"
    assert names_in(new) == [f"part-{n:09d}.parquet" for n in range(4)]
    moved.finish()
    joined = "part-000000001-000000003.parquet"
    assert names_in(new) == ["part-000000000.parquet", joined]
    assert [row.untouched for row in rows_of(moved)] == [row.untouched for row in rows_of(source)]
    read = pq.read_table(new)  # as anybody reads it
    assert read.column("id").to_pylist() == ["b", "a", "d", "c", "e"]
    assert pq.read_metadata(new / joined).row_group(0).column(0).compression == "ZSTD"
    moved.finish()
    assert names_in(new) == ["part-000000000.parquet", joined]


def test_a_row_is_replaced_in_its_place_and_a_new_one_comes_last(folder):
    source, moved = moved_from(folder)
    moved.finish()
    rows = moved.rows(["a", "c"])
    pq.write_table(table(["z"]), folder / "3.parquet")
    [new] = source.beside("index").rows(["z"]).values()
    moved.write([*rows.values(), new], np.zeros((3, D + 2), np.float32))
    assert [row.id for row in rows_of(moved)] == ["b", "a", "d", "c", "e", "z"]
    assert [float(row.vector[0]) for row in rows_of(moved)] == [1, 0, 1, 0, 1, 0]
    moved.delete(["z", "a", "nobody"])
    assert [row.id for row in rows_of(moved)] == ["b", "d", "c", "e"]
    assert moved.count() == 4


def test_what_a_kill_leaves_counts_nothing(folder):
    source, moved = moved_from(folder)
    new = folder.parent / "moved"
    kept = {name: (new / name).read_bytes() for name in names_in(new)}
    moved.finish()
    for name, data in kept.items():  # killed before the joined parts were deleted
        (new / name).write_bytes(data)
    (new / ".part-000000004.parquet-ab.part").write_bytes(b"PAR1")
    again = open_movable(moved.address)
    assert again.count() == 5
    again.finish()
    assert names_in(new) == ["part-000000000.parquet", "part-000000001-000000003.parquet"]
    moved_from(folder, value=2.0)  # the same once more changes nothing but the vectors
    assert [row.untouched for row in rows_of(again)] == [row.untouched for row in rows_of(source)]
    assert {float(row.vector[0]) for row in rows_of(again)} == {2.0}


def test_a_kill_at_any_step_is_made_good_by_another_run(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "_PAGE", 3)
    (tmp_path / "index").mkdir()
    names = [f"{number}" for number in range(12)]
    pq.write_table(table(names), tmp_path / "index" / "0.parquet")
    steps, fatal = 0, None

    def counted(call):
        def step(*arguments, **options):
            nonlocal steps
            steps += 1
            if steps == fatal:
                raise KeyboardInterrupt
            return call(*arguments, **options)

        return step

    monkeypatch.setattr(os, "replace", counted(os.replace))
    monkeypatch.setattr(Path, "unlink", counted(Path.unlink))

    def run(name):
        source = open_movable(f"parquet:{tmp_path}/index")
        moved = source.beside(name) or source.create_beside(name, D + 2)
        for page in source.pages():
            there = moved.rows([row.id for row in page])
            missing = [row for row in page if row.id not in there]
            moved.write(missing, np.ones((len(missing), D + 2), np.float32))
        moved.finish()
        return moved

    run("whole")
    n_steps, steps = steps, 0
    assert n_steps > 10
    for number in range(1, n_steps + 1):
        steps, fatal = 0, number
        with pytest.raises(KeyboardInterrupt):
            run(f"killed{number}")
        fatal = None
        moved = run(f"killed{number}")
        assert [row.id for row in rows_of(moved)] == names
        read = pq.read_table(tmp_path / f"killed{number}")  # as anybody reads it
        assert read.column("id").to_pylist() == names


def test_other_columns_and_metadata_of_every_kind_are_kept(tmp_path):
    (tmp_path / "index").mkdir()
    when = pa.array([datetime.datetime(2026, 1, 1), None], pa.timestamp("ms"))
    as_map = pa.array([[("page", "1")], None], pa.map_(pa.string(), pa.string()))
    picture = pa.array([b"\x00\xff", None])
    mixed = table(["a", "b"], when=when, picture=picture, metadata=as_map)
    pq.write_table(mixed, tmp_path / "index" / "0.parquet")
    source, moved = moved_from(tmp_path / "index")
    moved.finish()
    assert [row.untouched for row in rows_of(moved)] == [row.untouched for row in rows_of(source)]
    assert rows_of(moved)[0].metadata == {"page": "1"}
    new = pq.read_table(tmp_path / "moved")
    assert new.drop_columns("vector").equals(mixed.drop_columns("vector"))

    pq.write_table(
        table(["a", "b"], metadata=['{"modality": "source"}', "x"]), tmp_path / "one.parquet"
    )
    one, moved = moved_from(tmp_path / "one.parquet", "two")
    assert [row.metadata for row in rows_of(moved)] == [{"modality": "source"}, {}]
    assert one.beside("two").count() == 2
    plain = table(["a"], modality=["source"])
    pq.write_table(plain, tmp_path / "plain.parquet")
    assert rows_of(open_movable(f"parquet:{tmp_path}/plain.parquet"))[0].metadata == {
        "modality": "source"
    }


def test_row_groups_without_a_wanted_row_are_not_read(folder):
    pq.write_table(table([str(n) for n in range(100)]), folder / "9.parquet", row_group_size=10)
    found = open_movable(f"parquet:{folder}").rows(["42", "57", "a"])
    assert sorted(found) == ["42", "57", "a"]
    assert found["57"].text == "text 57"


def test_joined_files_have_a_largest_size(folder, monkeypatch):
    monkeypatch.setattr(parquet_parts, "_ROWS_JOINED", 3)
    _, moved = moved_from(folder, n=1)
    moved.finish()
    assert names_in(folder.parent / "moved") == [
        "part-000000000.parquet",
        "part-000000001-000000003.parquet",
        "part-000000004-000000005.parquet",
    ]
    assert [row.id for row in rows_of(moved)] == ["b", "a", "d", "c", "e"]


def test_a_name_that_leads_elsewhere_or_is_taken_is_refused(folder):
    source = open_movable(f"parquet:{folder}")
    for name in ("../x", "a/b", ".hidden", "_x", ""):
        with pytest.raises(DataError, match="is no name of a file beside"):
            source.create_beside(name, D)
    with pytest.raises(DataError, match="'index' is taken"):
        source.create_beside("index", D)


def test_folders_that_cannot_be_moved_are_refused(folder, tmp_path):
    with pytest.raises(KakehashiError, match="in folders that a migration has made"):
        open_movable(f"parquet:{folder}").write_note("{}")
    pq.write_table(table(["a"], other=[1]), folder / "9.parquet")
    with pytest.raises(DataError, match=r"9.parquet has other columns or types"):
        open_movable(f"parquet:{folder}")
    pq.write_table(table(["a"]), folder / "9.parquet")
    with pytest.raises(DataError, match="0 rows have no id, and 1 the id of another"):
        open_movable(f"parquet:{folder}").create_beside("moved", D)
    assert not (tmp_path / "moved").exists()
    (folder / "9.parquet").write_bytes(b"PAR1")
    with pytest.raises(ReaderError, match=r"9.parquet is no Parquet"):
        open_movable(f"parquet:{folder}")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ReaderError, match=r"holds no file \*.parquet"):
        open_movable(f"parquet:{tmp_path}/empty")
    pq.write_table(table(["a"]).drop_columns("id"), tmp_path / "x.parquet")
    with pytest.raises(DataError, match="moved by their column 'id'"):
        open_movable(f"parquet:{tmp_path}/x.parquet")


def test_places_of_many_ids(monkeypatch):
    monkeypatch.setattr("kakehashi.integrations.stores.movable.places._RECENT", 10)
    places = Places()
    for number in range(30):
        places.add([f"{number} {i}" for i in range(7)], number)
    assert places.files(["3 0", "29 6", "12 1", "12 3", "nobody"]) == [3, 12, 29]
    assert places.files([]) == []
