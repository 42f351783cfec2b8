"""A move of a Chroma collection: complete, with a way back, and never the wrong way round."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.toy_data import hashed_letters, machine_pairs, rescoring_aligner, reversed_letters

from kakehashi.errors import AlignerMismatchError, DataError, MigrationError
from kakehashi.integrations.stores.movable.chroma import ChromaCollection
from kakehashi.migration import clean_up, migrate, roll_back
from kakehashi.retrieval.index_record import KEY, IndexRecord
from kakehashi.retrieval.move_note import NOTE_KEY, MoveNote

chromadb = pytest.importorskip("chromadb")
TEXTS = list(dict.fromkeys(machine_pairs().target_texts))
PROBES = machine_pairs()


@pytest.fixture
def client(tmp_path):
    return chromadb.PersistentClient(str(tmp_path / "db"))


@pytest.fixture
def address(tmp_path):
    return f"chroma:{tmp_path / 'db'}?collection=manual"


def filled(client, vectors, name="manual", **more):
    made = client.create_collection(name, configuration={"hnsw": {"space": "cosine"}}, **more)
    ids = [f"d{i}" for i in range(len(TEXTS))]
    metadatas = [{"page": i} if i % 3 else None for i in range(len(TEXTS))]
    made.add(ids=ids, embeddings=vectors, documents=TEXTS, metadatas=metadatas)
    return made


@pytest.fixture
def manual(client):
    """An index of the target encoder's vectors."""
    return filled(client, reversed_letters(TEXTS))


def state(client, name="manual_moved"):
    return MoveNote.from_json(client.get_collection(name).metadata[NOTE_KEY]).state


def everything(collection):
    read = collection.get(include=["documents", "metadatas", "embeddings"])
    return read["ids"], read["documents"], read["metadatas"], np.asarray(read["embeddings"])


def names(client):
    return {each.name for each in client.list_collections()}


def test_moves_all_and_leaves_the_source(client, manual, address, keeping_aligner):
    before = everything(manual)
    done = migrate(address, keeping_aligner, probe=PROBES)
    assert (done.state, done.rows, done.written) == ("verified", len(TEXTS), len(TEXTS))
    moved = client.get_collection("manual_moved")
    ids, texts, metadatas, vectors = everything(moved)
    assert (ids, texts, metadatas) == before[:3]
    shared = keeping_aligner.as_shared()
    wanted = shared.project(before[3], modality="target", role="document")
    np.testing.assert_allclose(vectors, wanted, atol=1e-6)
    for old, now in zip(before, everything(client.get_collection("manual")), strict=True):
        assert np.array_equal(old, now)
    assert state(client) == "verified"
    assert done.recall.questions == len(TEXTS)
    assert done.recall.moved >= done.recall.rescored > 0.1


def test_a_second_run_writes_nothing(manual, address, keeping_aligner):
    first = migrate(address, keeping_aligner)
    again = migrate(address, keeping_aligner)
    assert (again.written, again.passes, again.checksum) == (0, 1, first.checksum)


def test_completes_what_was_left_half_done(client, manual, address, keeping_aligner):
    whole = migrate(address, keeping_aligner)
    moved = client.get_collection("manual_moved")
    moved.delete(ids=["d3", "d4", "d70"])
    wrong = moved.get(ids=["d9"], include=["embeddings"])["embeddings"][0][::-1]
    moved.update(ids=["d9"], embeddings=[wrong])
    moved.update(ids=["d10"], documents=["another text"], embeddings=[wrong])
    done = migrate(address, keeping_aligner)
    assert (done.written, done.checksum) == (5, whole.checksum)


