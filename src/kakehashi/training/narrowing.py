"""Fewer directions to search settings in, which takes a third of the time.

They hold nearly all variance, and tell settings apart as well as all directions do. The best
settings are scored again in all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..projection.coordinates import Basis, Matrix
from ..projection.moments import Moments
from ..types import SIDES, Side
from ..vectors import Float32Array, squared_norms, unit_rows
from .feature_data import HeldOutPart, HeldOutQueries, TrainStatistics
from .features import FeatureSet, prior_of

NARROW_VECTORS, NARROW_NGRAMS = 256, 128


def narrowed(features: FeatureSet, parts: list[HeldOutPart], every: Moments) -> list[HeldOutPart]:
    """Return the parts in the leading directions of some sums; as they are, if these are few.

    Args:
        features: what the parts read.
        every: sums over all rows of the parts.
    """
    n_ngrams = {side: features.n_ngrams(side) for side in SIDES}
    second = {"source": every.xx, "target": every.yy}
    n_vectors = {side: len(second[side]) - n_ngrams[side] for side in SIDES}
    widest = max(n_vectors.values()), max(n_ngrams.values())
    if widest[0] <= NARROW_VECTORS and widest[1] <= NARROW_NGRAMS:
        return parts
    vectors = _leading(
        {s: second[s][: n_vectors[s], : n_vectors[s]] for s in SIDES},
        NARROW_VECTORS,
        together=features.same_space,
    )
    ngrams = _leading(
        {s: second[s][n_vectors[s] :, n_vectors[s] :] for s in SIDES},
        NARROW_NGRAMS,
        together=all(n_ngrams.values()),
    )
    narrow = replace(
        features,
        basis={s: Basis(_single(vectors[s]), _single(ngrams[s])) for s in SIDES},
        prior=prior_of(
            {s: vectors[s].shape[1] for s in SIDES},
            {s: ngrams[s].shape[1] for s in SIDES if s in features.ngrams},
            same_space=features.same_space,
        ),
        dimensions=features.dimensions or (len(every.sum_x), len(every.sum_y)),
    )
    blocks = [(vectors[s], ngrams[s]) for s in SIDES]
    queries = _queries([part.queries for part in parts], features, narrow)
    return [
        HeldOutPart(_statistics(part.statistics, narrow, *blocks), asked)
        for part, asked in zip(parts, queries, strict=True)
    ]


def _leading(second: dict[str, Matrix], k: int, *, together: bool) -> dict[str, Matrix]:
    """Return the k leading directions of second moments, of each side or of both as one."""
    if together:
        basis = _directions(sum(second.values()), k)  # type: ignore[arg-type]  # matrices add up
        return dict.fromkeys(second, basis)
    return {side: _directions(moments, k) for side, moments in second.items()}


def _directions(second: Matrix, k: int) -> Matrix:
    if len(second) <= k:
        return np.eye(len(second))
    vectors: Matrix = np.linalg.eigh(second)[1][:, ::-1]
    return vectors[:, :k]


def _statistics(
    statistics: TrainStatistics, narrow: FeatureSet, of_x: Sequence[Matrix], of_y: Sequence[Matrix]
) -> TrainStatistics:
    sources = {name: sums.turned(of_x, of_y) for name, sums in statistics.sources.items()}
    moments = statistics.moments.turned(of_x, of_y)
    return replace(statistics, features=narrow, moments=moments, sources=sources, _spectra={})


def _queries(
    queries: list[HeldOutQueries], features: FeatureSet, narrow: FeatureSet
) -> list[HeldOutQueries]:
    """Turn the questions of all parts, and once the documents that they share."""
    documents, lengths = queries[0].documents, queries[0].lengths
    if lengths is None:
        lengths = np.sqrt(squared_norms(documents))

    def coordinates(rows: Float32Array, side: Side) -> Float32Array:
        return narrow.basis[side].of(rows, rows.shape[1] - features.n_ngrams(side))

    turned = coordinates(documents, "target")
    return [
        HeldOutQueries(
            coordinates(part.source if features.basis else unit_rows(part.source), "source"),
            turned,
            part.relevance,
            lengths,
        )
        for part in queries
    ]


def _single(matrix: Matrix) -> Float32Array:
    return matrix.astype(np.float32)
