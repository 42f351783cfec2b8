"""The ranks of all systems on held-out queries, and the tests that compare two of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..metrics.ranking import per_query
from ..metrics.relevance import MIN_GROUPS, Clusters, Relevance, renumbered
from ..metrics.statistics import PairedTest, paired_test
from ..report import KNOWN, NEW

Ranks = NDArray[np.intp]
PerQuery = NDArray[np.float64]


class FoldGains(NamedTuple):
    """What cross-validation says of the chosen map.

    Attributes:
        gains: (n,) MRR@10 of the map less that of the base, of each query of the folds.
        clusters: of the queries of the test part and then those of the folds.
    """

    gains: PerQuery
    clusters: Clusters


@dataclass(frozen=True, eq=False)
class HeldOutRanks:
    """Rank of the best answer to each of the n test queries, (n,), by each system.

    Attributes:
        chosen: by the map that validation chose.
        base: by the untouched vectors; None where the two spaces cannot be compared.
        bm25: None where there are no texts.
        target_encoder: by the target encoder; None where it cannot be asked.
        relevance: the pool, and how many of it answer each query; by default n documents, of
            which one answers.
        clusters: the cluster of each query; they are resampled and tested whole.
        known: (n,) whether a query asks for a document that fitted pairs name; None where none
            does.
        n_different: how many of the queries are different; by default all.
        folds: the gains of cross-validation.
        alone: the same ranks among the documents of the test queries alone. There a map gains
            nothing by leading queries away from the documents that it was fitted on; no document of
            a pair that was fitted answers a test query.
        finished: an aligner that was fitted earlier is judged, by queries that came later.
    """

    chosen: Ranks
    base: Ranks | None = None
    bm25: Ranks | None = None
    target_encoder: Ranks | None = None
    relevance: Relevance | None = None
    clusters: Clusters = None
    known: NDArray[np.bool_] | None = None
    n_different: int | None = None
    folds: FoldGains | None = None
    alone: HeldOutRanks | None = None
    finished: bool = False

    @property
    def n(self) -> int:
        """How many different queries judge."""
        return len(self.chosen) if self.n_different is None else self.n_different

    def test(self, ours: Ranks, theirs: Ranks) -> PairedTest:
        """Test the difference of two systems, by MRR@10 of each query."""
        return paired_test(mrr(ours), mrr(theirs), clusters=self.clusters)

    def lost(self, ours: Ranks, theirs: Ranks) -> str | None:
        """Name the kind of question on which a system is shown to find less than another."""
        if self.known is None:
            return None
        for kind, those in ((NEW, ~self.known), (KNOWN, self.known)):
            clusters = None if self.clusters is None else renumbered(self.clusters[those])
            if clusters is not None and clusters.max() + 1 < MIN_GROUPS:
                clusters = None  # so few clusters could show no loss
            test = paired_test(mrr(ours[those]), mrr(theirs[those]), clusters=clusters)
            if test.worse:
                return f"{kind} (MRR@10 {test.difference:+.3f}, p={test.p_value:.3f})"
        return None


def mrr(ranks: Ranks) -> PerQuery:
    """Return the MRR@10 of each query, (n,)."""
    return per_query(ranks)["mrr@10"]
