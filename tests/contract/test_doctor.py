"""What the doctor says about every store that it reads, and that it changes none."""

from contextlib import closing
from uuid import UUID

import numpy as np
import pytest
from support.movable_stores import STORES, NewRow, Servers
from support.toy_models import ToyModel

from kakehashi.doctor import examine
from kakehashi.integrations.stores.movable.opening import open_movable


@pytest.fixture(scope="module")
def servers():
    with Servers() as running:
        yield running


def checksums(address):
    with closing(open_movable(address)) as collection:
        return sorted(
            (r.id, r.untouched, r.vector.tobytes()) for p in collection.pages() for r in p
        )


@pytest.mark.parametrize("name", STORES)
def test_a_mixed_index_is_at_fault_in_every_store_and_stays_as_it_is(name, tmp_path, servers):
    dimension = 16  # of the collections that the makers make
    with STORES[name](tmp_path, servers) as store:
        vectors = ToyModel(0).draw(40, 1)[:, :dimension]
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        texts = [f"段落 {i}: the pump" for i in range(38)] * 2
        store.fill(
            [
                NewRow(str(UUID(int=i + 1)), vector, texts[i], {"page": i})
                for i, vector in enumerate(vectors)
            ]
        )
        before = checksums(store.address)
        found = examine(store.address, everything=True)
        assert checksums(store.address) == before
    assert found.about("size").evidence["documents"] == 40
    assert found.about("dimension").says == ("all vectors have 16 dimensions",)
    assert found.about("copies").evidence["texts"] == 2
    assert found.about("one text, two vectors").evidence["copies"] == 2
    assert found.about("fields").level == "sound"
