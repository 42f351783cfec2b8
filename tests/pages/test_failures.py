"""The section that shows where an aligner fails."""

import numpy as np

from kakehashi.evaluation.parts import scores_by
from kakehashi.metrics.statistics import Scores
from kakehashi.pages.sections.failures import _grouped, units_of


def test_smaller_groups_that_are_put_together_count_whole():
    """Questions of one document rise and fall together: one by one, they look too sure."""
    groups = ["large"] * 8 + [name for name in "abcdefgh" for _ in range(4)]
    ranks = np.array([1, 2] * 4 + [1] * 16 + [9] * 16)
    labels = _grouped(groups)
    found = scores_by(labels, ranks, 100, units_of(labels, groups))
    assert found["large"] == Scores.of_ranks(ranks[:8], 100)
    smaller = Scores.of_ranks(ranks[8:], 100, clusters=np.repeat(np.arange(8), 4))
    assert found["All smaller groups"] == smaller
    one_by_one = Scores.of_ranks(ranks[8:], 100).intervals["recall@1"]
    low, high = smaller.intervals["recall@1"]
    assert high - low > 1.5 * (one_by_one[1] - one_by_one[0])
