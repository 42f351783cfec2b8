"""Which encoder made the vectors: by embedding some documents again."""

import numpy as np
import pytest
from support.indices import chroma_index
from support.toy_data import hashed_letters, machine_pairs

from kakehashi.doctor import examine

HASHED, REVERSED = "support.toy_data:hashed_letters", "support.toy_data:reversed_letters"


@pytest.fixture
def texts():
    return list(machine_pairs().source_texts)


def encoder_of(address, *names):
    found = examine(address, encoders=names)
    return found.about("encoder")


def test_the_encoder_that_made_the_vectors_is_found(tmp_path, texts):
    address = chroma_index(tmp_path, hashed_letters(texts), texts)
    found = encoder_of(address, REVERSED, HASHED)
    assert found.level == "sound"
    assert "16 of 16 vectors are those of support.toy_data.hashed_letters" in found.says[0]


def test_another_encoder_is_a_fault(tmp_path, texts):
    address = chroma_index(tmp_path, hashed_letters(texts), texts)
    assert encoder_of(address, REVERSED).level == "fault"  # of another dimension
    reordered = chroma_index(tmp_path, hashed_letters(texts)[:, ::-1], texts, name="reordered")
    assert encoder_of(reordered, HASHED).level == "fault"


def test_a_prompt_before_the_texts_is_named(tmp_path, texts):
    vectors = hashed_letters(["passage: " + text for text in texts])
    found = encoder_of(chroma_index(tmp_path, vectors, texts), HASHED)
    assert found.level == "note"
    assert "with 'passage: ' before the text" in found.says[0]


def test_metadata_before_the_texts_are_named(tmp_path, texts):
    metadata = [{"page": i} for i in range(len(texts))]
    whole = [f"page: {i}\n\n{text}" for i, text in enumerate(texts)]
    address = chroma_index(tmp_path, hashed_letters(whole), texts, metadata=metadata)
    assert "with its metadata before it" in encoder_of(address, HASHED).says[0]


def test_texts_that_were_changed_afterwards_are_a_fault(tmp_path, texts):
    vectors = hashed_letters(texts)
    changed = [f"{text}, then sign" if i % 3 == 0 else text for i, text in enumerate(texts)]
    found = encoder_of(chroma_index(tmp_path, vectors, changed), HASHED)
    assert found.level == "fault"
    assert "texts were changed" in found.next_step


def test_an_encoder_that_fails_is_named_and_cannot_tell(tmp_path, texts):
    address = chroma_index(tmp_path, hashed_letters(texts), texts)
    found = encoder_of(address, "support.command_line:busy")
    assert found.level == "cannot tell"
    assert "ConnectionError: 429, too many" in found.says[1]
    assert encoder_of(address, "no:Encoder").level == "cannot tell"
    assert encoder_of(address, "support.command_line:busy", HASHED).level == "sound"


def test_documents_without_texts_are_not_embedded(tmp_path):
    vectors = np.eye(16, dtype=np.float32)
    found = encoder_of(chroma_index(tmp_path, vectors, [None] * 16), HASHED)
    assert found.level == "note"
