"""The verdict of a fit: use the aligner, or do not, and why."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from ..metrics.relevance import Relevance
from ..metrics.statistics import PairedTest, bootstrap
from ..report import ALONE
from .held_out_ranks import HeldOutRanks, Ranks, mrr

OWN_ENCODER = "the index's own encoder, asked with the questions as they are,"
"""The target encoder as a rival, in words that need no glossary."""
MIN_QUERIES = 10
FEW_QUERIES = 50
_LEVEL_ALONE = 0.1
"""Of a test with two sides, of which one counts: of maps without a gain one in twenty passes."""


class Verdict(NamedTuple):
    """The advice, the reason, and the p-value of the test behind it.

    ``beats_base`` is False where the untouched vectors can be compared and the map is not shown
    to be better: then the identity ships. ``target_leads`` says of an identity that the target
    encoder by itself finds more.
    """

    advice: Literal["use", "do not use"]
    reason: str
    p_value: float | None
    beats_base: bool = True
    target_leads: bool = False


class _Win(NamedTuple):
    """What the map has beaten so far, by which test, and on which queries."""

    test: PairedTest | None
    rival: str
    queries: str


def by_chance(relevance: Relevance) -> float:
    """Return the mean MRR@10 of documents in random order.

    With a of m documents answering, the best stands at rank r with probability
    p(r) = C(m - r, a - 1) / C(m, a): p(1) = a / m, p(r + 1) = p(r) (m - r - a + 1) / (m - r).
    (The binomials themselves are no floats where hundreds answer.)
    """
    m, sizes = len(relevance.pool), np.array([len(a) for a in relevance.answers])
    expected = {a: _of_random_order(a, m) for a in map(int, np.unique(sizes))}
    return float(np.mean([expected[int(a)] for a in sizes]))


def _of_random_order(a: int, m: int) -> float:
    """Return the mean MRR@10 of a query that a of m documents answer."""
    likely, total = a / m, 0.0
    for r in range(1, min(10, m - a + 1) + 1):
        total += likely / r
        likely *= (m - r - a + 1) / (m - r) if r < m else 0.0
    return total


def decide(ranks: HeldOutRanks, *, is_identity: bool) -> Verdict:
    """Judge the chosen map on the test queries, by paired tests of MRR@10.

    A map has to beat the untouched vectors, or a random order where those cannot be compared. It
    has to beat the target encoder, where that is known. It must not lose to BM25, where there are
    texts. Where the identity ships, it is held against the target encoder in place of the map:
    between two encoders it is a pipeline, too.

    Args:
        is_identity: validation chose to change nothing.
    """
    if ranks.n < MIN_QUERIES:
        reason = f"{_queries(ranks)} are too few to tell; {MIN_QUERIES} are the least"
        verdict = Verdict("do not use", reason, None, False)
    elif ranks.base is not None and is_identity:
        reason = "no map beats the vectors as they are on validation"
        verdict = Verdict("do not use", reason, None, False)
    else:
        verdict = _of_map(ranks)
    if verdict.beats_base or ranks.base is None or ranks.target_encoder is None:
        return verdict
    return _of_identity(verdict, ranks.test(ranks.base, ranks.target_encoder))


def _of_map(ranks: HeldOutRanks) -> Verdict:
    """Hold a map against all that it has to beat, one after the other; the first loss counts."""
    outcome = _over_chance(ranks) if ranks.base is None else _over_base(ranks, ranks.base)
    if isinstance(outcome, _Win) and ranks.target_encoder is not None:
        outcome = _over_target_encoder(ranks, ranks.target_encoder)
    if isinstance(outcome, _Win) and ranks.bm25 is not None:
        outcome = _over_bm25(ranks, ranks.bm25, outcome)
    if isinstance(outcome, Verdict):
        return outcome
    if outcome.test is None:
        mean = mrr(ranks.chosen).mean()
        return Verdict("use", f"found where a random order would not be (MRR@10 {mean:.3f})", None)
    difference, p_value = outcome.test.difference, outcome.test.p_value
    reason = f"MRR@10 {difference:+.3f} over {outcome.rival} on {outcome.queries}, p={p_value:.4f}"
    return Verdict("use", reason, p_value)


def _over_base(ranks: HeldOutRanks, base: Ranks) -> _Win | Verdict:
    """Test against the untouched vectors, among all documents and among those not fitted."""
    test = ranks.test(ranks.chosen, base)
    if test.better and (kind := ranks.lost(ranks.chosen, base)):
        reason = f"the map helps on all questions together, but finds less on {kind}"
        return Verdict("do not use", reason, test.p_value, False)
    if test.better and (alone := _not_shown_alone(ranks.alone)):
        reason = (
            f"{_map(ranks)} may only lead queries away from the documents that it was fitted on: "
            f"it is not shown to help {ALONE} (MRR@10 {alone.difference:+.3f}, "
            f"p={alone.p_value:.3f}); more pairs may, or the texts of the index"
        )
        return Verdict("do not use", reason, test.p_value, False)
    if test.better:
        return _Win(test, "the untouched vectors", _queries(ranks))
    reason = (
        f"{_map(ranks)} is not shown to help on {_queries(ranks)} "
        f"(MRR@10 {test.difference:+.3f}, p={test.p_value:.3f}); more pairs may"
    )
    return Verdict("do not use", reason, test.p_value, False)


def _not_shown_alone(alone: HeldOutRanks | None) -> PairedTest | None:
    """Test a map where no document is one that it was fitted on; None where it gains there, too."""
    if alone is None or alone.base is None:
        return None
    test = alone.test(alone.chosen, alone.base)
    return None if test.difference > 0 and test.p_value < _LEVEL_ALONE else test


def _over_chance(ranks: HeldOutRanks) -> _Win | Verdict:
    """Test against a random order of the documents, of all and of the held-out ones alone."""
    # BM25 cannot stand in here: where no word is shared it finds nothing, and anything more.
    for among in (ranks, ranks.alone):
        if among is None:
            continue
        scores = {"mrr@10": mrr(among.chosen)}
        lower = bootstrap(scores, clusters=among.clusters, seed=0)["mrr@10"][0]
        chance = among.chance
        if lower <= (_of_random_order(1, len(among.chosen)) if chance is None else chance):
            return Verdict("do not use", "no better than a random order of the documents", None)
    return _Win(None, "", _queries(ranks))


def _over_target_encoder(ranks: HeldOutRanks, target_encoder: Ranks) -> _Win | Verdict:
    """Test against the target encoder, which reads the query itself."""
    test = ranks.test(ranks.chosen, target_encoder)
    if test.better:
        return _Win(test, OWN_ENCODER, _queries(ranks))
    on, advice = _queries(ranks), "try that encoder as source encoder, too"
    difference, p_value = test.difference, test.p_value
    reason = (
        f"{OWN_ENCODER} finds more on {on} (MRR@10 {difference:+.3f}, p={p_value:.3f}); {advice}"
        if test.worse
        else f"{OWN_ENCODER} is not shown to be beaten on {on} (MRR@10 {difference:+.3f}, "
        f"p={p_value:.3f}); {advice}"
    )
    return Verdict("do not use", reason, test.p_value)


def _over_bm25(ranks: HeldOutRanks, bm25: Ranks, win: _Win) -> _Win | Verdict:
    """Test against BM25: it must not find more, and has to be beaten where only chance is."""
    test = ranks.test(ranks.chosen, bm25)
    if test.worse:
        reason = f"BM25 alone finds more (MRR@10 {-test.difference:+.3f})"
        return Verdict("do not use", reason, test.p_value)
    if win.test is not None:
        return win
    if not test.better:
        reason = f"not shown to beat BM25 on {_queries(ranks)}"
        return Verdict("do not use", reason, test.p_value)
    return _Win(test, "BM25", win.queries)


def _of_identity(verdict: Verdict, test: PairedTest) -> Verdict:
    """Add to a verdict that ships the identity whether the target encoder finds more."""
    if not test.worse:
        return verdict
    reason = (
        f"{OWN_ENCODER} finds more than the untouched vectors "
        f"(MRR@10 {-test.difference:+.3f}, p={test.p_value:.4f}): ask the index with it"
    )
    return verdict._replace(reason=f"{verdict.reason}; {reason}", target_leads=True)


def _queries(ranks: HeldOutRanks) -> str:
    return f"{ranks.n} queries" if ranks.finished else f"{ranks.n} held-out queries"


def _map(ranks: HeldOutRanks) -> str:
    return "the map" if ranks.finished else "the map that led on validation"
