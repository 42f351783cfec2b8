"""What an adversary tried: half-done writes, damaged files, nested encoders, strange input."""

import ctypes
import json
import os
import shutil
import sqlite3
import threading

import numpy as np
import pytest
from langchain_core.documents import Document
from langchain_core.vectorstores import InMemoryVectorStore
from llama_index.core.schema import TextNode
from support.toy_data import hashed_letters, reversed_letters

from kakehashi import Aligner, Pairs, fit
from kakehashi.bundle.layout import record_hash
from kakehashi.encoders import EncoderIdentity, as_encoder
from kakehashi.encoders.cache import encode_texts
from kakehashi.errors import BundleError, BundleTamperedError, DataError, KakehashiError
from kakehashi.integrations.chroma import AlignedEmbeddingFunction
from kakehashi.integrations.langchain import AlignedEmbeddings
from kakehashi.integrations.llama_index import AlignedEmbedding


@pytest.fixture
def folder(aligner, tmp_path):
    return aligner.save(tmp_path / "aligner")


@pytest.mark.parametrize("failing", [1, 2, 3])
def test_a_save_that_fails_half_way_leaves_the_old_aligner(folder, aligner, failing, monkeypatch):
    """The way back of a system that cannot exchange two folders in one step."""
    monkeypatch.setattr(ctypes, "CDLL", lambda *a, **k: object())
    replace, calls = os.replace, []

    def interrupted(source, target):
        calls.append(target)
        if len(calls) == failing:
            raise KeyboardInterrupt
        return replace(source, target)

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        aligner.save(folder, overwrite=True)
    assert Aligner.load(folder).fingerprint == aligner.fingerprint


def test_a_save_leaves_nothing_beside_the_folder(folder, aligner):
    aligner.save(folder, overwrite=True)
    assert [path.name for path in folder.parent.iterdir()] == ["aligner"]


@pytest.mark.parametrize("kind", ["other file", "symlink", "file"])
def test_nobody_elses_files_are_overwritten(folder, aligner, kind):
    path = folder
    if kind == "other file":
        (folder / "NOTES.txt").write_text("mine")
    elif kind == "symlink":
        path = folder.with_name("link")
        path.symlink_to(folder)
    else:
        path = folder.with_name("file")
        path.write_text("mine")
    with pytest.raises(FileExistsError, match="not overwritten"):
        aligner.save(path, overwrite=True)
    assert kind != "other file" or (folder / "NOTES.txt").read_text() == "mine"


def test_a_flipped_bit_gives_equal_vectors_or_an_error_of_ours(folder, aligner):
    x = np.random.default_rng(0).standard_normal((3, aligner.dimensions["source"]))
    expected = aligner.project(x)
    rng = np.random.default_rng(1)
    for path in (folder / "aligner.json", folder / "weights.safetensors"):
        content = path.read_bytes()
        for position in rng.choice(len(content), 150):
            damaged = bytearray(content)
            damaged[position] ^= 1 << int(rng.integers(8))
            path.write_bytes(bytes(damaged))
            try:
                assert np.array_equal(Aligner.load(folder).project(x), expected)
            except BundleError:
                continue
        path.write_bytes(content)


def rewritten(folder, change):
    """Change the record and make its hash right again, as one could who means it."""
    record = json.loads((folder / "aligner.json").read_text())
    change(record)
    record["sha256"] = record_hash(record)
    (folder / "aligner.json").write_text(json.dumps(record))


@pytest.mark.parametrize(
    "change",
    [
        lambda r: r["weights"].update(file="a\0b"),
        lambda r: r["weights"].pop("bytes"),
        lambda r: r.update(dimensions=None),
        lambda r: r["dimensions"].update(source=33),
        lambda r: r["report"].update(candidates=[]),
        lambda r: r["report"].update(chosen="x"),
        lambda r: r["projection"].update(hubness_strength=10**400),
    ],
)
def test_a_record_that_contradicts_itself_is_refused(folder, change):
    rewritten(folder, change)
    with pytest.raises(BundleTamperedError):
        Aligner.load(folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s["calibration"]["plain"].update({"source target": [-1.0, 0, 0, 0]}),
        lambda s: s["calibration"]["plain"].update({"source target": [1.0, 0.5, 0, 0]}),
        lambda s: s["calibration"]["plain"].update({"source target": [1.0, 0, 0]}),
        lambda s: s["calibration"]["hybrid"].update({"source source": [1.0, 0, -1, 0]}),
        lambda s: s["calibration"].update(n_pairs=True),
        lambda s: s["calibration"].update(words_by_rank={}),
        lambda s: s["calibration"]["words_by_rank"].update({"target source": 1.5}),
        lambda s: s.update(router=None),
        lambda s: s.pop("calibration"),
    ],
)
def test_what_was_learned_for_serving_is_checked(real_aligner, tmp_path, change):
    folder = tmp_path / "aligner"
    shutil.copytree(real_aligner.path, folder)
    rewritten(folder, lambda record: change(record["retrieval"]))
    with pytest.raises(BundleTamperedError):
        Aligner.load(folder)
    rewritten(folder, lambda record: record.pop("retrieval"))
    with pytest.raises(BundleTamperedError):
        Aligner.load(folder)


