"""What every store that a migration moves has to keep."""

from __future__ import annotations

from contextlib import closing
from uuid import UUID

import numpy as np
import pytest
from support.movable_stores import STORES, NewRow, Servers
from support.toy_data import two_views
from support.vector_stores import fresh

from kakehashi import Pairs
from kakehashi.errors import DataError
from kakehashi.integrations.stores.movable.opening import open_movable
from kakehashi.migration import clean_up, migrate, roll_back
from kakehashi.retrieval.index_record import IndexRecord

D = 16
RECORD = IndexRecord("f" * 64, "shared", D, "source", "target", "document")


def probes(rows, seed=0):
    """Return pairs that ask for these documents, by vectors of the source."""
    vectors, _, _ = two_views(len(rows), dy=D, seed=seed)
    kept = [i for i, row in enumerate(rows) if row.text]
    return Pairs(source_vectors=vectors[kept], target_texts=[rows[i].text for i in kept])


def new_rows(n, *, seed=0, without_text=True):
    """Return n documents of the target of ``two_views``; some have no text, some no metadata."""
    _, vectors, _ = two_views(n, dy=D, seed=seed)
    rows = []
    for i, vector in enumerate(vectors):
        text = None if without_text and i % 7 == 3 else f"段落 {seed}-{i}: the pump"
        metadata = (
            None if without_text and i % 5 == 2 else {"page": i, "書": "手引", "on": i % 2 == 0}
        )
        rows.append(NewRow(str(UUID(int=seed * 1_000_000 + i + 1)), vector, text, metadata))
    return rows


@pytest.fixture(scope="module")
def servers():
    with Servers() as running:
        yield running


@pytest.fixture(params=STORES)
def store(request, tmp_path, servers):
    with STORES[request.param](tmp_path, servers) as made:
        yield made


@pytest.fixture
def filled(store):
    """The store with 30 documents, opened, and the documents."""
    rows = new_rows(30, without_text=store.without_text)
    store.fill(rows)
    opened = open_movable(store.address)
    yield opened, rows
    opened.close()


@pytest.fixture
def moved():
    """The name of a collection that is not there yet: tests share a server."""
    return fresh()


def all_rows(collection):
    return [row for page in collection.pages() for row in page]


def test_reads_all_that_an_application_stored(filled):
    collection, rows = filled
    assert collection.count() == len(rows)
    assert collection.dimension == D
    read = {row.id: row for row in all_rows(collection)}
    assert set(read) == {row.id for row in rows}
    for row in rows:
        found = read[row.id]
        np.testing.assert_allclose(found.vector, row.vector, atol=1e-6)
        assert found.vector.dtype == np.float32
        assert (found.text or None) == row.text
        assert dict(row.metadata or {}).items() <= dict(found.metadata).items()


def test_reads_in_the_order_of_adding(store, filled):
    collection, rows = filled
    if not store.ordered:
        pytest.skip("this store knows no order")
    assert [row.id for row in all_rows(collection)] == [row.id for row in rows]


def test_reads_some_by_their_ids_as_the_pages_do(filled):
    collection, rows = filled
    wanted = [rows[4].id, rows[2].id, str(UUID(int=999))]
    found = collection.rows(wanted)
    assert set(found) == set(wanted[:2])
    paged = {row.id: row for row in all_rows(collection)}
    for name in found:
        assert found[name].untouched == paged[name].untouched
        np.testing.assert_array_equal(found[name].vector, paged[name].vector)
    assert collection.rows([]) == {}


def test_its_address_opens_it_again(filled):
    collection, rows = filled
    again = open_movable(collection.address)
    assert again.count() == len(rows)
    again.close()


def test_a_new_collection_has_the_settings_and_another_dimension(store, filled, moved):
    collection, _ = filled
    assert collection.beside(moved) is None
    made = collection.create_beside(moved, D + 2)
    assert made.count() == 0
    assert collection.beside(moved).count() == 0
    assert made.settings == collection.settings
    for kind, values in (store.settings or {}).items():
        assert values.items() <= made.settings[kind].items()
    with pytest.raises(DataError, match=moved):
        collection.create_beside(moved, D + 2)


def test_writes_documents_as_they_were_with_other_vectors(filled, moved):
    collection, _ = filled
    made = collection.create_beside(moved, D + 2)
    rows = all_rows(collection)
    vectors = np.eye(D + 2, dtype=np.float32)[np.arange(len(rows)) % (D + 2)]
    for _ in range(2):  # a second write changes nothing
        made.write(rows, vectors)
        made.finish()
        assert made.count() == len(rows)
        assert made.dimension == D + 2
        written = all_rows(made)
        assert {r.id: r.untouched for r in written} == {r.id: r.untouched for r in rows}
        by_id = {row.id: row.vector for row in written}
        np.testing.assert_allclose(np.stack([by_id[r.id] for r in rows]), vectors, atol=1e-6)
    assert open_movable(made.address).count() == len(rows)


