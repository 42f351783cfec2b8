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

    The candidates of a query are its best answer and ``size - 1`` documents that do not answer it,
    drawn without replacement from all that do not. Instead of drawing one such pool, this is the
    mean over all of them, exactly: of M documents that do not answer, b stand before the answer,
    and the answer comes first in the share of pools that hold none of the b,

        C(M - b, size - 1) / C(M, size - 1),   b = rank - 1   (hypergeometric).

    Where there are no ``size - 1`` others, all of them are the pool. The order is that of the
    search among all documents (BM25's word statistics and a reranker's candidates are not taken
    again within the pool).

    Args:
        rank: (n,) rank of the best answer to each query, ties counted against it.
        relevance: how many documents there are, and how many of them answer each query.
    """
    found = np.empty(len(rank))
    known: dict[tuple[int, int], float] = {}
    for i, (r, answers) in enumerate(zip(rank.tolist(), relevance.answers, strict=True)):
        others = len(relevance.pool) - len(answers)
        key = (others, r)
        if key not in known:
            drawn = min(size - 1, others)
            known[key] = comb(others - r + 1, drawn) / comb(others, drawn)
        found[i] = known[key]
    return found


def speed(latency: float) -> float:
    """Return the speed of a system that answers in ``latency`` seconds: 1 is instantaneous.

        speed = 0.1 s / (0.1 s + latency)

    The paper does not say how it brings speed to the scale of accuracy. A share of the slowest
    system's time would give that system 0 and would change with the rows beside it; this depends
    on the system alone.
    """
    return INSTANT / (INSTANT + latency)


def harmonic_mean(accuracy: float, latency: float) -> float:
    """Return the harmonic mean of top-1 accuracy (0..1) and :func:`speed` of seconds a query."""
    s = speed(latency)
    return 2 * accuracy * s / (accuracy + s)
