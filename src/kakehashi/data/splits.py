"""Held-out rows: chosen by group, never by row where groups are known."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import FitError
from ..types import SIDES
from .duplicates import link_rows
from .hashing import numbered
from .pairs import Pairs

Rows = NDArray[np.intp]


class Split(NamedTuple):
    """Row numbers of the two parts of a set."""

    kept: Rows
    held_out: Rows


def hold_out(
    pairs: Pairs,
    fraction: float,
    *,
    seed: int,
    at_most: int | None = None,
    rows: Rows | None = None,
) -> Split:
    """Set about ``fraction`` of the rows aside, whole groups at a time.

    Groups are visited in an order drawn from ``seed``, and set aside while they fit into the quota.
    A group larger than the quota stays in the kept part. Without groups, or with a single one,
    rows are drawn one by one; rows that repeat a text stay together.

    Args:
        fraction: share of the rows to hold out, between 0 and 1.
        at_most: an upper bound in rows, for sets so large that a share would be wasteful. Where
            every group is larger, the smallest is held out whole.
        rows: split these rows of the pairs only.

    Raises:
        FitError: fewer than two rows, or shared texts link all of them, so that none can be held
            out.
    """
    rows = np.arange(len(pairs)) if rows is None else rows
    n = len(rows)
    if n < 2:
        raise FitError(f"{n} pair(s) cannot be split; at least 2 are needed.")
    quota = min(max(1, round(fraction * n)), n - 1, at_most or n)
    rng = np.random.default_rng(seed)
    is_held_out = np.zeros(n, dtype=bool)
    taken = 0
    for members in _shuffled_groups(pairs, rows, rng):
        if taken + len(members) <= quota:
            is_held_out[members] = True
            taken += len(members)
        if taken == quota:
            break
    if taken < quota / 2:  # every group that is left is too large: take the smallest
        left = [m for m in _shuffled_groups(pairs, rows, rng) if not is_held_out[m[0]]]
        smallest = min(left, key=len)
        if len(smallest) < n - taken:
            is_held_out[smallest] = True
    if not is_held_out.any():
        raise FitError(
            f"Shared texts link all of {n} pairs to one another, so that none can be held out. "
            "Give more different pairs, or validation and test sets of your own."
        )
    return Split(rows[~is_held_out], rows[is_held_out])


def folds(pairs: Pairs, n_folds: int, *, seed: int, rows: Rows | None = None) -> list[Split]:
    """Cut the rows into ``n_folds`` parts of about equal size; each is held out once.

    Groups stay whole; with fewer than ``n_folds`` of them, there are as many parts as groups.
    """
    rows = np.arange(len(pairs)) if rows is None else rows
    rng = np.random.default_rng(seed)
    members = _shuffled_groups(pairs, rows, rng)
    n_folds = min(n_folds, len(members))
    members.sort(key=len, reverse=True)  # stable: equal sizes keep their drawn order
    part = np.empty(len(rows), dtype=np.intp)
    sizes = np.zeros(n_folds, dtype=np.intp)
    for group in members:
        smallest = int(np.argmin(sizes))
        part[group] = smallest
        sizes[smallest] += len(group)
    return [Split(rows[part != k], rows[part == k]) for k in range(n_folds)]


def nested_rows(pairs: Pairs, *, seed: int, rows: Rows) -> Rows:
    """Order the rows so that every beginning of the order is a smaller set of such pairs.

    Whole groups follow one another in random order. Half of the pairs are then about half of the
    documents, as while pairs are being collected.
    """
    order = _shuffled_groups(pairs, rows, np.random.default_rng(seed))
    nested: Rows = rows[np.concatenate(order)]
    return nested


def _shuffled_groups(pairs: Pairs, rows: Rows, rng: np.random.Generator) -> list[Rows]:
    """Return the positions in ``rows`` of each group, the groups in random order."""
    if pairs.groups is None or len({pairs.groups[i] for i in rows}) == 1:
        return _shuffled_units(link_rows(*(pairs.keys(side)[rows] for side in SIDES)), rng)
    return _shuffled_units(numbered([pairs.groups[i] for i in rows]), rng)


def _shuffled_units(labels: Rows, rng: np.random.Generator) -> list[Rows]:
    values, inverse = np.unique(labels, return_inverse=True)
    if len(values) == len(labels):
        return list(rng.permutation(len(labels))[:, None])
    by_group = np.split(np.argsort(inverse, kind="stable"), np.cumsum(np.bincount(inverse))[:-1])
    return [by_group[i] for i in rng.permutation(len(by_group))]
