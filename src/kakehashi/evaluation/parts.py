"""Scores of parts of the questions: by group, by length, by script."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..metrics.relevance import Clusters, renumbered
from ..metrics.statistics import Scores

LENGTHS = (15, 30, 60, 120)
"""Letters at which questions are parted by their length."""


def scores_by(
    labels: Sequence[str], ranks: NDArray[np.intp], pool: int, clusters: Clusters = None
) -> dict[str, Scores]:
    """Return the scores of the questions of each label, in the order of their first question.

    Args:
        labels: n, one a question.
        ranks: (n,) of the best answer to each.
        pool: documents that were searched.
        clusters: of :func:`kakehashi.metrics.relevance.groups_of`.
    """
    column = np.asarray(labels, dtype=object)
    found = {}
    for label in dict.fromkeys(labels):
        rows = np.flatnonzero(column == label)
        of_rows = None if clusters is None else renumbered(clusters[rows])
        found[label] = Scores.of_ranks(ranks[rows], pool, clusters=of_rows)
    return found


def lengths_of(texts: Sequence[str]) -> list[int]:
    """Return for each text the place of its length among :data:`LENGTHS`, from 0 on."""
    return [int(np.searchsorted(LENGTHS, len(text))) for text in texts]
