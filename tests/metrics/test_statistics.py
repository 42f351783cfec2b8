"""Intervals where resampling tells too little: equal outcomes, and few groups."""

import numpy as np
import pytest
from scipy import stats

from kakehashi import Pairs
from kakehashi.metrics.relevance import groups_of
from kakehashi.metrics.statistics import Scores, bootstrap, intervals


@pytest.mark.parametrize("n", [1, 5, 16, 400])
@pytest.mark.parametrize("found", [0, 1])
def test_equal_outcomes_have_the_interval_of_wilson(n, found):
    wilson = stats.binomtest(n * found, n).proportion_ci(method="wilson")
    assert intervals({"a": np.full(n, float(found))}, seed=0)["a"] == pytest.approx(wilson)


def test_none_of_sixteen_is_no_certainty():
    none, all_first = (Scores.of_ranks(np.full(16, rank), 100) for rank in (50, 1))
    assert none.intervals["recall@1"] == pytest.approx((0, 0.1936), abs=1e-4)
    assert all_first.intervals["mrr@10"] == pytest.approx((0.8064, 1), abs=1e-4)
    second = Scores.of_ranks(np.full(16, 2), 100).intervals["mrr@10"]
    assert second == pytest.approx((0.5 * 0.8064, 0.5 + 0.5 * 0.1936), abs=1e-4)
    none.check()


def test_differences_that_are_all_zero_reach_to_both_sides():
    low, high = intervals({"a": np.zeros(96)}, seed=0, bounds=(-1, 1))["a"]
    assert -low == high == pytest.approx(1.96**2 / (96 + 1.96**2), abs=1e-5)


def test_six_units_that_differ_are_resampled():
    values = np.array([0, 1, 1, 0, 1, 1.0])
    assert intervals({"a": values}, seed=0) == bootstrap({"a": values}, seed=0)
    assert intervals({"a": values[:5]}, seed=0) != bootstrap({"a": values[:5]}, seed=0)


@pytest.mark.parametrize("n_groups", [2, 3, 4, 5])
def test_groups_of_one_size_have_the_t_interval_of_their_means(n_groups):
    means = np.random.default_rng(n_groups).random(n_groups) / 20 + 0.5
    expected = stats.t.interval(0.95, n_groups - 1, means.mean(), stats.sem(means))
    clusters = np.repeat(np.arange(n_groups), 30)
    found = intervals({"a": means[clusters]}, clusters=clusters, seed=0)["a"]
    assert found == pytest.approx(np.clip(expected, 0, 1), abs=1e-5)


@pytest.mark.parametrize("n_groups", [2, 5])
def test_the_interval_over_few_groups_covers_the_truth_and_over_single_queries_does_not(n_groups):
    """Questions of one document rise and fall together: each group has a level of its own."""
    clusters, covered, one_by_one = np.repeat(np.arange(n_groups), 40), 0, 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        level = np.clip(0.5 + 0.15 * rng.standard_normal(n_groups), 0, 1)
        hits = (rng.random(len(clusters)) < level[clusters]).astype(float)
        (low, high) = intervals({"a": hits}, clusters=clusters, seed=seed)["a"]
        covered += low <= 0.5 <= high
        (low, high) = intervals({"a": hits}, seed=seed)["a"]
        one_by_one += low <= 0.5 <= high
    assert covered >= 54
    assert one_by_one < 45


def test_intervals_count_whole_groups_from_two_on():
    def labels(groups):
        n = len(groups)
        return groups_of(
            Pairs([f"q{i}" for i in range(n)], [f"d{i}" for i in range(n)], groups=groups)
        )

    assert labels(["a"] * 6) is None
    assert list(labels(["a", "a", "b", "b", "b", "a"])) == [0, 0, 1, 1, 1, 0]
