"""A large index is read in part, where its store can begin anywhere."""

from contextlib import closing

import pytest
from support.indices import chroma_index, numbered_texts, random_units

from kakehashi.doctor.reading import ReadInPart, read
from kakehashi.integrations.stores.movable.opening import open_movable


@pytest.fixture
def collection(tmp_path):
    address = chroma_index(tmp_path, random_units(400), numbered_texts(400))
    with closing(open_movable(address)) as opened:
        yield opened


def test_a_part_is_read_from_the_first_row_to_the_last(collection):
    assert isinstance(collection, ReadInPart)
    found = read(collection, kept=50)
    assert (found.total, found.census.n_rows, found.whole) == (400, 50, False)
    assert found.sample.places.tolist()[:3] == [0, 1, 16]
    assert found.sample.places[-1] == 399
    assert found.sample.ids[-1] == "d399"


def test_all_rows_are_counted_and_some_are_kept(collection):
    found = read(collection, everything=True, kept=50)
    assert (found.census.n_rows, len(found.sample), found.whole) == (400, 50, True)
    assert [f"d{place}" for place in found.sample.places] == list(found.sample.ids)


def test_an_index_that_fits_is_read_whole(collection):
    assert read(collection, kept=400).whole
