"""Scores of parts of the questions."""

import numpy as np

from kakehashi.evaluation.parts import lengths_of, scores_by
from kakehashi.metrics.statistics import Scores


def test_each_label_has_the_scores_of_its_questions():
    ranks = np.array([1, 1, 3, 20, 1, 2])
    found = scores_by(["b", "a", "b", "b", "a", "b"], ranks, 50)
    assert list(found) == ["b", "a"]
    assert found["b"] == Scores.of_ranks(np.array([1, 3, 20, 2]), 50)
    assert found["a"].means["recall@1"] == 1


def test_clusters_of_a_part_are_numbered_anew():
    ranks, clusters = np.array([1, 2, 1, 5, 1, 9]), np.array([7, 7, 3, 3, 1, 0])
    found = scores_by(["a", "a", "b", "b", "b", "b"], ranks, 50, clusters)
    expected = Scores.of_ranks(ranks[2:], 50, clusters=np.array([2, 2, 1, 0]))
    assert found["b"] == expected


def test_lengths_are_parted_at_whole_numbers_of_letters():
    assert lengths_of(["", "a" * 15, "a" * 16, "a" * 120, "a" * 121]) == [0, 0, 1, 3, 4]
