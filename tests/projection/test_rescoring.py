"""The second map of an aligner: its queries, its documents, its checks."""

from dataclasses import replace

import numpy as np
import pytest
from support.toy_data import encoded

from kakehashi.errors import DataError, VectorError
from kakehashi.projection.rescoring import MAX_HITS, Rescoring


@pytest.fixture(scope="module")
def pairs():
    return encoded()


def test_it_is_the_map_of_shared_mode(keeping_aligner, pairs):
    rescoring, shared = keeping_aligner.rescoring, keeping_aligner.as_shared()
    x, y = pairs.source_vectors, pairs.target_vectors
    assert np.array_equal(rescoring.query(x), shared.project(x))
    documents = shared.project(y, modality="target", role="document")
    assert np.array_equal(rescoring.documents(y), documents)


def test_scores_are_inner_products_of_unit_vectors(keeping_aligner, pairs):
    asked = keeping_aligner.rescoring.query(pairs.source_vectors)
    documents = keeping_aligner.rescoring.documents(pairs.target_vectors)
    for vectors in (asked, documents):
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert ((asked @ documents.T).argmax(axis=1) == np.arange(len(pairs))).mean() > 0.5


def test_texts_are_read_where_it_was_fitted_so(ngram_aligner, pairs):
    reading = Rescoring(ngram_aligner.projection, 20)
    assert reading.reads("source")
    assert reading.reads("target")
    texts = pairs.target_texts
    assert len(reading.documents(pairs.target_vectors, texts=texts)) == len(pairs)
    with pytest.raises(DataError, match="also reads the target texts"):
        reading.documents(pairs.target_vectors)


@pytest.mark.parametrize("n_hits", [0, -1, True, 20.0, "20", MAX_HITS + 1])
def test_the_number_of_hits_is_checked(keeping_aligner, n_hits):
    with pytest.raises(DataError, match=f"n_hits={n_hits!r}; give a whole number of 1 to 1000"):
        replace(keeping_aligner.rescoring, n_hits=n_hits)


def test_a_map_of_keep_mode_is_refused(keeping_aligner):
    with pytest.raises(DataError, match="takes a projection of mode 'shared'"):
        Rescoring(keeping_aligner.projection, 20)


def test_vectors_of_another_encoder_are_refused(keeping_aligner):
    with pytest.raises(VectorError, match="target vectors: expected dimension 24, got 32"):
        keeping_aligner.rescoring.documents(np.ones((2, 32), np.float32))
