"""New questions about documents that other pairs name: they are held out beside each part."""

from __future__ import annotations

import numpy as np

from ..data.pairs import Pairs
from ..data.splits import Rows
from ..types import SIDES

KNOWN_SHARE, MAX_KNOWN, MIN_KNOWN = 0.1, 1000, 10
"""Share of the rows that are such questions, the most of them, and the fewest that judge."""


def known_questions(pairs: Pairs, rows: Rows, seed: int, *, at_least: int = 1) -> Rows:
    """Draw rows with questions that no other row asks, one of a document that others ask for.

    None are drawn where there are fewer than ``at_least``.
    """
    order = np.random.default_rng(seed).permutation(rows)
    source, target = (pairs.keys(side)[order] for side in SIDES)
    _, asked, times = np.unique(source, return_inverse=True, return_counts=True)
    order, target = order[times[asked] == 1], target[times[asked] == 1]
    _, first, n_asking = np.unique(target, return_index=True, return_counts=True)
    drawn = np.sort(first[n_asking > 1])[: min(MAX_KNOWN, int(KNOWN_SHARE * len(rows)))]
    return np.sort(order[drawn]) if len(drawn) >= at_least else rows[:0]
