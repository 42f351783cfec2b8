"""Evidence of the direction of a map: what chance explains is none."""

from __future__ import annotations

import numpy as np
import pytest
from support.toy_data import hashed_letters, machine_pairs, reversed_letters

from kakehashi import MultiAligner
from kakehashi.errors import AlignerMismatchError
from kakehashi.integrations.stores.movable.protocol import StoredRow
from kakehashi.migration import migrate
from kakehashi.migration.direction import _by_probes
from kakehashi.migration.probes import Probes
from kakehashi.retrieval.index_record import KEY, IndexRecord

PAIRS = machine_pairs()
QUESTIONS, TEXTS = list(PAIRS.source_texts), list(PAIRS.target_texts)


class Named:
    name = "the collection 'manual'"


def rows(texts, vectors):
    return [
        StoredRow(f"d{i}", vector, text, {}, b"", None)
        for i, (text, vector) in enumerate(zip(texts, vectors, strict=True))
    ]


def random_vectors(n):
    return np.random.default_rng(0).standard_normal((n, 24)).astype(np.float32)


def evidence(aligner, texts, vectors, questions, answers):
    probes = Probes(questions, hashed_letters(questions), answers)
    return _by_probes(Named(), aligner.as_shared(), rows(texts, vectors), probes)


def test_probe_pairs_are_evidence(keeping_aligner):
    found = evidence(keeping_aligner, TEXTS, reversed_letters(TEXTS), QUESTIONS, TEXTS)
    assert "of 80 probe pairs" in found


def test_a_text_that_stands_often_is_no_evidence(keeping_aligner):
    """Random vectors, of which half are of one text: half of the questions find it by chance."""
    texts = ["BOILERPLATE."] * 80 + TEXTS
    answers = ["BOILERPLATE."] * 60 + TEXTS[:20]
    with pytest.raises(AlignerMismatchError, match="So many does chance find"):
        evidence(keeping_aligner, texts, random_vectors(160), QUESTIONS, answers)


def test_questions_of_one_answer_count_once(keeping_aligner):
    """All questions find one hub, and it answers 60 of them."""
    vectors = random_vectors(80)
    shared = keeping_aligner.as_shared()
    asked = shared.project(hashed_letters(QUESTIONS), texts=QUESTIONS, modality="source")
    made = shared.project(vectors, modality="target", role="document")
    hub = int(np.bincount((asked @ made.T).argmax(axis=1)).argmax())
    answers = [TEXTS[hub]] * 60 + TEXTS[:20]
    with pytest.raises(AlignerMismatchError, match="So many does chance find"):
        evidence(keeping_aligner, TEXTS, vectors, QUESTIONS, answers)


@pytest.fixture
def filled(tmp_path):
    """Fill a collection of Chroma with vectors under a record; return its address."""
    chromadb = pytest.importorskip("chromadb")

    def fill(vectors, space, metadatas=None):
        client = chromadb.PersistentClient(str(tmp_path / "db"))
        about = {KEY: IndexRecord.of(space, "document").to_json()}
        made = client.create_collection("manual", metadata=about)
        ids = [f"d{i}" for i in range(len(vectors))]
        made.add(ids=ids, embeddings=vectors, documents=TEXTS, metadatas=metadatas)
        return f"chroma:{tmp_path / 'db'}?collection=manual"

    return fill


def test_a_record_does_not_outweigh_vectors_of_the_source(filled, keeping_aligner):
    """An index of document_modality="source": its record names the aligner alone."""
    projected = keeping_aligner.embed_documents(TEXTS, modality="source")
    address = filled(projected, keeping_aligner)
    with pytest.raises(AlignerMismatchError, match="have others"):
        migrate(address, keeping_aligner)


def test_documents_of_another_source_of_a_multi_aligner_are_refused(filled, keeping_aligner):
    """Of several sources, a document names its own: not ``source``."""
    multi = MultiAligner({"letters": keeping_aligner}, target="target")
    about = [{"modality": "letters"} if i < 30 else {"page": i} for i in range(80)]
    vectors = reversed_letters(TEXTS)
    vectors[:30] = multi.embed_documents(TEXTS[:30], modality="letters")
    address = filled(vectors, multi, about)
    with pytest.raises(AlignerMismatchError, match="name the modality 'letters'"):
        migrate(address, keeping_aligner)
