"""wrong_pairs(): neither side finds the other."""

import numpy as np
import pytest
from support.toy_data import two_views

import kakehashi
from kakehashi.evaluation.wrong_pairs import FAR, wrong_pairs
from kakehashi.metrics.ranking import ranks


@pytest.mark.parametrize("texts", [True, False])
def test_exchanged_documents_are_named_and_few_others(texts):
    x, _, _ = two_views(300, noise=0.1)
    rng = np.random.default_rng(1)
    documents = x + 0.1 * rng.standard_normal(x.shape).astype(np.float32)
    planted = np.sort(rng.choice(300, 15, replace=False))
    documents[planted] = documents[np.roll(planted, 1)]
    words = [f"t{i}" for i in range(300)]
    pairs = (
        kakehashi.Pairs(words, [word.upper() for word in words])
        if texts
        else kakehashi.Pairs(source_vectors=x, target_vectors=documents)
    )
    named = wrong_pairs(x, documents, pairs, ranks(x, documents, "cosine"))
    assert len(np.intersect1d(named, planted)) >= 13
    assert len(np.setdiff1d(named, planted)) <= 2


def test_a_hard_question_that_its_document_finds_is_not_named():
    # Fifty documents lie nearer to the question than its own, which asks for nobody else.
    rng = np.random.default_rng(0)
    queries = rng.standard_normal((60, 16)).astype(np.float32)
    documents = queries.copy()
    documents[1:51] = queries[0] + 0.1 * rng.standard_normal((50, 16))
    documents[0] = queries[0] + 0.9 * rng.standard_normal(16)
    found_at = ranks(queries, documents, "cosine")
    words = [f"t{i}" for i in range(60)]
    assert found_at[0] > FAR
    assert 0 not in wrong_pairs(queries, documents, kakehashi.Pairs(words, words), found_at)


def test_a_document_of_several_questions_has_to_find_one_of_them():
    queries = np.eye(40, dtype=np.float32)
    documents = np.repeat(queries[:1], 40, axis=0)
    pairs = kakehashi.Pairs([f"q{i}" for i in range(40)], ["the one document"] * 40)
    assert not len(wrong_pairs(queries, documents, pairs, np.full(40, 99)))
