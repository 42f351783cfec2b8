"""The metrics of the paper: top-1 accuracy in a pool of 250, speed, and their harmonic mean.

A. Yadav, A. B. McMillan, arXiv 2410.23437 (2024).
"""

from __future__ import annotations

from math import comb

import numpy as np
from numpy.typing import NDArray

from ..metrics.relevance import Relevance

POOL = 250
INSTANT = 0.1
"""Seconds within which an answer seems to come at once (Nielsen, Usability Engineering, 1993,
chapter 5). A system that takes as long has half of the full speed."""


def accuracy_in_pool(
    rank: NDArray[np.intp], relevance: Relevance, size: int = POOL
) -> NDArray[np.float64]:
    """Return the top-1 accuracy of each query in a pool of ``size`` candidates, (n,), in 0..1.

    A pool holds the best answer to a query, and ``size - 1`` other documents that do not answer
    it, drawn without replacement. This is the exact mean over all such pools. Of M documents that
    do not answer, b rank before the answer. The answer comes first in a pool that holds none of
    the b. Their share is hypergeometric:

        C(M - b, size - 1) / C(M, size - 1),   b = rank - 1.

    Where there are fewer than ``size - 1`` others, all of them are the pool. The order is that of
    the search among all documents; no word statistics or reranking are computed within the pool.

    Args:
        rank: (n,) rank of the best answer to each query, ties counted against it.
        relevance: how many documents there are, and how many of them answer each query.
    """
    accuracies = np.empty(len(rank))
    computed: dict[tuple[int, int], float] = {}
    for i, (r, answers) in enumerate(zip(rank.tolist(), relevance.answers, strict=True)):
        others = len(relevance.pool) - len(answers)
        key = (others, r)
        if key not in computed:
            drawn = min(size - 1, others)
            computed[key] = comb(others - r + 1, drawn) / comb(others, drawn)
        accuracies[i] = computed[key]
    return accuracies


def speed(latency: float) -> float:
    """Return the speed of a system that answers in ``latency`` seconds: 1 is instantaneous.

        speed = 0.1 s / (0.1 s + latency)

    The paper does not say how it brings speed to the scale of accuracy. A share of the slowest
    system's time would give that system 0, and would change with the other rows. This formula
    depends only on the system.
    """
    return INSTANT / (INSTANT + latency)


def harmonic_mean(accuracy: float, latency: float) -> float:
    """Return the harmonic mean of top-1 accuracy (0..1) and :func:`speed` of seconds a query."""
    s = speed(latency)
    return 2 * accuracy * s / (accuracy + s)
