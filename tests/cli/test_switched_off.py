"""The model of an index was switched off: commands that need its stored vectors alone."""

import json

import pytest
from support.command_line import run
from support.toy_data import hashed_letters, machine_pairs, reversed_letters

import kakehashi

pytestmark = pytest.mark.slow
SOURCE = ("--source-encoder", "support.toy_data:hashed_letters")


@pytest.fixture(scope="module")
def left(tmp_path_factory):
    """A collection of Chroma that a model filled, which no command can name; and pairs."""
    chromadb = pytest.importorskip("chromadb")
    folder = tmp_path_factory.mktemp("left")
    pairs = machine_pairs()
    texts = list(pairs.target_texts)
    collection = chromadb.PersistentClient(str(folder / "store")).create_collection("manual")
    vectors = reversed_letters(texts)
    collection.add(ids=[f"d{n}" for n in range(80)], documents=texts, embeddings=vectors)
    rows = zip(pairs.source_texts, [*texts[:79], "A NEW EDITION."], strict=True)
    lines = [json.dumps({"source": source, "target": target}) for source, target in rows]
    (folder / "pairs.jsonl").write_text("\n".join(lines))
    return folder


def test_one_command_fits_on_the_vectors_that_are_left(left):
    options = (left / "pairs.jsonl", *SOURCE, "--index", f"chroma:{left}/store")
    done = run("fit", *options, "--no-learned", "--out", left / "aligner")
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stderr.split())  # a long path wraps a line
    assert "80 rows given, 1 dropped" in said
    assert "target: no document of chroma:" in said
    aligner = kakehashi.load(left / "aligner")
    assert aligner.identities["target"] is None
    assert aligner.encoders.get("target") is None
    for command in (
        ("evaluate", left / "aligner", *options),
        ("compare", *options, "--baseline", "ridge"),
    ):
        done = run(*command)
        assert done.returncode == 0, done.stderr
    langchain = pytest.importorskip("langchain_chroma")
    from kakehashi.integrations.langchain import AlignedRetriever

    store = langchain.Chroma("manual", persist_directory=str(left / "store"))
    asked = aligner.with_encoders(source_encoder=hashed_letters)
    found = AlignedRetriever(vectorstore=store, embeddings=asked).invoke("drain the tank 1")
    assert any("TANK" in document.page_content for document in found)


def test_without_texts_or_vectors_in_the_index_the_encoder_is_asked_for(left):
    (left / "texts.txt").write_text("\n".join(machine_pairs().target_texts))
    command = ("fit", left / "pairs.jsonl", *SOURCE, "--out", left / "none")
    done = run(*command, "--index", left / "texts.txt")
    assert done.returncode == 2
    assert "name their encoder with --target-encoder" in " ".join(done.stderr.split())