def test_an_aligner_is_not_saved_within_another(aligner, tmp_path):
    folder = aligner.save(tmp_path / "aligner")
    with pytest.raises(FileExistsError, match="is an aligner's folder"):
        aligner.save(folder / "inner")


def nested(text_aligner):
    """An aligner whose target encoder is itself an aligned embedding of documents."""
    texts = [
        f"{verb} the {thing}" for verb in ("fit", "drain", "check") for thing in "abcdefghijkl"
    ]
    inner = AlignedEmbeddings(aligner=text_aligner, document_modality="source")
    pairs = Pairs(texts, [t.upper() for t in texts])
    outer = fit(pairs, source_encoder=hashed_letters, target_encoder=inner, mode="keep")
    inner_unused = text_aligner.with_encoders(
        source_encoder=hashed_letters, target_encoder=reversed_letters
    )
    fresh = AlignedEmbeddings(aligner=inner_unused, document_modality="source")
    return outer.with_encoders(source_encoder=hashed_letters, target_encoder=fresh)


def test_an_encoder_may_itself_be_aligned(text_aligner):
    outer = nested(text_aligner)
    expected = outer.embed_documents(["drain"], modality="target")[0]

    embeddings = AlignedEmbeddings(aligner=outer)
    store = InMemoryVectorStore(embeddings)
    [key] = embeddings.add_documents(store, [Document("drain", metadata={"modality": "target"})])
    assert np.array_equal(np.float32(store.store[key]["vector"]), expected)

    [node] = AlignedEmbedding(aligner=outer)([TextNode(text="drain")])
    assert np.array_equal(np.float32(node.embedding), expected)


class Prompted:
    """An encoder that puts words before a query, and reads no further than it is told."""

    name = "prompted"

    def __init__(self, prompt="query: ", longest=4000):
        self.prompt, self.longest = prompt, longest

    def encode(self, texts, role="document"):
        before = self.prompt if role == "query" else ""
        return hashed_letters([(before + text)[: self.longest] for text in texts])


@pytest.mark.parametrize("other", [Prompted("search: "), Prompted(longest=100)])
def test_another_prompt_or_maximum_length_is_another_encoder(other):
    assert not EncoderIdentity.of(Prompted()).matches(EncoderIdentity.of(other))
    assert EncoderIdentity.of(Prompted()).matches(EncoderIdentity.of(Prompted()))


def test_a_damaged_cache_entry_is_encoded_again(tmp_path):
    cache = tmp_path / "vectors.sqlite"
    encoder = as_encoder(hashed_letters)
    expected = encode_texts(encoder, ["a", "b"], "document", cache=cache)
    with sqlite3.connect(cache) as database:
        database.execute("UPDATE vectors SET vector = CAST(X'00' || substr(vector, 2) AS BLOB)")
    assert np.array_equal(encode_texts(encoder, ["a", "b"], "document", cache=cache), expected)


@pytest.mark.parametrize("texts", ["abc", b"ab", ["a", None], ["a", 5], ["\ud800"], [b"a"]])
def test_what_is_no_list_of_texts_is_named(texts, text_aligner):
    with pytest.raises(DataError, match="text"):
        text_aligner.embed_queries(texts, modality="source")
    with pytest.raises(KakehashiError):
        AlignedEmbeddings(aligner=text_aligner).embed_documents(texts)


@pytest.mark.parametrize("text", ["", " ", "long " * 20_000])
def test_empty_and_endless_texts_are_the_encoders_business(text, text_aligner):
    assert np.isfinite(text_aligner.embed_queries([text], modality="source")).all()


def test_names_that_are_no_unicode_do_not_stop_a_save(tmp_path, vector_pairs):
    x, y = vector_pairs.source_vectors, vector_pairs.target_vectors
    pairs = Pairs(source_vectors=x, target_vectors=y, name="n\udcff")
    fit(pairs, mode="keep").save(tmp_path / "aligner")
    with pytest.raises(DataError, match="Unicode"):
        Pairs(source_vectors=x, target_vectors=y, groups=["\ud800"] * len(x))


def test_eight_threads_load_one_aligner(text_aligner):
    config = AlignedEmbeddingFunction(text_aligner).get_config()
    functions = [AlignedEmbeddingFunction.build_from_config(config) for _ in range(8)]
    found, start = [], threading.Barrier(8)

    def use(function):
        start.wait()
        found.append(function.aligner)

    threads = [threading.Thread(target=use, args=(f,)) for f in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(a) for a in found}) == 1