def test_catches_up_with_what_was_written_meanwhile(client, manual, address, keeping_aligner):
    migrate(address, keeping_aligner)
    [vector] = reversed_letters(["a new text"])
    manual.add(ids=["new"], embeddings=[vector], documents=["a new text"])
    manual.delete(ids=["d5", "d6"])
    manual.update(ids=["d7"], metadatas=[{"page": 700}])
    done = migrate(address, keeping_aligner)
    assert (done.written, done.deleted) == (2, 2)
    moved = client.get_collection("manual_moved")
    assert set(moved.get()["ids"]) == set(manual.get()["ids"])
    assert moved.get(ids=["d7"])["metadatas"] == [{"page": 700}]


def test_what_is_written_during_the_run_is_caught_up(
    client, manual, address, keeping_aligner, monkeypatch
):
    write, heard = ChromaCollection.write, []

    def meanwhile(self, rows, vectors):
        write(self, rows, vectors)
        if "new" not in manual.get()["ids"]:
            manual.add(ids=["new"], embeddings=reversed_letters(["new"]), documents=["new"])
            manual.delete(ids=["d8"])

    monkeypatch.setattr(ChromaCollection, "write", meanwhile)
    done = migrate(address, keeping_aligner, say=heard.append)
    assert (done.rows, done.written, done.deleted) == (len(TEXTS), len(TEXTS) + 1, 1)
    assert set(client.get_collection("manual_moved").get()["ids"]) == set(manual.get()["ids"])
    assert heard == [
        "The index was written to meanwhile: 1 documents were added or changed, 1 deleted."
    ]


def test_what_is_written_before_the_switch_is_not_lost(
    client, manual, address, keeping_aligner, monkeypatch
):
    write_note = ChromaCollection.write_note

    def meanwhile(self, note):
        if '"live"' in note:
            manual.add(ids=["late"], embeddings=reversed_letters(["late"]), documents=["late"])
        write_note(self, note)

    monkeypatch.setattr(ChromaCollection, "write_note", meanwhile)
    migrate(address, keeping_aligner, switch=True)
    assert client.get_collection("manual_moved").get(ids=["late"])["documents"] == ["late"]


@pytest.fixture
def killed_at_the_switch(client, manual, address, keeping_aligner, monkeypatch):
    """A move that ended right after its note said live, with a late document in the old index."""
    write_note = ChromaCollection.write_note

    def killing(self, note):
        write_note(self, note)
        if '"live"' in note:
            manual.add(ids=["late"], embeddings=reversed_letters(["late"]), documents=["late"])
            raise SystemExit("killed")

    with monkeypatch.context() as patched:
        patched.setattr(ChromaCollection, "write_note", killing)
        with pytest.raises(SystemExit):
            migrate(address, keeping_aligner, switch=True)
    assert state(client) == "live"
    return client.get_collection("manual_moved")


def test_a_switch_that_was_killed_is_completed(
    killed_at_the_switch, manual, address, keeping_aligner
):
    moved = killed_at_the_switch
    assert moved.get(ids=["late"])["ids"] == []
    moved.update(ids=["d3"], documents=["newer"], embeddings=[everything(moved)[3][4]])
    moved.add(ids=["own"], embeddings=[everything(moved)[3][0]], documents=["own"])
    with pytest.raises(DataError, match=r"stopped before it was complete. Run it again"):
        clean_up(address, agree=lambda question: True)
    done = migrate(address, keeping_aligner, switch=True)
    assert (done.state, done.written, done.deleted) == ("live", 1, 0)
    assert moved.get(ids=["late", "own"])["documents"] == ["own", "late"]
    assert moved.get(ids=["d3"])["documents"] == ["newer"]
    # Complete, it is not made again: what was deleted since does not come back.
    moved.delete(ids=["d5"])
    assert migrate(address, keeping_aligner, switch=True).written == 0
    assert moved.get(ids=["d5"])["ids"] == []
    assert clean_up(address, agree=lambda question: True).kept.endswith("manual_moved")