def test_a_write_keeps_the_order(store, filled, moved):
    collection, rows = filled
    if not store.ordered:
        pytest.skip("this store knows no order")
    made = collection.create_beside(moved, D)
    read = all_rows(collection)
    for part in (read[:10], read[10:]):
        made.write(part, np.stack([row.vector for row in part]))
    made.finish()
    assert [row.id for row in all_rows(made)] == [row.id for row in rows]


def test_a_document_that_is_there_is_replaced_whole(filled, moved):
    collection, _ = filled
    made = collection.create_beside(moved, D)
    first, second = all_rows(collection)[:2]
    made.write([first], first.vector[None])
    made.write([first], second.vector[None])
    made.finish()
    [row] = all_rows(made)
    assert row.untouched == first.untouched
    np.testing.assert_allclose(row.vector, second.vector, atol=1e-6)


def test_deletes(filled, moved):
    collection, _ = filled
    made = collection.create_beside(moved, D)
    rows = all_rows(collection)
    made.write(rows, np.stack([row.vector for row in rows]))
    made.delete([rows[3].id, str(UUID(int=999))])
    made.finish()
    assert {row.id for row in all_rows(made)} == {r.id for r in rows} - {rows[3].id}


def test_keeps_a_note_and_a_record(filled, moved):
    collection, _ = filled
    made = collection.create_beside(moved, D)
    assert made.note() is None
    assert made.record() is None
    made.write_note('{"state": "copying"}')
    made.write_record(RECORD)
    made.write_note('{"state": "verified", "書": "x"}')
    rows = all_rows(collection)
    made.write(rows, np.stack([row.vector for row in rows]))
    made.finish()
    for opened in (made, open_movable(made.address)):
        assert opened.note() == '{"state": "verified", "書": "x"}'
        assert opened.record() == RECORD
    assert collection.note() is None


def test_drops_the_new_one_alone(filled, moved):
    collection, rows = filled
    made = collection.create_beside(moved, D)
    made.write_note("{}")
    made.drop()
    assert collection.beside(moved) is None
    assert collection.count() == len(rows)


def contents(address, name=None):
    """Return the documents by id, in order, and close: some stores let in one at a time."""
    with closing(open_movable(address)) as opened:
        found = opened if name is None else opened.beside(name)
        return None if found is None else {row.id: row for row in all_rows(found)}


@pytest.fixture
def stored(store):
    """The documents of the store, which is filled and closed again."""
    rows = new_rows(30, without_text=store.without_text)
    store.fill(rows)
    return rows


def test_moves_whole_and_back(store, stored, moved, aligner):
    before = contents(store.address)
    asked = {"to": moved, "probe": probes(stored)}
    done = migrate(store.address, aligner, **asked)
    assert done.written == len(stored)
    assert done.recall.moved > 0.8
    after = contents(store.address, moved)
    assert {i: row.untouched for i, row in after.items()} == {
        i: row.untouched for i, row in before.items()
    }
    vectors = np.stack([after[row.id].vector for row in stored])
    projected = aligner.project([r.vector for r in stored], modality="target", role="document")
    np.testing.assert_allclose(vectors, projected, atol=1e-5)
    if store.ordered:
        assert [*after] == [row.id for row in stored]
    with closing(open_movable(store.address)) as opened:
        assert opened.beside(moved).record() == IndexRecord.of(aligner, "document")
    assert migrate(store.address, aligner, **asked, switch=True).written == 0
    assert roll_back(store.address, to=moved).only_moved == 0
    clean_up(store.address, to=moved, agree=lambda question: True)
    assert contents(store.address, moved) is None
    for name, row in contents(store.address).items():
        assert row.untouched == before[name].untouched
        np.testing.assert_array_equal(row.vector, before[name].vector)


def test_completes_a_move_that_stopped_and_catches_up(store, stored, moved, aligner):
    asked = {"to": moved, "probe": probes(stored)}
    first = migrate(store.address, aligner, **asked)
    with closing(open_movable(store.address)) as opened:
        new = opened.beside(moved)
        rows = all_rows(new)
        new.delete([row.id for row in rows[5:9]])
        new.write(rows[12:13], rows[0].vector[None])
        new.finish()
    again = migrate(store.address, aligner, **asked)
    assert (again.written, again.checksum) == (5, first.checksum)
    added = new_rows(3, seed=1, without_text=store.without_text)
    with closing(open_movable(store.address)) as opened:
        opened.delete([stored[0].id])
        opened.finish()
    store.fill(added)
    done = migrate(store.address, aligner, **asked)
    assert (done.rows, done.written, done.deleted) == (len(stored) + 2, 3, 1)
    assert {*contents(store.address, moved)} == {row.id for row in [*stored[1:], *added]}


def test_an_empty_collection_has_no_dimension_or_its_own(store):
    opened = open_movable(store.address)
    assert opened.count() == 0
    assert all_rows(opened) == []
    assert opened.dimension in (0, D)
    opened.close()


def test_a_missing_collection_is_an_error(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        open_movable(f"chroma:{tmp_path / 'nowhere'}")
    with pytest.raises(DataError, match="no store that can be opened"):
        open_movable(tmp_path / "texts.txt")
