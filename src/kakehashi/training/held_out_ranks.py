"""The ranks of all systems on held-out queries, and the tests that compare two of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..metrics.ranking import per_query
from ..metrics.relevance import MIN_GROUPS, Clusters, renumbered
from ..metrics.statistics import PairedTest, Scores, paired_test
from ..report import KNOWN, NEW

Ranks = NDArray[np.intp]
NOT_ASKED = 0
"""In place of the rank of a question that a system was not asked; the best rank is one."""
PerQuery = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class HeldOutRanks:
    """Rank of the best answer to each of the n test queries, (n,), by each system.

    Attributes:
        chosen: by the map that validation chose.
        base: by the untouched vectors; None where the two spaces cannot be compared.
        bm25: None where there are no texts.
        target_encoder: by the target encoder; None where it cannot be asked.
        chance: mean MRR@10 of documents in random order; by default of n, of which one answers.
        clusters: the cluster of each query; they are resampled and tested whole.
        known: (n,) whether a query asks for a document that fitted pairs name; None where none
            does.
        n_different: how many of the queries are different; by default all.
        alone: ranks of the queries about new documents, among the documents that no fitted pair
            names. There a map gains nothing by leading queries away from the others.
        finished: an aligner that was fitted earlier is judged, by queries that came later.
    """

    chosen: Ranks
    base: Ranks | None = None
    bm25: Ranks | None = None
    target_encoder: Ranks | None = None
    chance: float | None = None
    clusters: Clusters = None
    known: NDArray[np.bool_] | None = None
    n_different: int | None = None
    alone: HeldOutRanks | None = None
    finished: bool = False

    @property
    def n(self) -> int:
        """How many different queries judge."""
        return len(self.chosen) if self.n_different is None else self.n_different

    def test(self, ours: Ranks, theirs: Ranks) -> PairedTest:
        """Test the difference of two systems, by MRR@10 of each query that both were asked."""
        both = (ours != NOT_ASKED) & (theirs != NOT_ASKED)
        clusters = _clusters(self.clusters, both)
        return paired_test(mrr(ours[both]), mrr(theirs[both]), clusters=clusters)

    def lost(self, ours: Ranks, theirs: Ranks) -> str | None:
        """Name the kind of question on which a system is shown to find less than another."""
        if self.known is None:
            return None
        for kind, those in ((NEW, ~self.known), (KNOWN, self.known)):
            clusters = _clusters(self.clusters, those)
            if clusters is not None and clusters.max() + 1 < MIN_GROUPS:
                clusters = None  # so few clusters could show no loss
            test = paired_test(mrr(ours[those]), mrr(theirs[those]), clusters=clusters)
            if test.worse:
                return f"{kind} (MRR@10 {test.difference:+.3f}, p={test.p_value:.3f})"
        return None


def scores_of(ranks: Ranks, pool: int, clusters: Clusters) -> Scores:
    """Summarise the ranks of the queries that a system was asked."""
    asked = ranks != NOT_ASKED
    return Scores.of_ranks(ranks[asked], pool, clusters=_clusters(clusters, asked))


def _clusters(clusters: Clusters, those: NDArray[np.bool_]) -> Clusters:
    """Number the clusters of some of the queries from zero on."""
    return None if clusters is None else renumbered(clusters[those])


def mrr(ranks: Ranks) -> PerQuery:
    """Return the MRR@10 of each query, (n,)."""
    return per_query(ranks)["mrr@10"]
