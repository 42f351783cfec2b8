"""Held-out rows: whole groups, of about the right size, the same for the same seed."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kakehashi import Pairs
from kakehashi.data.duplicates import link_rows
from kakehashi.data.splits import folds, hold_out
from kakehashi.errors import FitError
from kakehashi.types import SIDES

repeatable = settings(derandomize=True, deadline=None, max_examples=80)
seeds = st.integers(0, 2**32)
fractions = st.floats(0.05, 0.6)


def pairs_of(groups=None, n=0):
    n = len(groups) if groups is not None else n
    x = np.arange(1, n + 1, dtype=np.float32)[:, None]
    return Pairs(source_vectors=x, target_vectors=x, groups=groups)


@st.composite
def grouped(draw, smallest=2):
    """Pairs of ``smallest`` groups and more, mixed; and a subset of rows of as many groups."""
    sizes = draw(st.lists(st.integers(1, 9), min_size=smallest, max_size=25))
    groups = [f"g{i}" for i, size in enumerate(sizes) for _ in range(size)]
    pairs = pairs_of(draw(st.permutations(groups)))
    named = draw(st.permutations(range(len(sizes))))
    kept = {f"g{i}" for i in named[: draw(st.integers(smallest, len(sizes)))]}
    rows = np.array([i for i, group in enumerate(pairs.groups) if group in kept])
    return pairs, draw(st.sampled_from([None, rows]))


def assert_parts(pairs, rows, split):
    """Both parts are there, and hold every row once and no group twice."""
    rows = np.arange(len(pairs)) if rows is None else rows
    assert len(split.kept) > 0
    assert len(split.held_out) > 0
    assert sorted([*split.kept, *split.held_out]) == list(rows)
    if pairs.groups is not None:
        groups = np.array(pairs.groups)
        assert not set(groups[split.kept]) & set(groups[split.held_out])


@given(given_pairs=grouped(), fraction=fractions, seed=seeds)
@repeatable
@pytest.mark.slow
def test_no_group_stands_on_both_sides(given_pairs, fraction, seed):
    pairs, rows = given_pairs
    assert_parts(pairs, rows, hold_out(pairs, fraction, seed=seed, rows=rows))


@given(given_pairs=grouped(), fraction=fractions, seed=seeds)
@repeatable
@pytest.mark.slow
def test_the_held_out_share_is_missed_by_less_than_one_group(given_pairs, fraction, seed):
    pairs, rows = given_pairs
    sizes = Counter(pairs.groups if rows is None else [pairs.groups[i] for i in rows])
    split = hold_out(pairs, fraction, seed=seed, rows=rows)
    quota = max(1, round(fraction * sum(sizes.values())))
    missed = len(split.held_out) - quota
    if missed > 0:  # only where no group at all fits into the quota
        assert min(sizes.values()) == len(split.held_out)
    else:
        left = {pairs.groups[i] for i in split.kept}
        assert -missed < min(sizes[group] for group in left)


@given(n=st.integers(2, 200), fraction=fractions, seed=seeds)
@repeatable
def test_without_groups_the_share_is_exact(n, fraction, seed):
    pairs = pairs_of(n=n)
    split = hold_out(pairs, fraction, seed=seed)
    assert_parts(pairs, None, split)
    assert len(split.held_out) == min(max(1, round(fraction * n)), n - 1)


def test_at_most_bounds_the_rows():
    assert len(hold_out(pairs_of(n=100), 0.5, seed=0, at_most=7).held_out) == 7
    groups = [f"g{i // 3}" for i in range(99)]
    assert len(hold_out(pairs_of(groups), 0.5, seed=0, at_most=7).held_out) == 6


def test_the_smallest_group_is_held_out_whole_where_every_group_is_larger_than_at_most():
    groups = [f"g{min(i // 10, 8)}" for i in range(100)]
    held = hold_out(pairs_of(groups), 0.5, seed=0, at_most=7).held_out
    assert len(held) == 10
    assert len({groups[i] for i in held}) == 1


def test_rows_that_repeat_a_text_stay_together_without_groups():
    targets = [f"target {i % 20}" for i in range(100)]
    pairs = Pairs([f"source {i}" for i in range(100)], targets)
    for split in [hold_out(pairs, 0.2, seed=0), *folds(pairs, 5, seed=0)]:
        assert not {targets[i] for i in split.kept} & {targets[i] for i in split.held_out}


def test_rows_are_linked_through_each_other():
    pairs = Pairs(["a", "b", "b", "c", "d"], ["1", "1", "2", "3", "3"])
    assert list(link_rows(*map(pairs.keys, SIDES))) == [0, 0, 0, 3, 3]


def test_a_group_larger_than_the_quota_is_kept():
    groups = ["large"] * 60 + [f"g{i}" for i in range(40)]
    for seed in range(10):
        split = hold_out(pairs_of(groups), 0.2, seed=seed)
        assert len(split.held_out) == 20
        assert split.held_out.min() >= 60


def test_a_single_group_is_split_by_row():
    split = hold_out(pairs_of(["only"] * 50), 0.2, seed=0)
    assert (len(split.kept), len(split.held_out)) == (40, 10)
    rows = np.arange(10, 20)
    mixed = pairs_of(["a"] * 10 + ["only"] * 10)
    assert len(hold_out(mixed, 0.2, seed=0, rows=rows).held_out) == 2


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_rows_cannot_be_split(n):
    with pytest.raises(FitError, match=rf"{n} pair\(s\) cannot be split"):
        hold_out(pairs_of(n=5), 0.2, seed=0, rows=np.arange(n))


@pytest.mark.parametrize("groups", [None, [f"g{i // 2}" for i in range(60)]])
def test_the_seed_alone_decides(groups):
    one, again = (pairs_of(groups, n=60) for _ in range(2))
    held = [tuple(hold_out(one, 0.3, seed=seed).held_out) for seed in range(5)]
    assert held == [tuple(hold_out(again, 0.3, seed=seed).held_out) for seed in range(5)]
    assert len(set(held)) == 5
    cut = [[tuple(s.held_out) for s in folds(one, 4, seed=seed)] for seed in range(5)]
    assert cut == [[tuple(s.held_out) for s in folds(again, 4, seed=seed)] for seed in range(5)]
    assert len(set(map(str, cut))) == 5


@given(given_pairs=grouped(smallest=5), n_folds=st.integers(2, 5), seed=seeds)
@repeatable
def test_folds_hold_every_row_out_once_and_part_no_group(given_pairs, n_folds, seed):
    pairs, rows = given_pairs
    cut = folds(pairs, n_folds, seed=seed, rows=rows)
    assert len(cut) == n_folds
    for split in cut:
        assert_parts(pairs, rows, split)
    held = np.concatenate([split.held_out for split in cut])
    assert sorted(held) == list(range(len(pairs)) if rows is None else rows)
    counts = Counter(pairs.groups[i] for i in held)
    sizes = [len(split.held_out) for split in cut]
    assert max(sizes) - min(sizes) <= max(counts.values())


@pytest.mark.parametrize("groups", [None, ["a"] * 9 + ["b"] * 9 + ["c"] * 5])
def test_folds_are_as_many_as_groups_where_those_are_few(groups):
    cut = folds(pairs_of(groups, n=23), 5, seed=0)
    sizes = [5, 9, 9] if groups else [4, 4, 5, 5, 5]
    assert sorted(len(split.held_out) for split in cut) == sizes
    assert sorted(np.concatenate([split.held_out for split in cut])) == list(range(23))


def test_pairs_that_shared_texts_link_cannot_be_split():
    pairs = Pairs(["one text"] * 40, [f"answer {i}" for i in range(40)])
    with pytest.raises(FitError, match=r"link all of 40 pairs .* Give more different pairs"):
        hold_out(pairs, 0.2, seed=0, at_most=10)
