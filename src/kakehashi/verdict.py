"""The verdict of a fit: use the aligner, or do not, and why."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .evaluation.intervals import Clusters, Scores, paired_test
from .evaluation.metrics import per_query

Ranks = NDArray[np.intp]

MIN_QUERIES = 10


class Verdict(NamedTuple):
    """What is advised, the reason, and the p-value of the test behind it.

    ``beats_base`` is False where the untouched vectors can be compared and the map is not shown
    to be better: then the identity ships.
    """

    advice: Literal["use", "do not use"]
    reason: str
    p_value: float | None
    beats_base: bool = True


def judge(
    chosen: Ranks,
    base: Ranks | None,
    bm25: Ranks | None,
    *,
    is_identity: bool,
    clusters: Clusters = None,
) -> Verdict:
    """Judge the chosen rung on the test queries, by paired tests of MRR@10.

    It has to beat the untouched vectors, where those can be compared, and must not lose to BM25,
    where there are texts. With neither to compare with, it has to beat a random order.

    Args:
        chosen, base, bm25: rank of the relevant document for each of the n test queries.
        is_identity: validation chose to change nothing.
        clusters: the cluster of each query, for the paired tests.
    """
    n = len(chosen)
    if n < MIN_QUERIES:
        reason = f"{n} held-out queries are too few to tell; {MIN_QUERIES} are the least"
        return Verdict("do not use", reason, None, False)
    score = per_query(chosen)["mrr@10"]
    test, rival = None, "the untouched vectors"
    if base is not None:
        if is_identity:
            reason = "no rung beats the vectors as they are on validation"
            return Verdict("do not use", reason, None, False)
        test = paired_test(score, per_query(base)["mrr@10"], clusters=clusters)
        if not test.better:
            reason = (
                f"the rung that led on validation is not shown to help on {n} held-out queries "
                f"(MRR@10 {test.difference:+.3f}, p={test.p_value:.3f}); more pairs may"
            )
            return Verdict("do not use", reason, test.p_value, False)
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
        random_order = float(np.mean(1 / np.arange(1, n + 1)))
        if Scores.of_ranks(chosen, n, clusters=clusters).intervals["mrr@10"][0] <= random_order:
            return Verdict("do not use", "no better than a random order of the documents", None)
        reason = f"found where a random order would not be (MRR@10 {score.mean():.3f})"
        return Verdict("use", reason, None)
    reason = (
        f"MRR@10 {test.difference:+.3f} over {rival} on {n} held-out queries, p={test.p_value:.4f}"
    )
    return Verdict("use", reason, test.p_value)
