"""The pool of a search: each document once, and the answers to each question in it."""

import numpy as np
import pytest

from kakehashi import Pairs
from kakehashi.metrics.pool import Pool
from kakehashi.metrics.ranking import ranks
from kakehashi.metrics.relevance import Relevance


def pairs_of(sources, targets):
    vectors = np.array([[ord(text[0]), len(text), 1] for text in targets], np.float32)
    return Pairs(list(sources), list(targets), target_vectors=vectors)


def test_a_document_stands_once_whichever_sets_name_it():
    trained, held_out, rest = pairs_of("ab", "xy"), pairs_of("cd", "yz"), pairs_of("ww", "wx")
    pool = Pool.of([trained, held_out], [rest])
    assert pool.texts == ("x", "y", "z", "w")
    assert list(pool.vectors[:, 0]) == [ord(text) for text in pool.texts]
    assert list(pool.positions(held_out)) == [1, 2]
    assert [pool.texts[i] for i in pool.without(held_out)] == ["x", "w"]
    assert len(pool) == pool.n_index == 4


def test_the_answers_are_all_targets_that_any_set_pairs_with_the_question():
    """A row that was left out of the training answers all the same."""
    left_out, held_out = pairs_of("ab", "xy"), pairs_of("ac", "zu")
    pool = Pool.of([left_out, held_out], [pairs_of("a", "v")])
    answers = pool.relevance(held_out).answers
    assert [[pool.texts[i] for i in found] for found in answers] == [["x", "z"], ["u"]]


def test_a_part_of_the_pool_is_searched_by_itself():
    held_out = pairs_of("ac", "zu")
    pool = Pool.of([pairs_of("ab", "xy"), held_out])
    rows = pool.without(pairs_of("a", "x"))
    relevance = pool.relevance(held_out, rows=rows)
    shown = [pool.texts[i] for i in relevance.pool]
    assert shown == ["y", "z", "u"]
    assert [[shown[i] for i in found] for found in relevance.answers] == [["z"], ["u"]]


def test_the_pool_of_one_set_is_that_of_its_relevance():
    rng = np.random.default_rng(0)
    targets = [f"d{i}" for i in rng.integers(20, size=60)]
    sources = [f"q{i}" for i in rng.integers(30, size=60)]
    vectors = {t: rng.standard_normal(4) for t in targets}
    y = np.array([vectors[t] for t in targets], np.float32)
    pairs = Pairs(sources, targets, target_vectors=y)
    x = rng.standard_normal((60, 4)).astype(np.float32)
    pool, alone = Pool.of([pairs]), Relevance.of(pairs)
    assert list(pool.relevance(pairs).pool) == list(range(len(alone.pool)))
    found = ranks(x, pool.vectors, relevance=pool.relevance(pairs))
    assert list(found) == list(ranks(x, y, relevance=alone))


def test_without_texts_equal_vectors_are_one_document_and_each_row_asks_for_itself():
    y = np.eye(3, dtype=np.float32)[[0, 1, 1, 2]]
    pairs = Pairs(source_vectors=np.ones((4, 2), np.float32), target_vectors=y)
    pool = Pool.of([pairs])
    assert len(pool) == 3
    assert [list(found) for found in pool.relevance(pairs).answers] == [[0], [1], [1], [2]]


@pytest.mark.parametrize("at_most", [10, 40])
def test_a_sample_of_a_large_index_holds_every_answer(at_most):
    every = pairs_of([f"q{i}" for i in range(50)], [f"{'d' * i}!" for i in range(50)])
    held_out = every.select(range(45, 50))
    pool = Pool.of([every], at_most=at_most, always=[held_out], seed=3)
    assert (len(pool), pool.n_index) == (at_most, 50)
    assert (pool.positions(held_out) >= 0).all()
    assert [list(found) for found in pool.relevance(held_out).answers] == [
        [i] for i in pool.positions(held_out)
    ]
    again = Pool.of([every], at_most=at_most, always=[held_out], seed=3)
    assert list(again.keys) == list(pool.keys)
