"""Scores of one scale for a list of which a part was rescored."""

import pytest

from kakehashi.retrieval.hits import Hit
from kakehashi.retrieval.scores_by_place import with_scores_by_place


def hits(*similarities):
    return [Hit(str(n), n, None, "vectors", 9.0, s) for n, s in enumerate(similarities)]


def scores(*similarities):
    return [hit.similarity for hit in with_scores_by_place(hits(*similarities))]


def test_a_hit_without_a_score_gets_that_of_its_place():
    assert scores(0.8, None, 0.4) == pytest.approx([0.8, 0.6, 0.4])
    at_the_ends = scores(None, 0.8, 0.5, None, None, 0.2, None)
    assert at_the_ends == pytest.approx([0.8, 0.8, 0.5, 0.4, 0.3, 0.2, 0.2])


def test_nothing_changes_where_none_has_a_score_or_all_have_one():
    assert scores(None, None) == [None, None]
    assert scores(0.3, -0.2) == [0.3, -0.2]
    assert with_scores_by_place([]) == []
