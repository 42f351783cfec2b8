"""Chroma: what is stored with a collection rebuilds the function, and guards it."""

import asyncio
import os
import shutil
import subprocess
import sys
import textwrap
from dataclasses import replace

import chromadb
import numpy as np
import pytest
from support import vector_stores
from support.toy_data import hashed_letters, reversed_letters

import kakehashi
from kakehashi.errors import (
    AlignerMismatchError,
    BundleError,
    DataError,
    EncoderError,
    KakehashiError,
)
from kakehashi.integrations.chroma import (
    AlignedEmbeddingFunction,
    aopen_collection,
    open_collection,
)

TEXTS = ["reset the pump 1", "check the valve 2", "fit the seal 3", "drain the tank 0"]
IDS = ["0", "1", "2", "3"]


@pytest.fixture
def function(text_aligner):
    return AlignedEmbeddingFunction(text_aligner)


@pytest.fixture
def other(vector_pairs, tmp_path):
    fitted = kakehashi.fit(vector_pairs, mode="keep")
    fitted.save(tmp_path / "other")
    return kakehashi.Aligner.load(tmp_path / "other")


def test_documents_and_queries_are_embedded_each_in_their_way(function, text_aligner, tmp_path):
    collection = open_collection(chromadb.PersistentClient(str(tmp_path)), "notes", function)
    collection.add(ids=IDS, documents=TEXTS)
    stored = collection.get(ids=["2"], include=["embeddings"])["embeddings"][0]
    documents = text_aligner.embed_documents(TEXTS, modality="target")
    assert np.float32(stored) == pytest.approx(documents[2], abs=1e-6)  # scaled again by Chroma
    found = collection.query(query_texts=["fit the seal 3"], n_results=4)
    query = text_aligner.embed_queries(["fit the seal 3"], modality="source")
    assert found["ids"][0][0] == str((documents @ query[0]).argmax())


@pytest.mark.slow
def test_a_new_process_opens_the_collection_by_its_stored_configuration(
    function, text_aligner, tmp_path
):
    collection = open_collection(chromadb.PersistentClient(str(tmp_path)), "notes", function)
    collection.add(ids=IDS, documents=TEXTS)
    script = f"""
        import chromadb, sys
        sys.path.insert(0, {str(sys.path[0])!r}); sys.path.insert(0, "tests")
        from support.toy_data import hashed_letters, reversed_letters
        import kakehashi.integrations.chroma
        collection = chromadb.PersistentClient({str(tmp_path)!r}).get_collection("notes")
        function = collection.configuration["embedding_function"]
        function._aligner = function.aligner.with_encoders(
            source_encoder=hashed_letters, target_encoder=reversed_letters
        )
        print(function.embed_query(["pump"])[0].tobytes().hex())
    """
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True
    )
    expected = text_aligner.embed_queries(["pump"], modality="source")[0]
    assert run.stdout.strip() == expected.tobytes().hex()


def test_another_aligner_under_the_same_name_is_refused(function, other, tmp_path):
    client = chromadb.PersistentClient(str(tmp_path / "store"))
    open_collection(client, "notes", function)
    with pytest.raises(AlignerMismatchError, match=other.fingerprint[:12]):
        open_collection(client, "notes", AlignedEmbeddingFunction(other))
    open_collection(client, "notes", function)  # the collection is as it was


@pytest.mark.parametrize(
    ("theirs", "said"),
    [
        ({}, "made with the embedding function 'default'"),
        ({"embedding_function": None}, "made with no embedding function that Chroma recorded"),
    ],
)
def test_a_collection_of_somebody_else_is_refused_and_may_be_asked_by_vectors(
    theirs, said, function, text_aligner, tmp_path
):
    client = chromadb.PersistentClient(str(tmp_path / "store"))
    collection = client.create_collection("manual", **theirs)
    vectors = text_aligner.embed_documents(TEXTS, modality="target")
    collection.add(ids=IDS, embeddings=vectors, documents=TEXTS)
    with pytest.raises(AlignerMismatchError, match=rf"'manual' was {said}.*query_embeddings="):
        open_collection(client, "manual", function)
    query = ["fit the seal 3"]
    found = client.get_collection("manual").query(query_embeddings=function.embed_query(query))
    best = text_aligner.embed_queries(query, modality="source")[0] @ vectors.T
    assert found["ids"][0][0] == str(best.argmax())


