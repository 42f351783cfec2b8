"""Coordinates in an orthonormal basis: a map is solved in few dimensions, and lifted to all.

Few rows span few directions, and of many dimensions the leading ones hold nearly all variance. Let
B (d, r) have orthonormal columns and z = B'x be the coordinates of a unit row x. A closed form over
the coordinates gives a map W of them. What lies outside of the basis it has not seen; there the
prior decides: with the identity as a prior it is a multiple of the identity, else it is zero.

    keep:    x -> B_x W B_y' + outside * (I - B B')         (one B where both sides share a space)
    shared:  x -> [ B_x W ;  outside * C ]                  C (d, d - r) completes the basis

Where B spans all rows of a fit, this is the map that all d dimensions would have given.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..vectors import Float32Array, FloatArray, unit_rows
from .head import AffineHead

Matrix = NDArray[np.float64]

_OVERSAMPLED, _POWER_STEPS = 32, 2


@dataclass(frozen=True, eq=False)
class CoordinateHead(AffineHead):
    """A head over coordinates of unit rows, which are shorter than one and not scaled again.

    Attributes:
        outside: what the directions outside of the basis are multiplied by.
    """

    outside: float = 0.0

    def __call__(self, x: Float32Array) -> Float32Array:
        """Project (n, r) float32 -> (n, d_out) float32 of unit length; nothing serves so."""
        return self.roughly(x)

    def roughly(self, x: Float32Array) -> Float32Array:
        """Project (n, r) float32 -> (n, d_out) float32 of unit length."""
        return unit_rows(x @ self.weight + self.bias)


@dataclass(frozen=True, eq=False)
class Basis:
    """Orthonormal directions of what is read of a side; None leaves a block as it is.

    Attributes:
        vectors: (d, r) float32, of the encoder's vectors.
        ngrams: (b, k) float32, of the n-grams beside them.
    """

    vectors: Float32Array | None = None
    ngrams: Float32Array | None = None

    @cached_property
    def rest(self) -> Matrix:
        """The orthonormal directions that the vectors leave out, (d, d - r); all maps share it."""
        return complement(self._vectors)

    @cached_property
    def outside(self) -> Matrix:
        """What takes a vector to its part outside of the basis, (d, d): I - B B'."""
        whole = self._vectors.astype(np.float64)
        return np.eye(len(whole)) - whole @ whole.T

    @property
    def _vectors(self) -> Float32Array:
        assert self.vectors is not None
        return self.vectors

    def of(self, x: Float32Array, width: int) -> Float32Array:
        """Return the coordinates of (n, d + b) rows, of which ``width`` = d are the vectors."""
        parts = [(x[:, :width], self.vectors), (x[:, width:], self.ngrams)]
        return np.hstack([part if b is None else part @ b for part, b in parts])

    def lifted(self, weight: FloatArray, width: int) -> Matrix:
        """Return a map (r + k, m) of coordinates as one of rows, (d + b, m).

        Args:
            width: r, coordinates of the vectors.
        """
        parts = [(weight[:width], self.vectors), (weight[width:], self.ngrams)]
        return np.vstack([w if b is None else b.astype(np.float64) @ w for w, b in parts])


def leading(rows: Float32Array, k: int, seed: int) -> Float32Array:
    """Return k orthonormal directions that hold the most of (n, d) rows, (d, k) float32.

    They are the span of the rows where there are no more than k of them. Otherwise subspace
    iteration finds them from a seeded start (Halko, Martinsson & Tropp, SIAM Review 2011, algorithm
    4.4), in memory that grows with n + d.

    Args:
        seed: must differ between the two sides of pairs. Else coordinate i of both sides would be
            made of the same rows, and tell which held-out row belongs to which.
    """
    rng = np.random.default_rng(seed)
    if len(rows) <= k:
        mixed = rows.T.astype(np.float64) @ rng.standard_normal((len(rows), len(rows)))
        return np.ascontiguousarray(np.linalg.qr(mixed)[0], np.float32)
    start = rng.standard_normal((rows.shape[1], k + _OVERSAMPLED))
    found = np.linalg.qr(start.astype(np.float32))[0]
    for _ in range(_POWER_STEPS):
        found = np.linalg.qr(rows.T @ (rows @ found))[0]
    found = np.linalg.qr(found.astype(np.float64))[0]
    within = rows @ found.astype(np.float32)
    _, turn = np.linalg.eigh((within.T @ within).astype(np.float64))
    return np.ascontiguousarray(found @ turn[:, ::-1][:, :k], np.float32)


def complement(basis: FloatArray) -> Matrix:
    """Return the orthonormal directions that a basis (d, r) leaves out, (d, d - r)."""
    return np.linalg.qr(basis.astype(np.float64), mode="complete")[0][:, basis.shape[1] :]
