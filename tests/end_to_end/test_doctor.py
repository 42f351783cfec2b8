"""The doctor on collections of Chroma that real encoders filled: six indices, and what it says."""

from dataclasses import replace

import numpy as np
import pytest
from support.indices import chroma_index

from kakehashi.doctor import examine
from kakehashi.encoders import as_encoder
from kakehashi.encoders.cache import encode_texts
from kakehashi.projection.head import AffineHead
from kakehashi.projection.projection import Projection
from kakehashi.projection.rescoring import Rescoring


@pytest.fixture(scope="module")
def texts(kicad):
    return list(kicad.target_texts), list(kicad.source_texts)


@pytest.fixture(scope="module")
def of_minilm(texts, minilm, vector_cache):
    """The vectors of the English and of the Japanese texts."""
    encoder = as_encoder(minilm)
    english, japanese = texts
    both = encode_texts(encoder, [*english, *japanese], "document", cache=vector_cache)
    return both[: len(english)], both[len(english) :]


@pytest.fixture(scope="module")
def of_use(texts, use, vector_cache):
    """The English texts by another model, cut to the width of the index."""
    vectors = encode_texts(as_encoder(use), texts[0], "document", cache=vector_cache)[:, :384]
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def moving(real_aligner):
    """An aligner whose second map leaves the vectors their width; it knows no encoder."""
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((384, 384)))[0]
    heads = [AffineHead.of(each, np.zeros(384)) for each in (np.eye(512, 384) @ turn, turn)]
    vectors_only = {"identities": {"source": None, "target": None}, "encoders": {}, "path": None}
    second = Rescoring(Projection(*heads), 20)
    return replace(real_aligner, rescoring=second, **vectors_only).with_encoders()


def test_a_healthy_index_and_its_encoder(tmp_path, texts, of_minilm, minilm):
    found = examine(chroma_index(tmp_path, of_minilm[0], texts[0]), encoders=[minilm])
    assert found.outcome == "healthy"
    assert found.about("models").level == found.about("encoder").level == "sound"


def test_a_bilingual_index_of_one_model_is_not_called_mixed(tmp_path, texts, of_minilm, minilm):
    address = chroma_index(tmp_path, np.concatenate(of_minilm), [*texts[0], *texts[1]])
    found = examine(address, encoders=[minilm])
    assert found.about("models").level == "sound"
    assert found.outcome == "healthy"
    assert found.about("languages").level == "note"
    as_it_is = found.about("languages").evidence["places"]["as it is"]
    assert as_it_is["kana or Han"]["kana or Han"] > 9


def test_an_index_that_an_aligner_filled_is_not_called_mixed(
    tmp_path, texts, of_minilm, real_aligner
):
    notes = real_aligner.embed_documents(texts[1], modality="source")
    metadata = [None] * len(texts[0]) + [{"modality": "source"}] * len(texts[1])
    vectors = np.concatenate([of_minilm[0], notes])
    address = chroma_index(tmp_path, vectors, [*texts[0], *texts[1]], metadata=metadata)
    found = examine(address, aligners={"bridge": real_aligner})
    assert found.about("models").level == "sound"
    assert found.about("aligner").evidence["projected"] == len(texts[1])
    assert found.outcome == "healthy"


def test_a_mixed_index_says_where_and_whose(tmp_path, texts, of_minilm, of_use, minilm):
    vectors = np.concatenate([of_minilm[0][:110], of_use[110:]])
    found = examine(chroma_index(tmp_path, vectors, texts[0]), encoders=[minilm])
    assert found.outcome == "at fault"
    assert "they stand at 111 to 150 in the order of the store" in found.about("models").says
    first, second = found.about("encoder").evidence["groups"]
    assert first["is_it"]
    assert not second["is_it"]


def test_an_index_of_another_model_is_a_fault_for_the_aligner(
    tmp_path, texts, of_use, real_aligner
):
    address = chroma_index(tmp_path, of_use, texts[0])
    found = examine(address, aligners={"bridge": real_aligner})
    assert found.about("models").level == "sound"
    assert found.about("aligner").evidence["other"] == len(texts[0])
    assert found.outcome == "at fault"


def test_half_moved_vectors_are_found_without_an_encoder(tmp_path, texts, of_minilm, moving):
    own = of_minilm[0]
    moved = moving.as_shared().project(own[90:], modality="target", role="document")
    address = chroma_index(tmp_path, np.concatenate([own[:90], moved]), texts[0])
    said = examine(address, aligners={"bridge": moving}).about("aligner")
    assert "half moved: 60 documents are moved, and 90 are not" in said.says
    assert "they stand at 91 to 150 in the order of the store" in said.says
    assert said.level == "fault"


def test_a_broken_index(tmp_path, texts, of_minilm, minilm):
    vectors, edited = of_minilm[0].copy(), list(texts[0])
    vectors[7] = 0
    edited[::4] = [f"{text} This is new in the second edition." for text in edited[::4]]
    found = examine(chroma_index(tmp_path, vectors, edited), encoders=[minilm])
    assert found.about("lengths").level == found.about("encoder").level == "fault"
