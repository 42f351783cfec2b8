"""Held-out questions judge the second map: a rescored search, and an index that it moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..metrics.relevance import Clusters, Relevance, clusters_of
from ..metrics.rescored import FirstHits
from ..metrics.statistics import PairedTest, paired_test
from .candidates import Candidate
from .held_out_ranks import Ranks, mrr
from .judged_systems import System, ask, map_of
from .model_selection import Tuned
from .prepare import Prepared
from .rescored_search import Asked, asked_among, choose_n_hits, hits_of
from .second_map import SecondMap


@dataclass(frozen=True, eq=False)
class JudgedSecond:
    """What the held-out questions say of the second map.

    Attributes:
        candidate, n_hits: what ships, if it serves.
        system: the rescored search.
        ranks: by the rescored search in the whole index, (n,).
        moved: by the second map alone, in an index that it moves, (n,).
        over_keep: the rescored search against the first map alone.
        over_served: the moved index against the better of these two, as it is shown.
    """

    candidate: Candidate
    n_hits: int
    system: System
    ranks: Ranks
    moved: Ranks
    over_keep: PairedTest
    over_served: PairedTest

    @property
    def serves(self) -> bool:
        """Whether the aligner rescores: it is shown to find more."""
        return self.over_keep.better

    def advice(self, kept: Ranks, *, helps: bool) -> str:
        """Say which of the three ways to serve, in a sentence.

        Args:
            kept: by the first map alone.
            helps: whether a map ships; if not, the untouched vectors are served.
        """
        if not helps:
            return "keep the untouched vectors: neither map is shown to help"
        keep, rescored, moved = (
            f"{float((r == 1).mean()):.3f}" for r in (kept, self.ranks, self.moved)
        )
        if self.over_served.better:
            served = f"the untouched index rescored ({rescored})" if self.serves else "keep alone"
            return (
                f"a moved index is shown to find more (recall@1 {moved}) than {served}; "
                "as_shared() of the aligner moves one, if that is worth a new index"
            )
        if self.serves:
            return (
                f"leave the index as it is: rescored it finds {rescored} first, {keep} without, "
                f"and a moved index ({moved}) is not shown to find more"
            )
        return (
            f"leave the index as it is and search it once: rescoring (recall@1 {rescored}) is not "
            f"shown to find more than the first map alone ({keep})"
        )


def judge_second(
    prepared: Prepared, tuned: Tuned, second: SecondMap, kept: Ranks, whole: Sequence[Relevance]
) -> JudgedSecond:
    """Judge the second map beside the chosen one, each as fitted without the part that asks.

    Args:
        kept: by the first map alone in the whole index.
        whole: the documents of the index, and the answers to the questions of each part.
    """
    plan, metric = prepared.plan, prepared.metric
    clusters = clusters_of(plan.questions)

    def hits(k: int, relevance: Relevance) -> FirstHits:
        first, again = (_asked(maps[k], k, relevance) for maps in (tuned.judged, second.judged))
        return hits_of(first, again, metric)

    in_index = [hits(k, relevance) for k, relevance in enumerate(whole)]
    if plan.test is None:
        by_part = [_chosen_by_others(in_index, k, clusters) for k in range(len(in_index))]
        n_hits = choose_n_hits(in_index, clusters)
    else:
        n_hits = _chosen_by_parts(prepared, tuned.chosen, second.chosen)
        by_part = [n_hits]
    ranks = np.concatenate([h.rescored(n) for h, n in zip(in_index, by_part, strict=True)])
    moved = ask(map_of(second.judged, metric), whole)
    over_keep = paired_test(mrr(ranks), mrr(kept), clusters=clusters)
    served = ranks if over_keep.better else kept
    return JudgedSecond(
        candidate=second.chosen,
        n_hits=n_hits,
        system=lambda k, relevance: hits(k, relevance).rescored(by_part[k]),
        ranks=ranks,
        moved=moved,
        over_keep=over_keep,
        over_served=paired_test(mrr(moved), mrr(served), clusters=clusters),
    )


def _asked(candidate: Candidate, k: int, relevance: Relevance) -> Asked:
    """Return a map as it was fitted without a part that judges, and the questions of the part."""
    part = candidate.data.judging[k]
    return candidate.lifted(part.statistics), asked_among(part.queries, relevance)


def _chosen_by_others(hits: Sequence[FirstHits], k: int, clusters: Clusters) -> int:
    """Choose the number of hits for a fold by the other folds alone."""
    part_of = np.repeat(np.arange(len(hits)), [len(part.ranks) for part in hits])
    others = [part for i, part in enumerate(hits) if i != k]
    return choose_n_hits(others, None if clusters is None else clusters[part_of != k])


def _chosen_by_parts(prepared: Prepared, first: Candidate, second: Candidate) -> int:
    """Choose the number of hits by the parts that choose all else."""
    hits = [
        hits_of(
            (first.build(part.statistics), part.queries),
            (second.build(again.statistics), again.queries),
            prepared.metric,
        )
        for part, again in zip(first.data.parts, second.data.parts, strict=True)
    ]
    return choose_n_hits(hits, clusters_of(*(part.questions for part in prepared.plan.parts)))