def test_a_collection_is_opened_with_an_aligner_or_its_folder_too(function, text_aligner, tmp_path):
    client = chromadb.PersistentClient(str(tmp_path))
    collection = open_collection(client, "notes", text_aligner)
    collection.add(ids=IDS, documents=TEXTS)
    for same in (text_aligner.path, str(text_aligner.path), function):
        assert open_collection(client, "notes", same).count() == len(TEXTS)
    for wrong in (None, hashed_letters, "".join):
        with pytest.raises(DataError, match=r"is no AlignedEmbeddingFunction; pass one, an Align"):
            open_collection(client, "others", wrong)
    assert [each.name for each in client.list_collections()] == ["notes"]


def test_an_aligner_that_changed_in_its_folder_is_refused(text_aligner, other, tmp_path):
    folder = shutil.copytree(text_aligner.path, tmp_path / "aligner")
    config = AlignedEmbeddingFunction(folder).get_config()
    shutil.rmtree(folder)
    shutil.copytree(other.path, folder)
    rebuilt = AlignedEmbeddingFunction.build_from_config(config)
    with pytest.raises(AlignerMismatchError, match="embed again"):
        rebuilt(["pump"])


def test_the_same_side_of_another_modality_is_refused(function, text_aligner, tmp_path):
    client = chromadb.PersistentClient(str(tmp_path))
    open_collection(client, "notes", function)
    with pytest.raises(AlignerMismatchError, match="document_modality"):
        open_collection(
            client, "notes", AlignedEmbeddingFunction(text_aligner, document_modality="source")
        )


def test_a_configuration_update_is_checked(function, other):
    config = function.get_config()
    function.validate_config_update(config, dict(config))
    with pytest.raises(AlignerMismatchError):
        function.validate_config_update(config, AlignedEmbeddingFunction(other).get_config())


def test_an_unsaved_aligner_is_refused(vector_pairs):
    with pytest.raises(KakehashiError, match="in memory only"):
        AlignedEmbeddingFunction(kakehashi.fit(vector_pairs, mode="keep"))


def test_building_from_a_configuration_loads_nothing(function):
    config = function.get_config() | {"path": "/nowhere"}
    rebuilt = AlignedEmbeddingFunction.build_from_config(config)
    assert rebuilt.get_config() == config
    assert rebuilt.default_space() == function.aligner.report.metric
    with pytest.raises(KakehashiError, match="nowhere"):
        rebuilt(["pump"])


def test_an_incomplete_configuration_names_what_is_missing():
    with pytest.raises(DataError, match="fingerprint"):
        AlignedEmbeddingFunction.build_from_config({"path": "x"})


def test_an_unknown_modality_is_refused(text_aligner):
    for name in ("French", ""):
        with pytest.raises(DataError, match=f"query_modality={name!r}; choose one of source, tar"):
            AlignedEmbeddingFunction(text_aligner, query_modality=name)


def test_encoders_at_hand_are_used(text_aligner):
    rebuilt = text_aligner.with_encoders(
        source_encoder=hashed_letters, target_encoder=reversed_letters
    )
    assert (
        len(AlignedEmbeddingFunction(rebuilt)(["pump"])[0])
        == rebuilt.project(np.ones((1, 24), np.float32), modality="target").shape[1]
    )


# A collection that is opened in another way, or elsewhere


def test_chromas_own_get_collection_with_another_aligner_is_refused(function, other, tmp_path):
    """Chroma compares the names of two embedding functions, and nothing else."""
    client = chromadb.PersistentClient(str(tmp_path / "store"))
    open_collection(client, "notes", function).add(ids=IDS, documents=TEXTS)
    theirs = client.get_collection("notes", embedding_function=AlignedEmbeddingFunction(other))
    for use in (
        lambda: theirs.query(query_texts=["pump"]),
        lambda: theirs.upsert(ids=["9"], documents=["oil the pump"]),
    ):
        with pytest.raises(AlignerMismatchError, match=f"fingerprint.*{other.fingerprint[:12]}"):
            use()
    ours = client.get_collection("notes", embedding_function=function)
    assert len(ours.query(query_texts=["pump"])["ids"][0]) == len(TEXTS)


