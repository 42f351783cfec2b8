"""Where a map ranks the answers to held-out questions."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from ..metrics.ranking import ranks, reciprocal
from ..projection import Projection
from ..types import Metric
from ..vectors import Float32Array
from .feature_data import HeldOutPart, HeldOutQueries

PerQuery = NDArray[np.float64]


def reciprocal_ranks(
    parts: list[HeldOutPart], projections: Iterable[list[Projection]], metric: Metric
) -> list[PerQuery]:
    """Return the reciprocal rank of every validation query, once for each map.

    Args:
        projections: for each part the same maps, built without it. A generator builds the maps of
            one part while they are needed.
    """
    by_part = [
        [reciprocal(rank(p, part.queries, metric, roughly=True)) for p in of_part]
        for part, of_part in zip(parts, projections, strict=True)
    ]
    return [np.concatenate(of_map) for of_map in zip(*by_part, strict=True)]


def rank(
    projection: Projection, held_out: HeldOutQueries, metric: Metric, *, roughly: bool = False
) -> NDArray[np.intp]:
    """Rank as a store would: from the vectors of queries and the vectors that it holds."""
    queries, documents, metric = compared(projection, held_out, metric, roughly=roughly)
    return ranks(queries, documents, metric, relevance=held_out.relevance)


def compared(
    projection: Projection, held_out: HeldOutQueries, metric: Metric, *, roughly: bool = False
) -> tuple[Float32Array, Float32Array, Metric]:
    """Return the vectors of queries (n, d) and of documents (m, d), and how they are compared."""
    documents, lengths = held_out.documents, held_out.lengths
    if lengths is not None and (projection.target is not None or metric == "cosine"):
        documents = documents / lengths[:, None]
        metric = "ip"
    queries = projection(held_out.source, modality="source", role="query", roughly=roughly)
    documents = projection(documents, modality="target", role="document", roughly=roughly)
    return queries, documents, metric
