"""Which rows share a text: leaks between two sets, and rows that belong together in one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .pairs import SIDES, Pairs


def find_leaks(train: Pairs, held_out: Pairs) -> NDArray[np.intp]:
    """Return the rows of ``train`` whose source or target also stands in ``held_out``.

    A map that has seen half of a test pair scores too well on it; fitting on the other rows only
    keeps the held-out score honest. Vectors that are equal but for rounding are one text
    (:func:`kakehashi.keys.near_keys`).
    """
    leaked = np.zeros(len(train), dtype=bool)
    for side in SIDES:
        if train.texts(side) is not None and held_out.texts(side) is not None:
            leaked |= np.isin(train.keys(side), held_out.keys(side))
        x, y = train.vectors(side), held_out.vectors(side)
        if x is not None and y is not None and x.shape[1] == y.shape[1]:
            cells = zip(train.near_keys(side).T, held_out.near_keys(side).T, strict=True)
            for mine, theirs in cells:
                leaked |= np.isin(mine, theirs)
    return np.flatnonzero(leaked)


def link_rows(*keys: NDArray[Any]) -> NDArray[np.intp]:
    """Return a label for each row, (n,): rows that share a key of one kind share it.

    Sharing carries on: two rows are linked through a third that has the source of one and the
    target of the other.

    Args:
        keys: of every kind (source and target, say) the key of each row, (n,).
    """
    n = len(keys[0])
    labels = np.arange(n)
    kinds = [np.unique(of_kind, return_inverse=True) for of_kind in keys]
    if all(len(values) == n for values, _ in kinds):
        return labels
    while True:
        before = labels
        for values, member in kinds:
            lowest = np.full(len(values), n)
            np.minimum.at(lowest, member, labels)
            labels = lowest[member]
        if np.array_equal(labels, before):
            return labels
