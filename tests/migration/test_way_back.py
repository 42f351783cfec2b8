"""The way back and the end of a move lose no document and no version of one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.toy_data import machine_pairs, reversed_letters

from kakehashi.errors import DataError, NotAdvisedWarning
from kakehashi.integrations.stores.movable.chroma import ChromaCollection
from kakehashi.migration import clean_up, migrate, roll_back

chromadb = pytest.importorskip("chromadb")
TEXTS = list(dict.fromkeys(machine_pairs().target_texts))


@pytest.fixture
def client(tmp_path):
    return chromadb.PersistentClient(str(tmp_path / "db"))


@pytest.fixture
def address(tmp_path):
    return f"chroma:{tmp_path / 'db'}?collection=manual"


@pytest.fixture
def manual(client):
    made = client.create_collection("manual")
    ids = [f"d{i}" for i in range(len(TEXTS))]
    made.add(ids=ids, embeddings=reversed_letters(TEXTS), documents=TEXTS)
    return made


def test_a_version_that_only_the_deleted_one_holds_counts_as_lost(
    client, manual, address, keeping_aligner
):
    migrate(address, keeping_aligner, switch=True)
    manual.update(ids=["d7"], documents=["mended"], embeddings=reversed_letters(["mended"]))
    asked = []
    with pytest.raises(DataError, match="1 differ"):
        clean_up(address, agree=lambda question: True, may_lose=False)
    clean_up(address, agree=lambda question: bool(asked.append(question)))
    assert "1 differ" in asked[0]


def test_a_move_that_is_rolled_back_meanwhile_is_not_cleaned_up(
    client, manual, address, keeping_aligner
):
    migrate(address, keeping_aligner, switch=True)
    with pytest.raises(DataError, match="changed meanwhile"):
        clean_up(address, agree=lambda question: bool(roll_back(address)))
    assert {each.name for each in client.list_collections()} == {"manual", "manual_moved"}


def test_an_index_that_was_made_again_under_the_name_is_not_the_source(
    client, manual, address, keeping_aligner
):
    migrate(address, keeping_aligner, switch=True)
    client.delete_collection("manual")
    again = client.create_collection("manual")
    again.add(ids=["d0"], embeddings=reversed_letters(TEXTS[:1]), documents=TEXTS[:1])
    refused = rf"filled from 'manual' \(id {manual.id}\), not from this index"
    with pytest.raises(DataError, match=refused):
        clean_up(address, agree=lambda question: True)
    with pytest.raises(DataError, match=refused):
        roll_back(address)
    with pytest.raises(DataError, match=refused):
        migrate(address, keeping_aligner)
    assert again.count() == 1


def test_another_name_of_the_new_index_is_asked_for_in_the_words_of_python_too(
    manual, address, keeping_aligner
):
    migrate(address, keeping_aligner, to="elsewhere")
    with pytest.raises(DataError, match=r"no 'manual_moved' beside .* or to= in Python"):
        roll_back(address)
    assert roll_back(address, to="elsewhere").only_moved == 0


def test_an_index_that_was_renamed_is_the_source_still(client, manual, address, keeping_aligner):
    migrate(address, keeping_aligner, switch=True)
    manual.modify(name="handbook")
    renamed = address.replace("manual", "handbook")
    assert roll_back(renamed, to="manual_moved").only_moved == 0


def test_what_is_changed_while_it_goes_live_is_said(
    client, manual, address, keeping_aligner, monkeypatch
):
    write_note, heard = ChromaCollection.write_note, []

    def meanwhile(self, note):
        if '"verified"' in note:
            manual.update(ids=["d7"], metadatas=[{"page": 700}])
        write_note(self, note)

    monkeypatch.setattr(ChromaCollection, "write_note", meanwhile)
    migrate(address, keeping_aligner, switch=True, say=heard.append)
    assert [line for line in heard if line.startswith("1 documents differ")]


def test_an_aligner_that_is_not_advised_warns(manual, address, keeping_aligner):
    report = replace(keeping_aligner.report, verdict="do not use", reason="BM25 finds more")
    with pytest.warns(NotAdvisedWarning, match="do not use"):
        migrate(address, replace(keeping_aligner, report=report, path=None))


def test_probe_pairs_that_were_fitted_are_said(manual, address, keeping_aligner):
    heard = []
    migrate(address, keeping_aligner, probe=machine_pairs(), say=heard.append)
    assert "probe pairs were fitted" in heard[0]
