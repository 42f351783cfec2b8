"""Third step of a fit: held-out questions score every map, and judge the chosen one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..data.pairs import Pairs, concatenated
from ..metrics.relevance import Relevance, clusters_of, groups_of
from ..metrics.statistics import Scores
from ..report import ALONE, BM25, CHOSEN, KNOWN, NEW, TARGET_ENCODER, UNTOUCHED
from .candidates import Candidate
from .held_out_ranks import HeldOutRanks, Ranks, scores_of
from .judge_second import JudgedSecond, judge_second
from .judged_systems import System, ask, map_of, rivals
from .model_selection import Tuned
from .prepare import Prepared
from .second_map import SecondMap
from .split_plan import SplitPlan
from .verdict import Verdict, by_chance, decide

Beside = dict[str, dict[str, Scores]]


@dataclass(frozen=True, eq=False)
class Judged:
    """What the held-out questions say.

    Attributes:
        shipped: the chosen candidate, or the identity where no map is shown to help.
        second: what is said of the second map; None where there is none.
        rescores: whether it ships beside the first.
        served: by what ships, the rank of the best answer to each question, (n,).
        ranks: by each candidate, the rank of the best answer to each question, (n,).
        scores: of each candidate.
        bm25, target_encoder: scores of what is there without a map; None where it is not known.
        beside: scores of what ships and of its rivals, on the questions of each kind by
            themselves, and among the documents that no fitted pair names.
    """

    verdict: Verdict
    shipped: Candidate
    second: JudgedSecond | None
    rescores: bool
    served: Ranks
    ranks: dict[Candidate, Ranks]
    scores: dict[Candidate, Scores]
    bm25: Scores | None
    target_encoder: Scores | None
    beside: Beside


def judge(prepared: Prepared, tuned: Tuned, second: SecondMap | None = None) -> Judged:
    """Score every candidate in the whole index; hold the best way to serve against all rivals.

    That is the chosen map, rescored by the second one where this is shown to find more.
    """
    plan, chosen, identity = prepared.plan, tuned.chosen, tuned.identity
    clusters, groups = clusters_of(plan.questions), groups_of(plan.questions)
    systems = rivals(prepared, identity) | {CHOSEN: map_of(tuned.judged, prepared.metric)}
    whole = [part.queries.relevance for part in chosen.data.judging]
    found = {name: ask(system, whole) for name, system in systems.items()}
    kept, by_second = found[CHOSEN], None
    if second is not None:
        by_second = judge_second(prepared, tuned, second, kept, whole)
    rescores = by_second is not None and by_second.serves
    if by_second is not None and rescores:
        systems[CHOSEN], found[CHOSEN] = by_second.system, by_second.ranks
    alone = _alone(plan, systems)
    verdict = decide(
        HeldOutRanks(
            chosen=found[CHOSEN],
            base=found.get(UNTOUCHED),
            bm25=found.get(BM25),
            target_encoder=found.get(TARGET_ENCODER),
            chance=_chance(whole),
            clusters=clusters,
            known=plan.known,
            n_different=len(np.unique(plan.questions.keys("source"))),
            alone=None if alone is None else alone.ranks,
        ),
        is_identity=chosen is identity and not rescores,
    )
    candidates = [*tuned.candidates, *([] if second is None else second.candidates)]
    judged = {chosen: kept}
    if by_second is not None:
        judged[by_second.candidate] = by_second.moved
    if identity is not None:
        judged[identity] = found[UNTOUCHED]
    by_candidate = {c: judged[c] if c in judged else _ranks(prepared, c, whole) for c in candidates}
    ships = verdict.beats_base or identity is None
    shipped = chosen if ships or identity is None else identity
    if not ships:
        found[CHOSEN] = by_candidate[shipped]
    size = len(plan.pool)
    scores = {name: scores_of(ranks, size, groups) for name, ranks in found.items()}
    return Judged(
        verdict=verdict,
        shipped=shipped,
        second=by_second,
        rescores=rescores and ships,
        served=found[CHOSEN],
        ranks=by_candidate,
        scores={c: scores_of(ranks, size, groups) for c, ranks in by_candidate.items()},
        bm25=scores.get(BM25),
        target_encoder=scores.get(TARGET_ENCODER),
        beside=_by_kind(plan, found) | ({} if alone is None else alone.scores(ships_chosen=ships)),
    )


def _ranks(prepared: Prepared, candidate: Candidate, whole: Sequence[Relevance]) -> Ranks:
    """Rank by one of the candidates that were not chosen.

    The folds have ranked it already, at its best setting; that serves where the documents that
    choose are the whole index.
    """
    plan = prepared.plan
    searched = len(candidate.data.parts[0].queries.documents)
    if plan.test is None and searched == len(plan.pool):
        return np.rint(1 / candidate.per_query).astype(np.intp)
    return ask(map_of([candidate] * len(plan.judged), prepared.metric), whole)


def _chance(relevances: Sequence[Relevance]) -> float:
    """Return the mean MRR@10 of documents in random order, over the questions of all parts."""
    sizes = [len(relevance.answers) for relevance in relevances]
    return float(np.average([by_chance(relevance) for relevance in relevances], weights=sizes))


def _by_kind(plan: SplitPlan, found: Mapping[str, Ranks]) -> Beside:
    """Score the questions of each kind by themselves, where there are both."""
    if plan.known is None:
        return {}
    beside: Beside = {}
    for kind, those in ((NEW, ~plan.known), (KNOWN, plan.known)):
        groups = groups_of(plan.questions.select(np.flatnonzero(those)))
        beside[kind] = {
            name: scores_of(ranks[those], len(plan.pool), groups) for name, ranks in found.items()
        }
    return beside


def _alone(plan: SplitPlan, systems: Mapping[str, System]) -> _Alone | None:
    """Search among the documents that no part has fitted; None where it has fitted none."""
    rows = [plan.unfitted(part) for part in plan.judged]
    if all(len(of_part) == len(plan.pool) for of_part in rows):
        return None
    relevances = [
        plan.pool.relevance(part.held_out, rows=of_part)
        for part, of_part in zip(plan.judged, rows, strict=True)
    ]
    return _Alone(
        found={name: ask(system, relevances) for name, system in systems.items()},
        questions=concatenated([part.held_out for part in plan.judged]),
        chance=_chance(relevances),
        pool=round(float(np.mean([len(of_part) for of_part in rows]))),
    )


@dataclass(frozen=True, eq=False)
class _Alone:
    """The ranks of questions about new documents, among documents that were not fitted.

    Attributes:
        found: of each system, by name.
        pool: how many documents were searched, on average.
    """

    found: dict[str, Ranks]
    questions: Pairs
    chance: float
    pool: int

    @property
    def ranks(self) -> HeldOutRanks:
        """The ranks as the verdict reads them."""
        clusters = clusters_of(self.questions)
        found = self.found
        return HeldOutRanks(
            chosen=found[CHOSEN], base=found.get(UNTOUCHED), chance=self.chance, clusters=clusters
        )

    def scores(self, *, ships_chosen: bool) -> Beside:
        """Score what ships and its rivals in this small pool."""
        found = self.found if ships_chosen else self.found | {CHOSEN: self.found[UNTOUCHED]}
        groups = groups_of(self.questions)
        return {ALONE: {name: scores_of(r, self.pool, groups) for name, r in found.items()}}
