"""Copies of texts and vectors, and those that contradict each other."""

import numpy as np
from support.indices import chroma_index, numbered_texts, random_units

from kakehashi.doctor import examine


def test_copies_are_counted(tmp_path):
    texts, vectors = numbered_texts(50), random_units(50)
    twice = examine(chroma_index(tmp_path, np.concatenate([vectors, vectors]), texts + texts))
    assert twice.about("copies").says[0] == "50 of 100 texts are copies of another"
    assert twice.about("copies").evidence["vectors"] == 50
    assert "hash" in twice.about("copies").next_step
    assert twice.outcome == "healthy"


def test_texts_that_share_a_vector_are_a_fault(tmp_path):
    vectors = random_units(50)
    vectors[10:20] = vectors[10]
    found = examine(chroma_index(tmp_path, vectors, numbered_texts(50)))
    assert found.outcome == "at fault"
    assert found.about("alike").evidence == {"documents": 10}


def test_one_text_with_two_vectors_is_a_fault(tmp_path):
    texts, vectors = numbered_texts(50), random_units(50)
    again = np.concatenate([vectors, random_units(5, seed=1)])
    found = examine(chroma_index(tmp_path, again, texts + texts[:5]))
    assert found.about("one text, two vectors").evidence["apart"] == 5
    assert found.about("one text, two vectors").evidence["ids"] == ["d50", "d51", "d52"]
