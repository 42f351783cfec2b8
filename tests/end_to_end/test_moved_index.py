"""The demo's whole index: as it is, rescored, moved, and built afresh by the same map."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

import kakehashi
from kakehashi.encoders import as_encoder
from kakehashi.encoders.cache import encode_texts
from kakehashi.migration import migrate

chromadb = pytest.importorskip("chromadb")
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("demo")]
OLD, NEW, AFRESH = "english_manual", "english_manual_moved", "afresh"


class Known:
    """MiniLM, with vectors that an index holds already."""

    def __init__(self, texts, vectors, encoder):
        self._known = dict(zip(texts, vectors, strict=True))
        self._encode = encoder.encode

    def __call__(self, texts):
        if all(text in self._known for text in texts):
            return np.stack([self._known[text] for text in texts])
        return self._encode(texts, "document")


@pytest.fixture(scope="module")
def demo(newcomer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("moved") / "kakehashi-demo"
    shutil.copytree(newcomer / "kakehashi-demo", folder)
    return folder


@pytest.fixture(scope="module")
def questions(demo, use):
    """The demo's held-out pairs, with the vectors of their questions."""
    pairs = kakehashi.read_pairs(demo / "test.jsonl")
    texts, cache = pairs.source_texts, demo / "vectors.sqlite"
    vectors = encode_texts(as_encoder(use), texts, "query", cache=cache, label="questions")
    return pairs.with_vectors(vectors, None)


def test_a_moved_index_finds_what_one_built_afresh_finds(demo, questions, use, minilm):
    address = f"chroma:{demo / 'chroma'}?collection={OLD}"
    aligner = kakehashi.Aligner.load(demo / "aligner")
    done = migrate(address, aligner, probe=questions)
    assert done.rows == done.written == 1446
    assert done.recall.questions == len(questions) == 441
    assert done.recall.moved >= done.recall.rescored - 0.01
    assert done.recall.rescored > done.recall.before + 0.05

    from kakehashi.integrations.chroma import open_collection

    client = chromadb.PersistentClient(str(demo / "chroma"))
    read = client.get_collection(OLD).get(include=["documents", "embeddings"])
    minilm_of_index = Known(read["documents"], read["embeddings"], as_encoder(minilm))
    shared = kakehashi.Aligner.load(aligner.as_shared().save(demo / "moved-aligner"))
    shared = shared.with_encoders(source_encoder=use, target_encoder=minilm_of_index)
    fresh = open_collection(client, AFRESH, shared)
    for start in range(0, len(read["ids"]), 500):
        part = slice(start, start + 500)
        fresh.add(ids=read["ids"][part], documents=read["documents"][part])

    asked = shared.project(questions.source_vectors, texts=questions.source_texts)
    first = {}
    for name in (NEW, AFRESH):
        found = client.get_collection(name).query(query_embeddings=asked, n_results=1)
        first[name] = [hits[0] for hits in found["documents"]]
    assert first[NEW] == first[AFRESH]
    hits = np.array(first[NEW]) == np.array(questions.target_texts)
    assert hits.mean() == pytest.approx(done.recall.moved, abs=0.005)  # HNSW is approximate
