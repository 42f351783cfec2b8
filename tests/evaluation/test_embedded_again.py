"""embedded_again(): the source encoder on both sides, in the index that evaluate() searches."""

import pytest
from support.toy_data import hashed_letters, machine_pairs, two_views

import kakehashi
from kakehashi.errors import DataError
from kakehashi.evaluation import evaluate
from kakehashi.evaluation.embedded_again import embedded_again
from kakehashi.metrics.ranking import ranks


def test_every_document_of_the_same_index_is_embedded_by_the_source_encoder(text_aligner):
    whole = machine_pairs()
    fitted, pairs = whole.select(range(40)), whole.select(range(40, 80))
    pairs = pairs.with_vectors(hashed_letters(pairs.source_texts), None)
    index = ["A TEXT THAT NOBODY ASKS FOR", *whole.target_texts[38:42]]
    found = embedded_again(text_aligner, pairs, index=index, trained_on=fitted)
    texts = dict.fromkeys([*pairs.target_texts, *index, *fitted.target_texts])
    expected = ranks(pairs.source_vectors, hashed_letters(list(texts)), "cosine")
    assert found.means["recall@1"] == pytest.approx((expected == 1).mean())
    judged = evaluate(text_aligner, pairs, index=index, trained_on=fitted)
    assert found.pool == judged.aligned.pool == 81


def test_documents_without_texts_are_refused(text_aligner):
    x, y, _ = two_views(20)
    pairs = kakehashi.Pairs(source_vectors=x, target_vectors=y)
    with pytest.raises(DataError, match="no texts"):
        embedded_again(text_aligner, pairs)