def test_a_rollback_during_the_switch_stays(
    client, killed_at_the_switch, address, keeping_aligner, monkeypatch
):
    write = ChromaCollection.write

    def rolled_back(self, rows, vectors):
        write(self, rows, vectors)
        roll_back(address)

    monkeypatch.setattr(ChromaCollection, "write", rolled_back)
    migrate(address, keeping_aligner, switch=True)
    assert state(client) == "rolled back"


def test_what_changes_while_the_probes_are_asked_is_caught_up(
    client, manual, address, keeping_aligner, monkeypatch
):
    write_note = ChromaCollection.write_note

    def meanwhile(self, note):
        if '"verified"' in note:
            manual.update(ids=["d7"], metadatas=[{"page": 700}])
            manual.delete(ids=["d8"])
        write_note(self, note)

    monkeypatch.setattr(ChromaCollection, "write_note", meanwhile)
    done = migrate(address, keeping_aligner, probe=PROBES, switch=True)
    moved = client.get_collection("manual_moved")
    assert moved.get(ids=["d7", "d8"])["metadatas"] == [{"page": 700}]
    assert (done.rows, done.deleted) == (len(TEXTS) - 1, 1)


def test_documents_of_a_move_that_was_rolled_back_are_not_deleted(
    client, manual, address, keeping_aligner
):
    migrate(address, keeping_aligner, switch=True)
    moved = client.get_collection("manual_moved")
    moved.add(ids=["own"], embeddings=[everything(moved)[3][0]], documents=["own"])
    roll_back(address)
    with pytest.raises(DataError, match=r"holds 1 documents that are nowhere else"):
        migrate(address, keeping_aligner)
    assert moved.get(ids=["own"])["documents"] == ["own"]
    moved.delete(ids=["own"])
    assert migrate(address, keeping_aligner).written == 0


def test_switches_rolls_back_and_cleans_up(client, manual, address, keeping_aligner):
    asked = []

    def agree(question):
        asked.append(question)
        return True

    assert migrate(address, keeping_aligner, switch=True).state == state(client) == "live"
    with pytest.raises(DataError, match="is live"):
        migrate(address, keeping_aligner)
    moved = client.get_collection("manual_moved")
    moved.add(ids=["late"], embeddings=[[1.0] * len(everything(moved)[3][0])], documents=["late"])
    assert roll_back(address).only_moved == 1
    assert state(client) == "rolled back"
    assert clean_up(address, agree=lambda question: False).deleted is None
    assert names(client) == {"manual", "manual_moved"}
    assert clean_up(address, agree=agree).rows == len(TEXTS) + 1
    assert names(client) == {"manual"}
    assert "of which 1 are nowhere else" in asked[0]
    migrate(address, keeping_aligner, switch=True)
    assert clean_up(address, agree=agree).kept.endswith("manual_moved")
    assert names(client) == {"manual_moved"}


def test_a_clean_up_that_is_not_asked_loses_nothing(client, manual, address, keeping_aligner):
    migrate(address, keeping_aligner, switch=True)
    manual.add(ids=["late"], embeddings=reversed_letters(["late"]), documents=["late"])
    with pytest.raises(DataError, match=r"1 documents of .* are not in"):
        clean_up(address, agree=lambda question: True, may_lose=False)
    assert names(client) == {"manual", "manual_moved"}


