"""What an index is to an aligner: filled through it, of another one, moved, or half moved."""

from dataclasses import replace

import numpy as np
import pytest
from support.indices import chroma_index
from support.toy_data import (
    hashed_letters,
    machine_pairs,
    reversed_letters,
)

from kakehashi.doctor import examine
from kakehashi.projection.head import AffineHead
from kakehashi.projection.projection import Projection
from kakehashi.projection.rescoring import Rescoring
from kakehashi.retrieval.index_record import KEY, IndexRecord


@pytest.fixture
def texts():
    return list(machine_pairs().target_texts)


def aligner_of(address, aligner):
    return examine(address, aligners={"bridge": aligner}).about("aligner")


def test_the_target_encoders_own_vectors_are_known(tmp_path, keeping_aligner, texts):
    found = aligner_of(chroma_index(tmp_path, reversed_letters(texts), texts), keeping_aligner)
    assert found.level == "sound"
    assert found.evidence["own"] == len(texts)


def test_projected_documents_of_the_source_are_known(tmp_path, keeping_aligner, texts):
    notes = list(machine_pairs().source_texts)[:20]
    projected = keeping_aligner.embed_documents(notes, modality="source")
    vectors = np.concatenate([reversed_letters(texts), projected])
    metadata = [None] * len(texts) + [{"modality": "source"}] * 20
    address = chroma_index(tmp_path, vectors, [*texts, *notes], metadata=metadata)
    found = aligner_of(address, keeping_aligner)
    assert found.level == "sound"
    assert (found.evidence["own"], found.evidence["projected"]) == (len(texts), 20)


def test_source_documents_that_the_target_encoder_read_are_a_fault(
    tmp_path, keeping_aligner, texts
):
    notes = list(machine_pairs().source_texts)[:20]
    vectors = reversed_letters([*texts, *notes])
    metadata = [None] * len(texts) + [{"modality": "source"}] * 20
    address = chroma_index(tmp_path, vectors, [*texts, *notes], metadata=metadata)
    found = aligner_of(address, keeping_aligner)
    assert found.level == "fault"
    assert "store documents of the source through the aligner" in found.next_step


def test_an_index_of_another_encoder_is_a_fault(tmp_path, keeping_aligner, texts):
    others = hashed_letters(texts)[:, :24]
    found = aligner_of(chroma_index(tmp_path, others, texts), keeping_aligner)
    assert found.level == "fault"
    assert found.evidence["other"] == len(texts)


@pytest.fixture
def moving(keeping_aligner):
    """An aligner whose second map leaves vectors their dimension, so that a store mixes both."""
    rng = np.random.default_rng(0)
    heads = [AffineHead.of(rng.standard_normal((d, 24)), np.zeros(24)) for d in (32, 24)]
    return replace(keeping_aligner, rescoring=Rescoring(Projection(*heads), 20), path=None)


def test_an_index_that_is_to_be_moved_is_a_fault_for_the_shared_aligner(tmp_path, moving, texts):
    address = chroma_index(tmp_path, reversed_letters(texts), texts)
    found = aligner_of(address, moving.as_shared())
    assert found.level == "fault"
    assert found.next_step == "kakehashi migrate moves an index of the encoder's own vectors"


def test_half_moved_vectors_are_a_fault_that_says_where(tmp_path, moving, texts):
    own = reversed_letters(texts)
    moved = moving.as_shared().project(own, texts=texts, modality="target", role="document")
    half = [{"batch": "old"}] * 50 + [{"batch": "new"}] * 30
    vectors = np.concatenate([own[:50], moved[50:]])
    address = chroma_index(tmp_path, vectors, texts, metadata=half)
    found = aligner_of(address, moving)
    assert found.level == "fault"
    assert "half moved: 30 documents are moved, and 50 are not" in found.says


def test_a_moved_index_is_known(tmp_path, keeping_aligner, texts):
    shared = keeping_aligner.as_shared()
    vectors = shared.embed_documents(texts, modality="target")
    address = chroma_index(tmp_path, vectors, texts)
    assert aligner_of(address, shared).level == "sound"
    assert "as_shared" in aligner_of(address, keeping_aligner).next_step


def test_the_record_of_another_aligner_is_said(tmp_path, keeping_aligner, text_aligner, texts):
    record = IndexRecord.of(text_aligner, "text")
    about = {KEY: record.to_json()}
    address = chroma_index(tmp_path, reversed_letters(texts), texts, about=about)
    said = aligner_of(address, keeping_aligner).says[0]
    assert said == f"bridge: the store names another aligner, {text_aligner.fingerprint[:12]}"


def test_without_an_encoder_it_cannot_be_told(tmp_path, keeping_aligner, texts):
    from kakehashi import Aligner

    alone = Aligner.load(keeping_aligner.path)
    found = aligner_of(chroma_index(tmp_path, hashed_letters(texts)[:, :24], texts), alone)
    assert found.level == "cannot tell"
    assert "--target-encoder" in found.next_step
