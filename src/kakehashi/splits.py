"""Held-out rows: chosen by group, never by row where groups are known."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .errors import FitError
from .pairs import Pairs

Rows = NDArray[np.intp]


class Split(NamedTuple):
    """Row numbers of the two parts of a set."""

    kept: Rows
    held_out: Rows


def hold_out(pairs: Pairs, fraction: float, *, seed: int, at_most: int | None = None) -> Split:
    """Set about ``fraction`` of the rows aside, whole groups at a time.

    Groups are visited in an order drawn from ``seed`` and set aside while they still fit into the
    quota; a group larger than the whole quota therefore stays in the kept part. Without groups,
    or with a single one, rows are drawn one by one.

    Args:
        fraction: share of the rows to hold out, between 0 and 1.
        at_most: an upper bound in rows, for sets so large that a share would be wasteful.

    Raises:
        FitError: fewer than two rows.
    """
    n = len(pairs)
    if n < 2:
        raise FitError(f"{n} pair(s) cannot be split; at least 2 are needed.")
    quota = min(max(1, round(fraction * n)), n - 1, at_most or n)
    rng = np.random.default_rng(seed)
    held = np.zeros(n, dtype=bool)
    taken = 0
    for members in _shuffled_groups(pairs, rng):
        if taken + len(members) <= quota:
            held[members] = True
            taken += len(members)
        if taken == quota:
            break
    if taken == 0:  # every group is larger than the quota: the smallest one has to serve
        smallest = min(_shuffled_groups(pairs, rng), key=len)
        held[smallest] = True
    return Split(np.flatnonzero(~held), np.flatnonzero(held))


def folds(pairs: Pairs, n_folds: int, *, seed: int) -> list[Split]:
    """Cut the rows into ``n_folds`` parts of about equal size; each is held out once.

    Groups stay whole where there are at least ``n_folds`` of them; otherwise rows are dealt out.
    """
    rng = np.random.default_rng(seed)
    members = _shuffled_groups(pairs, rng)
    if len(members) < n_folds:
        members = [np.array([i]) for i in rng.permutation(len(pairs))]
    members.sort(key=len, reverse=True)  # stable: equal sizes keep their drawn order
    part = np.empty(len(pairs), dtype=np.intp)
    sizes = np.zeros(n_folds, dtype=np.intp)
    for rows in members:
        smallest = int(np.argmin(sizes))
        part[rows] = smallest
        sizes[smallest] += len(rows)
    return [Split(np.flatnonzero(part != k), np.flatnonzero(part == k)) for k in range(n_folds)]


def _shuffled_groups(pairs: Pairs, rng: np.random.Generator) -> list[Rows]:
    """Return the rows of each group, the groups in random order."""
    n = len(pairs)
    if pairs.groups is None or len(set(pairs.groups)) == 1:
        return list(rng.permutation(n)[:, None])
    _, inverse = np.unique(np.array(pairs.groups), return_inverse=True)
    by_group = np.split(np.argsort(inverse, kind="stable"), np.cumsum(np.bincount(inverse))[:-1])
    return [by_group[i] for i in rng.permutation(len(by_group))]
