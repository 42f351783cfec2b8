"""Ranks of a rescored search against a search that sorts one query at a time."""

import numpy as np
import pytest

from kakehashi.metrics.ranking import ranks
from kakehashi.metrics.relevance import Relevance
from kakehashi.metrics.rescored import FirstHits, are_answers, first_hits, score_hits
from kakehashi.vectors import unit_rows


def drawn(n, d, seed):
    return unit_rows(np.random.default_rng(seed).standard_normal((n, d)).astype(np.float32))


@pytest.fixture(scope="module")
def search():
    """Forty queries of 90 documents, by two kinds of vectors; some have two answers."""
    rng = np.random.default_rng(5)
    documents, again = drawn(90, 6, 0), drawn(90, 9, 1)
    answers = [np.unique(rng.integers(0, 90, 1 + row % 2)) for row in range(40)]
    near = np.array([each[0] for each in answers])
    queries = unit_rows(documents[near] + 0.8 * drawn(40, 6, 2))
    asked = unit_rows(again[near] + 0.8 * drawn(40, 9, 3))
    return queries, documents, asked, again, Relevance(np.arange(90), answers)


def of_one(query, documents, asked, again, answers, n_hits):
    """Sort all documents as the definition says it; return the rank of the best answer."""
    order = list(np.argsort(-(documents @ query), kind="stable"))
    first = sorted(order[:n_hits], key=lambda i: -(again[i] @ asked))
    others = set(answers)
    places = [place for place, i in enumerate(first + order[n_hits:], 1) if i in others]
    return places[0]


@pytest.mark.parametrize("n_hits", [1, 7, 20])
@pytest.mark.parametrize("metric", ["ip", "cosine"])
def test_the_first_hits_are_ordered_again_and_the_rest_follow(search, n_hits, metric):
    queries, documents, asked, again, relevance = search
    hits = first_hits(queries, documents, metric, 20)
    kept = ranks(queries, documents, metric, relevance=relevance)
    scores = score_hits(asked, again, hits)
    found = FirstHits(kept, hits, scores, are_answers(hits, relevance.answers)).rescored(n_hits)
    rows = zip(queries, asked, relevance.answers, strict=True)
    expected = [of_one(q, documents, a, again, of, n_hits) for q, a, of in rows]
    assert list(found) == expected
    assert (found != kept).any() == (n_hits > 1)


def test_more_hits_than_documents_order_them_all(search):
    queries, documents, asked, again, relevance = search
    hits = first_hits(queries, documents, "ip", 1000)
    assert hits.shape == (40, 90)
    kept = ranks(queries, documents, relevance=relevance)
    scores = score_hits(asked, again, hits)
    found = FirstHits(kept, hits, scores, are_answers(hits, relevance.answers))
    assert list(found.rescored()) == list(ranks(asked, again, relevance=relevance))
    assert list(found.first) == list((asked @ again.T).argmax(axis=1))


def test_equal_hits_stay_in_the_order_of_the_documents():
    documents = np.eye(3, dtype=np.float32)[np.random.default_rng(0).integers(0, 3, 300)]
    asked = np.array([[0.9, 0.3, 0.1]], np.float32)
    near = documents @ asked[0]
    [hits] = first_hits(asked, documents, "ip", 250)
    assert list(hits) == sorted(hits, key=lambda row: (-near[row], row))


def test_ties_count_against_the_query_also_where_rounding_parts_them():
    scores = np.array([[0.5, 0.5, 0.1], [0.5 - 5e-7, 0.5, 0.1], [-np.inf, 0.2, 0.1]], np.float32)
    answers = np.array([[False, True, False]] * 2 + [[True, False, False]])
    hits = np.array([[0, 1, 2]] * 3)
    assert list(FirstHits(np.array([2, 2, 1]), hits, scores, answers).rescored()) == [2, 2, 3]
    # Ties of the first search count, too: an answer that they keep out of the hits stays there.
    assert list(FirstHits(np.array([4, 4, 4]), hits, scores, answers).rescored()) == [4, 4, 4]


def test_a_score_that_is_no_number_is_the_lowest():
    documents = np.array([[np.nan, 1], [-1, 0]], np.float32)
    assert list(score_hits(drawn(1, 2, 0), documents, np.array([[0, 1]]))[0] == -np.inf) == [1, 0]
