"""evaluate(): the scores of a finished aligner are those of the vectors that it serves."""

import numpy as np
import pytest
from support.toy_data import hashed_letters, machine_pairs, reversed_letters

from kakehashi import Pairs
from kakehashi.errors import DataError, EncoderError
from kakehashi.evaluation import evaluate, measure_robustness


@pytest.mark.parametrize("stored", [False, True])
def test_an_aligner_that_reads_texts_is_scored_as_it_serves(ngram_aligner, stored):
    whole = machine_pairs()
    # A part of a text asks for several documents: what is found depends on every detail.
    pairs = Pairs([text[3:] for text in whole.source_texts], whole.target_texts)
    queries = ngram_aligner.embed_queries(list(pairs.source_texts), modality="source")
    documents = ngram_aligner.embed_documents(list(pairs.target_texts), modality="target")
    expected = np.mean((queries @ documents.T).argmax(axis=1) == np.arange(len(pairs)))
    if stored:
        x, y = hashed_letters(pairs.source_texts), reversed_letters(pairs.target_texts)
        pairs, ngram_aligner = (
            pairs.with_vectors(x, y),
            ngram_aligner.with_encoders(source_encoder=None),
        )
    found = evaluate(ngram_aligner, pairs)
    assert 0.2 < expected < 1
    assert found.aligned.means["recall@1"] == pytest.approx(expected)
    assert (found.aligned.n_queries, found.aligned.pool) == (80, 80)
    assert found.base is None  # two spaces
    assert found.to_dict()["aligned"]["means"] == found.aligned.means
    assert np.mean(found.ranks["aligned"] == 1) == pytest.approx(expected)
    assert {"aligned", "bm25"} <= set(found.ranks)


def test_a_querys_own_target_counts_among_different_targets(text_aligner):
    pairs = machine_pairs()
    twice = Pairs(pairs.source_texts * 2, pairs.target_texts * 2)
    once, again = (evaluate(text_aligner, p).aligned for p in (pairs, twice))
    assert again.means == pytest.approx(once.means)
    assert (again.n_queries, again.pool) == (160, 80)


@pytest.mark.parametrize("measure", [evaluate, measure_robustness])
def test_what_is_no_aligner_is_refused_with_the_way_to_one(measure):
    for wrong in ("my-aligner", None):
        with pytest.raises(DataError, match=r"is no Aligner; pass Aligner.load\(folder\), or one"):
            measure(wrong, machine_pairs())


def test_texts_that_an_aligner_reads_and_encoders_that_it_needs_are_asked_for(ngram_aligner):
    pairs = machine_pairs()
    bare = Pairs(
        source_vectors=hashed_letters(pairs.source_texts),
        target_vectors=reversed_letters(pairs.target_texts),
    )
    with pytest.raises(DataError, match="texts="):
        evaluate(ngram_aligner, bare)
    with pytest.raises(EncoderError):
        evaluate(type(ngram_aligner).load(ngram_aligner.path), pairs)
