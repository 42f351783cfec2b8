"""Third step of a fit: the test part scores every candidate, and says whether to use the map."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..data.pairs import Pairs
from ..metrics.ranking import cut_at_ten, ranks
from ..metrics.relevance import Relevance, clusters_of, groups_of
from ..metrics.statistics import Scores
from ..report import ALONE, BM25, CHOSEN, KNOWN, NEW, TARGET_ENCODER, UNTOUCHED
from ..retrieval.bm25 import bm25_ranks
from .candidates import Candidate
from .held_out_ranks import FoldGains, HeldOutRanks, Ranks
from .model_selection import Tuned, rank
from .prepare import Prepared
from .verdict import Verdict, decide

Beside = dict[str, dict[str, Scores]]
Search = Callable[[Relevance], Ranks]


@dataclass(frozen=True, eq=False)
class Judged:
    """What the test part says.

    Attributes:
        shipped: the chosen candidate, or the identity where no map is shown to help.
        ranks: by each candidate, the rank of the best answer to each test query, (n,).
        scores: of each candidate.
        bm25, target_encoder: scores of what is there without a map; None where it is not known.
        beside: scores of what ships and of its rivals, on the questions of each kind by
            themselves, and among the held-out documents alone.
    """

    verdict: Verdict
    shipped: Candidate
    ranks: dict[Candidate, Ranks]
    scores: dict[Candidate, Scores]
    bm25: Scores | None
    target_encoder: Scores | None
    beside: Beside


def judge(prepared: Prepared, tuned: Tuned) -> Judged:
    """Score every candidate in the whole index; hold the chosen one against all rivals."""
    part, chosen, identity = prepared.plan.judged, tuned.chosen, tuned.identity
    relevance, clusters = chosen.data.test.relevance, clusters_of(part.questions)
    groups = groups_of(part.questions)
    by_candidate = {
        c: rank(c.lifted(c.data.development), c.data.test, prepared.metric)
        for c in tuned.candidates
    }
    rivals = _rivals(prepared, identity)
    found = {name: search(relevance) for name, search in rivals.items()}
    alone = _alone(prepared, {**rivals, CHOSEN: _search(chosen, prepared)})
    verdict = decide(
        HeldOutRanks(
            chosen=by_candidate[chosen],
            base=found.get(UNTOUCHED),
            bm25=found.get(BM25),
            target_encoder=found.get(TARGET_ENCODER),
            relevance=relevance,
            clusters=clusters,
            known=_known(prepared),
            n_different=len(np.unique(part.questions.keys("source"))),
            folds=_fold_gains(prepared, tuned),
            alone=alone,
        ),
        is_identity=chosen is identity,
    )

    def scores(ranks: Ranks) -> Scores:
        return Scores.of_ranks(ranks, len(relevance.pool), clusters=groups)

    shipped = chosen if verdict.beats_base or identity is None else identity
    return Judged(
        verdict=verdict,
        shipped=shipped,
        ranks=by_candidate,
        scores={c: scores(of_candidate) for c, of_candidate in by_candidate.items()},
        bm25=scores(found[BM25]) if BM25 in found else None,
        target_encoder=scores(found[TARGET_ENCODER]) if TARGET_ENCODER in found else None,
        beside=_by_kind(prepared, {**found, CHOSEN: by_candidate[shipped]})
        | _among_alone(alone, part.questions, ships_chosen=shipped is chosen),
    )


def _search(candidate: Candidate, prepared: Prepared) -> Search:
    """Return the search of the test queries by a candidate, in whichever part of the pool."""

    def search(relevance: Relevance) -> Ranks:
        queries = replace(candidate.data.test, relevance=relevance)
        return rank(candidate.lifted(candidate.data.development), queries, prepared.metric)

    return search


def _rivals(prepared: Prepared, identity: Candidate | None) -> dict[str, Search]:
    """Return the searches that need no map, as far as they are known."""
    questions, pool = prepared.plan.judged.questions, prepared.plan.pool
    rivals: dict[str, Search] = {}
    if identity is not None:
        rivals[UNTOUCHED] = _search(identity, prepared)
    vectors, stored = prepared.target_encoder.vectors, pool.vectors
    if vectors is not None and stored is not None:
        queries, documents = np.asarray(vectors, np.float32), np.asarray(stored, np.float32)
        rivals[TARGET_ENCODER] = lambda relevance: ranks(
            queries, documents, prepared.metric, relevance=relevance
        )
    asked, texts = questions.source_texts, pool.texts
    if asked is not None and texts is not None:
        rivals[BM25] = lambda relevance: bm25_ranks(asked, texts, relevance=relevance)
    return rivals


def _known(prepared: Prepared) -> NDArray[np.bool_] | None:
    """Say which test queries ask for documents that pairs name, (n,); None where none does."""
    part = prepared.plan.judged
    return None if part.known is None else np.arange(len(part.questions)) >= len(part.held_out)


def _by_kind(prepared: Prepared, found: dict[str, Ranks]) -> Beside:
    """Score the questions of each kind by themselves, where there are both."""
    part, known, pool = prepared.plan.judged, _known(prepared), len(prepared.plan.pool)
    if known is None or part.known is None:
        return {}
    return {
        kind: {
            name: Scores.of_ranks(ranks[those], pool, clusters=groups_of(asked))
            for name, ranks in found.items()
        }
        for kind, asked, those in ((NEW, part.held_out, ~known), (KNOWN, part.known, known))
    }


def _alone(prepared: Prepared, searches: dict[str, Search]) -> HeldOutRanks | None:
    """Search among the documents of the test queries alone; None where there are no others."""
    questions, pool = prepared.plan.judged.questions, prepared.plan.pool
    rows = np.unique(pool.positions(questions))
    if len(rows) == len(pool):
        return None
    relevance = pool.relevance(questions, rows=rows)
    found = {name: search(relevance) for name, search in searches.items()}
    return HeldOutRanks(
        chosen=found[CHOSEN],
        base=found.get(UNTOUCHED),
        bm25=found.get(BM25),
        target_encoder=found.get(TARGET_ENCODER),
        relevance=relevance,
        clusters=clusters_of(questions),
    )


def _among_alone(alone: HeldOutRanks | None, questions: Pairs, *, ships_chosen: bool) -> Beside:
    """Score what ships and its rivals among the held-out documents alone: a small pool."""
    if alone is None or alone.relevance is None:
        return {}
    shipped = alone.chosen if ships_chosen or alone.base is None else alone.base
    found = {
        UNTOUCHED: alone.base,
        TARGET_ENCODER: alone.target_encoder,
        BM25: alone.bm25,
        CHOSEN: shipped,
    }
    size = len(alone.relevance.pool)
    return {
        ALONE: {
            name: Scores.of_ranks(ranks, size, clusters=groups_of(questions))
            for name, ranks in found.items()
            if ranks is not None
        }
    }


def _fold_gains(prepared: Prepared, tuned: Tuned) -> FoldGains | None:
    """Return the gains over the untouched vectors in the folds, where there are folds."""
    plan = prepared.plan
    if tuned.identity is None or not plan.cross_validated:
        return None
    gains = cut_at_ten(tuned.chosen.per_query) - cut_at_ten(tuned.identity.per_query)
    return FoldGains(
        gains, clusters_of(plan.judged.questions, *(part.questions for part in plan.parts))
    )