def test_langchains_chroma_over_our_collection_knows_its_aligner(function, text_aligner, tmp_path):
    from langchain_chroma import Chroma

    from kakehashi.integrations.langchain import AlignedEmbeddings

    client = chromadb.PersistentClient(str(tmp_path))
    open_collection(client, "notes", function).add(ids=IDS, documents=TEXTS)
    other = replace(text_aligner, mode="keep")
    for aligner, served in ((text_aligner, True), (other, False)):
        store = Chroma("notes", AlignedEmbeddings(aligner=aligner), client=client)
        if served:
            assert len(store.similarity_search("pump")) == len(TEXTS)
            continue
        with pytest.raises(AlignerMismatchError, match=r"'notes' of Chroma was filled through"):
            store.similarity_search("pump")


@pytest.mark.parametrize("place", ["beside", "inside", "named", "around the named"])
def test_a_collection_that_was_copied_finds_its_aligner(place, text_aligner, tmp_path, monkeypatch):
    first, second = tmp_path / "first", tmp_path / "second"
    shutil.copytree(text_aligner.path, first / "bridge")
    client = chromadb.PersistentClient(str(first / "chroma"))
    bound = kakehashi.Aligner.load(first / "bridge").with_encoders(
        source_encoder=hashed_letters, target_encoder=reversed_letters
    )
    open_collection(client, "notes", bound).add(ids=IDS, documents=TEXTS)
    shutil.copytree(first / "chroma", second / "chroma")
    shutil.rmtree(first / "bridge")
    folder = {
        "beside": second / "bridge",
        "inside": second / "chroma" / "bridge",
        "named": tmp_path / "aligners" / "renamed",
        "around the named": tmp_path / "aligners" / "renamed",
    }[place]
    shutil.copytree(text_aligner.path, folder)
    if "named" in place:
        named = folder if place == "named" else folder.parent
        monkeypatch.setenv("KAKEHASHI_ALIGNERS", f"/nowhere{os.pathsep}{named}")
    collection = chromadb.PersistentClient(str(second / "chroma")).get_collection("notes")
    with pytest.raises(EncoderError, match="encoder"):  # the aligner is found; it records no model
        collection.query(query_texts=["pump"])
    assert open_collection(chromadb.PersistentClient(str(second / "chroma")), "notes", bound).query(
        query_texts=["pump"]
    )


def test_an_aligner_that_is_nowhere_is_named_with_the_places(function, tmp_path, monkeypatch):
    monkeypatch.setenv("KAKEHASHI_ALIGNERS", str(tmp_path))
    rebuilt = AlignedEmbeddingFunction.build_from_config(
        function.get_config() | {"path": "C:\\models\\bridge", "fingerprint": "f" * 64}
    )
    with pytest.raises(BundleError) as raised:
        rebuilt.embed_query(["pump"])
    assert "KAKEHASHI_ALIGNERS=FOLDER" in raised.value.__notes__[0]
    assert str(tmp_path) in raised.value.__notes__[0]


@pytest.mark.slow
def test_an_async_client_searches_and_compares_aligners(function, other, tmp_path):
    async def run(port):
        client = await chromadb.AsyncHttpClient("127.0.0.1", port)
        collection = await aopen_collection(client, "notes", function)
        await collection.add(ids=IDS, documents=TEXTS)
        again = await aopen_collection(client, "notes", function)
        found = await again.query(query_texts=["fit the seal 3"], n_results=4)
        with pytest.raises(AlignerMismatchError, match=other.fingerprint[:12]):
            await aopen_collection(client, "notes", AlignedEmbeddingFunction(other))
        theirs = await client.get_collection("notes", AlignedEmbeddingFunction(other))
        with pytest.raises(AlignerMismatchError, match=other.fingerprint[:12]):
            await theirs.query(query_texts=["pump"])
        return found["ids"][0]

    with vector_stores.chroma_server(tmp_path) as client:
        port = int(client.get_settings().chroma_server_http_port)
        assert sorted(asyncio.run(run(port))) == IDS


def test_an_async_client_is_refused_by_name():
    class Client(chromadb.api.AsyncClientAPI):
        pass

    Client.__abstractmethods__ = frozenset()
    with pytest.raises(DataError, match="await aopen_collection"):
        open_collection(Client(), "notes", "aligner")
