"""Rows without an id of their own are refused: an index could not find them again."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.parquet_files import write_texts
from support.toy_data import reversed_letters

from kakehashi.bulk import embed_parquet, ids
from kakehashi.errors import DataError


@pytest.fixture
def embed(text_aligner, tmp_path):
    def run():
        return embed_parquet(
            tmp_path / "in",
            tmp_path / "out",
            target_encoder=reversed_letters,
            aligner=text_aligner.path,
        )

    return run


@pytest.fixture
def write(tmp_path):
    """Write 90 rows in groups of 20 with other ids: a name by its row."""

    def written(changed, *, to="a.parquet", of=None):
        path = write_texts(tmp_path / "in" / to)
        names = of or [f"d{row}" for row in range(90)]
        names = [changed.get(row, name) for row, name in enumerate(names)]
        table = pq.read_table(path)
        table = table.set_column(table.column_names.index("id"), "id", pa.array(names))
        pq.write_table(table, path, row_group_size=20)
        return path

    return written


def test_a_row_without_an_id_is_named_before_the_first_write(write, embed, tmp_path):
    write({63: None, 80: None})
    with pytest.raises(DataError, match=r"a\.parquet, row group 3, row 3 has no id\. Give each"):
        embed()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("of", [None, list(range(90))])
def test_two_rows_of_one_id_are_named_before_the_first_write(of, write, embed, tmp_path):
    write({85: 7 if of else "d7"}, of=of)
    said = r"row group 0, row 7 and .*a\.parquet, row group 4, row 5 have the same id 'd?7'\. Give"
    with pytest.raises(DataError, match=said):
        embed()
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_added_brings_new_ids(write, embed):
    write({})
    embed()
    write({}, to="b.parquet", of=[f"e{row}" for row in range(90)])
    assert embed().rows == 180
    write({4: "d0"}, to="c.parquet", of=[f"f{row}" for row in range(90)])
    with pytest.raises(DataError, match=r"a\.parquet, row group 0, row 0 and .*c\.parquet, row gr"):
        embed()


def test_of_a_larger_input_each_block_is_compared_by_itself(write, embed, monkeypatch):
    monkeypatch.setattr(ids, "COMPARED", 89)
    write({85: "d7"})
    assert embed().rows == 90
    write({84: "d81"}, to="b.parquet", of=[f"e{row}" if row < 81 else "d81" for row in range(90)])
    with pytest.raises(DataError, match=r"b\.parquet, row group 4, row 1 and .*row group 4, row 2"):
        embed()


def test_ids_whose_hashes_are_equal_by_chance_are_told_apart(write, embed, monkeypatch):
    monkeypatch.setattr(ids, "hash", len, raising=False)
    write({})
    assert embed().rows == 90
