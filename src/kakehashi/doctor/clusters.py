"""Spherical k-means: small groups of documents that lie in one direction."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..vectors import Float32Array, unit_rows

_ROUNDS = 12


def clusters_of(unit: Float32Array, k: int, seed: int = 0) -> NDArray[np.intp]:
    """Return the cluster of each of n unit rows, (n,) from 0 to k - 1; some may be empty.

    Spherical k-means (Dhillon & Modha, Machine Learning 42, 2001), started as k-means++ (Arthur &
    Vassilvitskii, SODA 2007): a row that is far from all centres is likely to become one, so a few
    rows of another model get clusters of their own.
    """
    centres = _first_centres(unit, k, seed)
    labels = np.argmax(unit @ centres.T, axis=1)
    for _ in range(_ROUNDS):
        sums = np.zeros_like(centres)
        np.add.at(sums, labels, unit)
        filled = np.bincount(labels, minlength=k) > 0
        centres[filled] = unit_rows(sums[filled])
        before, labels = labels, np.argmax(unit @ centres.T, axis=1)
        if np.array_equal(before, labels):
            break
    return np.asarray(labels, np.intp)


def _first_centres(unit: Float32Array, k: int, seed: int) -> Float32Array:
    rng = np.random.default_rng(seed)
    centres = np.empty((k, unit.shape[1]), np.float32)
    centres[0] = unit[rng.integers(len(unit))]
    distances = np.ones(len(unit))
    for i in range(1, k):
        cosines = unit @ centres[i - 1]
        distances = np.minimum(distances, np.maximum(1 - cosines, 0)) if i > 1 else 1 - cosines
        weights = np.maximum(distances, 0).astype(np.float64)
        total = weights.sum()
        row = rng.choice(len(unit), p=weights / total) if total > 0 else rng.integers(len(unit))
        centres[i] = unit[row]
    return centres
