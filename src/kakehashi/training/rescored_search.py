"""A search by one map whose first hits a second map orders again, as held-out questions see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..metrics.ranking import ranks, reciprocal
from ..metrics.relevance import Clusters, Relevance
from ..metrics.rescored import FirstHits, are_answers, first_hits, score_hits
from ..projection import Projection
from ..types import Metric
from .feature_data import HeldOutQueries
from .map_ranks import compared
from .setting_search import leads

N_HITS = (20, 50, 100)
"""Numbers of hits that may be ordered again."""

Asked = tuple[Projection, HeldOutQueries]
"""A map, and questions that it has not seen, as it reads them."""


def hits_of(first: Asked, second: Asked, metric: Metric) -> FirstHits:
    """Return the first hits of questions, with both orders.

    Args:
        first, second: a map of ``keep`` mode, and one of ``shared`` mode, with the same questions.
    """
    relevance = first[1].relevance
    queries, documents, way = compared(*first, metric, roughly=True)
    hits = first_hits(queries, documents, way, N_HITS[-1])
    kept = ranks(queries, documents, way, relevance=relevance)
    asked, again, _ = compared(*second, metric, roughly=True)
    scores = score_hits(asked, again, hits)
    return FirstHits(kept, hits, scores, are_answers(hits, relevance.answers))


def asked_among(queries: HeldOutQueries, relevance: Relevance) -> HeldOutQueries:
    """Return the first questions, asked among some of the documents.

    Args:
        relevance: the documents that are searched, and the answers to the first questions.
    """
    n, rows = len(relevance.answers), relevance.pool
    whole = Relevance(np.arange(len(rows)), relevance.answers)
    if len(rows) == len(queries.documents):
        return replace(queries, source=queries.source[:n], relevance=whole)
    lengths = None if queries.lengths is None else queries.lengths[rows]
    return HeldOutQueries(queries.source[:n], queries.documents[rows], whole, lengths)


def choose_n_hits(hits: Sequence[FirstHits], clusters: Clusters) -> int:
    """Return the least number of hits that loses nothing beyond noise.

    The noise is two standard errors of the mean difference to the best number.

    Args:
        hits: of each part.
        clusters: of the questions of all parts.
    """
    found = {n: np.concatenate([reciprocal(part.rescored(n)) for part in hits]) for n in N_HITS}
    best = max(found.values(), key=lambda per_query: float(per_query.mean()))
    return next(n for n in N_HITS if not leads(best - found[n], clusters, 2.0))
