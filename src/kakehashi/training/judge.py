"""Third step of a fit: the test part scores every candidate, and says whether to use the map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..metrics.ranking import cut_at_ten, ranks
from ..metrics.relevance import clusters_of
from ..metrics.statistics import Scores
from ..retrieval.bm25 import bm25_ranks
from .candidates import Candidate
from .model_selection import Tuned, rank
from .prepare import Prepared
from .verdict import FoldGains, HeldOutRanks, Ranks, Verdict, decide


@dataclass(frozen=True, eq=False)
class Judged:
    """What the test part says.

    Attributes:
        shipped: the chosen candidate, or the identity where no map is shown to help.
        ranks: by each candidate, the rank of the best answer to each test query, (n,).
        scores: of each candidate.
        bm25, target_encoder: scores of what is there without a map; None where it is not known.
    """

    verdict: Verdict
    shipped: Candidate
    ranks: dict[Candidate, Ranks]
    scores: dict[Candidate, Scores]
    bm25: Scores | None
    target_encoder: Scores | None


def judge(prepared: Prepared, tuned: Tuned) -> Judged:
    """Score every candidate on the test part; hold the chosen one against all rivals."""
    test, chosen, identity = prepared.plan.judged.held_out, tuned.chosen, tuned.identity
    relevance, clusters = chosen.data.test.relevance, clusters_of(test)
    by_candidate = {
        c: rank(c.build(c.data.development), c.data.test, prepared.metric) for c in tuned.candidates
    }
    held_out = HeldOutRanks(
        chosen=by_candidate[chosen],
        base=None if identity is None else by_candidate[identity],
        bm25=_bm25_ranks(prepared, tuned),
        target_encoder=_target_encoder_ranks(prepared, tuned),
        relevance=relevance,
        clusters=clusters,
        n_different=len(np.unique(test.keys("source"))),
        folds=_fold_gains(prepared, tuned),
    )
    verdict = decide(held_out, is_identity=chosen is identity)

    def scores(ranks: Ranks) -> Scores:
        return Scores.of_ranks(ranks, len(relevance.pool), clusters=clusters)

    return Judged(
        verdict=verdict,
        shipped=chosen if verdict.beats_base or identity is None else identity,
        ranks=by_candidate,
        scores={c: scores(of_candidate) for c, of_candidate in by_candidate.items()},
        bm25=None if held_out.bm25 is None else scores(held_out.bm25),
        target_encoder=(
            None if held_out.target_encoder is None else scores(held_out.target_encoder)
        ),
    )


def _bm25_ranks(prepared: Prepared, tuned: Tuned) -> Ranks | None:
    test = prepared.plan.judged.held_out
    if test.source_texts is None or test.target_texts is None:
        return None
    relevance = tuned.chosen.data.test.relevance
    return bm25_ranks(test.source_texts, test.target_texts, relevance=relevance)


def _target_encoder_ranks(prepared: Prepared, tuned: Tuned) -> Ranks | None:
    queries = prepared.target_encoder.vectors
    if queries is None:
        return None
    documents = prepared.plan.judged.held_out.required_vectors("target")
    return ranks(
        np.asarray(queries, np.float32),
        np.asarray(documents, np.float32),
        prepared.metric,
        relevance=tuned.chosen.data.test.relevance,
    )


def _fold_gains(prepared: Prepared, tuned: Tuned) -> FoldGains | None:
    """Return the gains over the untouched vectors in the folds, where there are folds."""
    plan = prepared.plan
    if tuned.identity is None or not plan.cross_validated:
        return None
    gains = cut_at_ten(tuned.chosen.per_query) - cut_at_ten(tuned.identity.per_query)
    return FoldGains(
        gains, clusters_of(plan.judged.held_out, *(part.held_out for part in plan.parts))
    )
