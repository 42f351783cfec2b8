"""Centroids of vectors that are means of many, so that none stands for one text."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..vectors import Float32Array, unit_rows

LEAST_MEMBERS = 8
"""Vectors that a centroid is the mean of, at least; twice as many are aimed at."""
NEAREST = 0.9
"""A centroid whose direction has this cosine with a vector is left out: its members are copies of
one text, or nearly."""
_ROUNDS = 6


def centroids(vectors: Float32Array) -> Float32Array:
    """Return the centroids of k-means over (n, d) unit vectors: (k, d), k at most n / 16.

    They start at vectors drawn with a fixed seed, so equal vectors give equal centroids.
    """
    k = len(vectors) // (2 * LEAST_MEMBERS)
    if k < 1:
        return vectors[:0]
    start = np.random.default_rng(0).choice(len(vectors), k, replace=False)
    centres = vectors[np.sort(start)]
    for _ in range(_ROUNDS):
        centres, counts = _moved(vectors, centres)
    means = centres[counts >= LEAST_MEMBERS]
    nearest = (unit_rows(means) @ vectors.T).max(axis=1, initial=-1)
    return np.ascontiguousarray(means[nearest < NEAREST])


def _moved(vectors: Float32Array, centres: Float32Array) -> tuple[Float32Array, NDArray[np.intp]]:
    """Move each centre to the mean of the vectors nearest to it; return the number of these, too.

    A centre without any is dropped.
    """
    half_squares = np.einsum("ij,ij->i", centres, centres) / 2
    nearest = (vectors @ centres.T - half_squares).argmax(axis=1)
    order = np.argsort(nearest, kind="stable")
    _, starts, counts = np.unique(nearest[order], return_index=True, return_counts=True)
    sums = np.add.reduceat(vectors[order], starts, axis=0, dtype=np.float64)
    return (sums / counts[:, None]).astype(np.float32), counts
