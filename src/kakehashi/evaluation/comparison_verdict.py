"""The verdict of compare(): which row finds most, and whether it is shown to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..metrics.relevance import Clusters
from ..metrics.statistics import PairedTest, paired_test
from ..training.held_out_ranks import mrr
from ..training.verdict import FEW_QUERIES, MIN_QUERIES

ALIGNER, KEPT = "aligner", "aligner, not rescored"
"""The names of the aligner's rows. The second is there where the first is rescored, and serves as
a comparison only."""


@dataclass(frozen=True)
class ComparisonVerdict:
    """Two rows of a comparison, held against each other.

    Attributes:
        leader: the row with the highest MRR@10; None where the queries are too few, or none ran.
        rival: the best other row, or the aligner where it does not lead; None where there is none.
        test: the paired sign-flip test of MRR@10 between the two. The leader is the best of several
            rows, so that its p-value is somewhat too small.
        n_queries: different queries that judge.
    """

    leader: str | None
    rival: str | None
    test: PairedTest | None
    n_queries: int

    @property
    def shown(self) -> bool:
        """Whether the leader is shown to find more than the rival, at the 5% level."""
        return self.test is not None and self.test.better

    def __str__(self) -> str:
        """Return the verdict in one sentence."""
        if self.n_queries < MIN_QUERIES:
            return (
                f"no verdict ({self.n_queries} queries are too few to tell; {MIN_QUERIES} are the "
                f"least, {FEW_QUERIES} say more)"
            )
        if self.leader is None:
            return "no verdict (no row could be scored; each says why)"
        leader, rival = (f"the {n}" if n == ALIGNER else n for n in (self.leader, self.rival))
        if self.test is None:
            return f"{leader} alone was scored: there is nothing to hold against it"
        difference = f"MRR@10 {self.test.difference:+.3f}, p={self.test.p_value:.4f}"
        if self.shown:
            return f"{leader} finds more than {rival} ({difference})"
        if not self.test.difference:
            return f"{leader} and {rival} find the same, on average"
        return f"{leader} leads, but is not shown to beat {rival} ({difference})"


def verdict_of(
    ranks: Mapping[str, NDArray[np.intp]], *, clusters: Clusters, n_queries: int
) -> ComparisonVerdict:
    """Hold the best row against the next best, or against the aligner where that does not lead.

    Args:
        ranks: (n,) rank of the best answer to each test query, by each row that could be scored.
        clusters: of the queries.
        n_queries: how many of them are different.
    """
    rows = [name for name in ranks if name != KEPT]
    order = sorted(rows, key=lambda name: -float(mrr(ranks[name]).mean()))
    if not order or n_queries < MIN_QUERIES:
        return ComparisonVerdict(None, None, None, n_queries)
    leader, *others = order
    if not others:
        return ComparisonVerdict(leader, None, None, n_queries)
    rival = ALIGNER if ALIGNER in others else others[0]
    test = paired_test(mrr(ranks[leader]), mrr(ranks[rival]), clusters=clusters)
    return ComparisonVerdict(leader, rival, test, n_queries)
