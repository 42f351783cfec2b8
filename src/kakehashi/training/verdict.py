"""The verdict of a fit: use the aligner, or do not, and why."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..metrics.ranking import per_query
from ..metrics.relevance import Clusters, Relevance
from ..metrics.statistics import PairedTest, bootstrap, paired_test

Ranks = NDArray[np.intp]

MIN_QUERIES = 10
FEW_QUERIES = 50
_OF_MANY = 0.01
"""Level of the test that also counts the folds: there the choice was the best of many."""


class Evidence(NamedTuple):
    """What cross-validation found.

    Attributes:
        gains: (n,) MRR@10 of the chosen rung less that of the base, of each query of the folds.
        clusters: of the queries of the test part and then those of the folds.
    """

    gains: NDArray[np.float64]
    clusters: Clusters


def by_chance(relevance: Relevance | None, n: int) -> float:
    """Return the mean MRR@10 of documents in random order.

    With a of m documents answering, the best stands at rank r with probability
    p(r) = C(m - r, a - 1) / C(m, a): p(1) = a / m, p(r + 1) = p(r) (m - r - a + 1) / (m - r).
    (The binomials themselves are no floats where hundreds answer.)
    """
    m = n if relevance is None else len(relevance.pool)
    sizes = np.ones(n, int) if relevance is None else np.array([len(a) for a in relevance.answers])
    expected = {a: _of_random_order(a, m) for a in map(int, np.unique(sizes))}
    return float(np.mean([expected[int(a)] for a in sizes]))


def _of_random_order(a: int, m: int) -> float:
    """Return the mean MRR@10 of a query that a of m documents answer."""
    likely, total = a / m, 0.0
    for r in range(1, min(10, m - a + 1) + 1):
        total += likely / r
        likely *= (m - r - a + 1) / (m - r) if r < m else 0.0
    return total


class Verdict(NamedTuple):
    """What is advised, the reason, and the p-value of the test behind it.

    ``beats_base`` is False where the untouched vectors can be compared and the map is not shown
    to be better: then the identity ships. ``target_leads`` says of an identity that the target
    encoder by itself finds more.
    """

    advice: Literal["use", "do not use"]
    reason: str
    p_value: float | None
    beats_base: bool = True
    target_leads: bool = False


def judge(
    chosen: Ranks,
    base: Ranks | None,
    bm25: Ranks | None,
    *,
    is_identity: bool,
    target_encoder: Ranks | None = None,
    n_questions: int | None = None,
    relevance: Relevance | None = None,
    clusters: Clusters = None,
    folds: Evidence | None = None,
) -> Verdict:
    """Judge the chosen rung on the test queries, by paired tests of MRR@10.

    It has to beat the untouched vectors, or a random order where those cannot be compared; where
    it is known, what the target encoder finds by itself; and it must not lose to BM25, where there
    are texts. Where the identity ships, it is held against the target encoder in place of the map:
    between two encoders it is a pipeline, too.

    Args:
        chosen, base, bm25, target_encoder: rank of the best answer to each of the n test queries.
        relevance: the pool, and how many of it answer each query; by default n documents, of
            which one answers.
        is_identity: validation chose to change nothing.
        n_questions: how many of the queries are different; by default all.
        clusters: the cluster of each query; they are resampled and tested whole.
        folds: what cross-validation found. Fewer than fifty test queries can hardly show anything
            by themselves; there the folds count, too, at a stricter level, unless the test
            queries speak against them.
    """
    n = len(chosen) if n_questions is None else n_questions
    if n < MIN_QUERIES:
        reason = f"{n} held-out queries are too few to tell; {MIN_QUERIES} are the least"
        verdict = Verdict("do not use", reason, None, False)
    elif base is not None and is_identity:
        reason = "no rung beats the vectors as they are on validation"
        verdict = Verdict("do not use", reason, None, False)
    else:
        verdict = _of_map(chosen, base, bm25, target_encoder, n, relevance, clusters, folds)
    if verdict.beats_base or base is None or target_encoder is None:
        return verdict
    return _of_identity(verdict, base, target_encoder, clusters)


def _of_map(
    chosen: Ranks,
    base: Ranks | None,
    bm25: Ranks | None,
    target_encoder: Ranks | None,
    n: int,
    relevance: Relevance | None,
    clusters: Clusters,
    folds: Evidence | None,
) -> Verdict:
    """Hold a map against all that it has to beat, one after the other."""
    score = per_query(chosen)["mrr@10"]
    if base is not None:
        gains = score - per_query(base)["mrr@10"]
        won = _over_base(gains, n, clusters, folds if n < FEW_QUERIES else None)
    else:
        won = _over_chance(score, n, relevance, clusters)
    if not isinstance(won, Verdict) and target_encoder is not None:
        won = _over_target(score - per_query(target_encoder)["mrr@10"], n, clusters)
    if isinstance(won, Verdict):
        return won
    test, rival, judges = won
    if bm25 is not None:
        against = paired_test(score, per_query(bm25)["mrr@10"], clusters=clusters)
        if against.worse:
            reason = f"BM25 alone finds more (MRR@10 {-against.difference:+.3f})"
            return Verdict("do not use", reason, against.p_value)
        if test is None and not against.better:
            reason = f"not shown to beat BM25 on {n} held-out queries"
            return Verdict("do not use", reason, against.p_value)
        if test is None:
            test, rival = against, "BM25"
    if test is None:
        reason = f"found where a random order would not be (MRR@10 {score.mean():.3f})"
        return Verdict("use", reason, None)
    reason = f"MRR@10 {test.difference:+.3f} over {rival} on {judges}, p={test.p_value:.4f}"
    return Verdict("use", reason, test.p_value)


class _Won(NamedTuple):
    """What the chosen rung has beaten, by which test, and on which queries."""

    test: PairedTest | None
    rival: str
    judges: str


def _over_base(
    gains: NDArray[np.float64], n: int, clusters: Clusters, folds: Evidence | None
) -> _Won | Verdict:
    """Test the gains over the untouched vectors."""
    test, judges = paired_test(gains, np.zeros_like(gains), clusters=clusters), _queries(n)
    if folds is not None:
        pooled = _with_folds(test, gains, folds)
        judges += "" if pooled is test else f" and {len(folds.gains)} of the folds"
        test = pooled
    if test.better:
        return _Won(test, "the untouched vectors", judges)
    reason = (
        f"the rung that led on validation is not shown to help on {_queries(n)} "
        f"(MRR@10 {test.difference:+.3f}, p={test.p_value:.3f}); more pairs may"
    )
    return Verdict("do not use", reason, test.p_value, False)


def _over_chance(
    score: NDArray[np.float64], n: int, relevance: Relevance | None, clusters: Clusters
) -> _Won | Verdict:
    """Test against a random order of the documents."""
    # BM25 cannot stand in here: where no word is shared it finds nothing, and anything more.
    lower = bootstrap({"mrr@10": score}, clusters=clusters, seed=0)["mrr@10"][0]
    if lower <= by_chance(relevance, len(score)):
        return Verdict("do not use", "no better than a random order of the documents", None)
    return _Won(None, "", _queries(n))


def _over_target(gains: NDArray[np.float64], n: int, clusters: Clusters) -> _Won | Verdict:
    """Test the gains over the target encoder, asked by itself."""
    test = paired_test(gains, np.zeros_like(gains), clusters=clusters)
    if test.better:
        return _Won(test, "the target encoder alone", _queries(n))
    found = "finds more by itself" if test.worse else "is not shown to be beaten"
    reason = (
        f"the target encoder {found} on {_queries(n)} (MRR@10 {test.difference:+.3f}, "
        f"p={test.p_value:.3f}); try it as source encoder, too"
    )
    return Verdict("do not use", reason, test.p_value)


def _of_identity(
    verdict: Verdict, base: Ranks, target_encoder: Ranks, clusters: Clusters
) -> Verdict:
    """Add to a verdict that ships the identity whether the target encoder finds more."""
    ours, theirs = (per_query(ranks)["mrr@10"] for ranks in (base, target_encoder))
    test = paired_test(ours, theirs, clusters=clusters)
    if not test.worse:
        return verdict
    reason = (
        f"{verdict.reason}; the target encoder by itself finds more than the untouched vectors "
        f"(MRR@10 {-test.difference:+.3f}, p={test.p_value:.4f}): ask the index with it"
    )
    return verdict._replace(reason=reason, target_leads=True)


def _queries(n: int) -> str:
    return f"{n} held-out queries"


def _with_folds(test: PairedTest, gains: NDArray[np.float64], folds: Evidence) -> PairedTest:
    """Return the test of both where it shows more, and the test queries do not speak against it."""
    every = np.concatenate([gains, folds.gains])
    pooled = paired_test(every, np.zeros_like(every), clusters=folds.clusters)
    shown = test.difference > 0 and pooled.better and pooled.p_value < _OF_MANY
    return pooled if shown else test