def test_documents_of_the_source_are_embedded_again(client, manual, address, keeping_aligner):
    [old] = keeping_aligner.embed_documents(["check the lamp 9"], modality="source")
    about = {"modality": "source"}
    manual.add(ids=["s"], embeddings=[old], documents=["check the lamp 9"], metadatas=[about])
    bare = replace(
        keeping_aligner,
        encoders={"source": None, "target": reversed_letters},
        identities={**keeping_aligner.identities, "source": None},
        path=None,
        _verified=set(),
    )
    with pytest.raises(DataError, match="holds 1 documents of the source"):
        migrate(address, bare, to="without")
    assert names(client) == {"manual"}
    assert migrate(address, keeping_aligner).rows == len(TEXTS) + 1
    moved = client.get_collection("manual_moved")
    found = moved.get(ids=["s"], include=["embeddings"])["embeddings"][0]
    [wanted] = keeping_aligner.as_shared().embed_documents(["check the lamp 9"], modality="source")
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_a_map_that_reads_texts_refuses_documents_without(
    client, manual, address, text_aligner, tmp_path
):
    reading = rescoring_aligner(text_aligner, tmp_path / "reading", reads=True)
    assert migrate(address, reading, to="whole").rows == len(TEXTS)
    manual.add(ids=["bare"], embeddings=reversed_letters(["no text"]))
    with pytest.raises(DataError, match="1 documents without a text"):
        migrate(address, reading)
    assert "manual_moved" not in names(client)


def test_recall_that_falls_is_not_verified(client, manual, address, keeping_aligner):
    second = keeping_aligner.rescoring
    heads = (second.projection.source, second.projection.target)
    few = [replace(head, weight=head.weight * (np.arange(20) < 3)) for head in heads]
    source, target = few
    worse = replace(second, projection=replace(second.projection, source=source, target=target))
    with pytest.raises(MigrationError, match="not verified"):
        migrate(address, replace(keeping_aligner, rescoring=worse, path=None), probe=PROBES)
    assert state(client) == "copying"


def test_a_verified_move_is_not_cleaned_up(manual, address, keeping_aligner):
    migrate(address, keeping_aligner)
    with pytest.raises(DataError, match="not live"):
        clean_up(address, agree=lambda question: True)


def test_refuses_a_collection_that_it_did_not_fill(client, manual, address, keeping_aligner):
    filled(client, reversed_letters(TEXTS), "manual_moved")
    with pytest.raises(DataError, match="no migration wrote"):
        migrate(address, keeping_aligner)
    with pytest.raises(DataError, match="index itself"):
        migrate(address, keeping_aligner, to="manual")
    assert migrate(address, keeping_aligner, to="other").moved.endswith("other")


def test_refuses_vectors_of_the_source_encoder(client, address, keeping_aligner):
    filled(client, hashed_letters(TEXTS))
    with pytest.raises(AlignerMismatchError, match="wrong way round"):
        migrate(address, keeping_aligner)
    assert names(client) == {"manual"}


def test_refuses_vectors_of_another_encoder(client, address, keeping_aligner):
    filled(client, hashed_letters(TEXTS)[:, :24] + 1e-3)
    with pytest.raises(AlignerMismatchError, match="have others"):
        migrate(address, keeping_aligner)


def test_refuses_a_record_of_another_target_encoder(client, address, keeping_aligner):
    record = replace(IndexRecord.of(keeping_aligner, "document"), fingerprint="0" * 64)
    about = {KEY: replace(record, target_encoder="another-encoder").to_json()}
    filled(client, reversed_letters(TEXTS), metadata=about)
    bare = replace(keeping_aligner, target_signature=None, path=None)
    with pytest.raises(AlignerMismatchError, match="filled by the encoder 'another-encoder'"):
        migrate(address, bare)
    assert names(client) == {"manual"}


def test_refuses_what_was_moved_already(client, manual, address, keeping_aligner):
    migrate(address, keeping_aligner, switch=True)
    clean_up(address, agree=lambda question: True)
    with pytest.raises(AlignerMismatchError, match="a migration filled"):
        migrate(address.replace("manual", "manual_moved"), keeping_aligner)


def test_refuses_without_evidence(manual, address, keeping_aligner):
    bare = replace(keeping_aligner, encoders={}, target_signature=None, path=None, _verified=set())
    with pytest.raises(AlignerMismatchError, match="Nothing shows"):
        migrate(address, bare)
    vectors = hashed_letters(list(PROBES.source_texts))
    probes = PROBES.with_vectors(vectors, None)
    assert "probe pairs" in migrate(address, bare, probe=probes).evidence
