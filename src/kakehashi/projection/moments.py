"""Sums over rows: all that a closed form needs to know of the training pairs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..vectors import FloatArray, chunks, unit_rows

Matrix = NDArray[np.float64]

_SVDS_KEPT = 8  # of 384 dimensions, 2.4 MB each, for every fold


@dataclass(frozen=True, eq=False)
class Moments:
    """Count, sums and sums of products of n pairs of unit vectors (float64).

    They add up: moments of two disjoint sets of rows, added, are the moments of their union, and
    subtracting a fold leaves the moments of all other folds. So a million pairs are read once, in
    chunks, and a fold costs its own rows only.
    """

    n: int
    sum_x: Matrix
    sum_y: Matrix
    xx: Matrix
    yy: Matrix
    xy: Matrix

    @classmethod
    def of(
        cls, source: FloatArray, target: FloatArray, rows: NDArray[np.intp] | None = None
    ) -> Moments:
        """Accumulate (n, d_x) and (n, d_y) vectors, or the given rows of them, in chunks.

        Each row is scaled to length one. A chunk's products are taken in float32 and summed in
        float64: the rounding error stays that of one chunk, however many there are.
        """
        n = len(source) if rows is None else len(rows)
        dx, dy = source.shape[1], target.shape[1]
        sum_x, sum_y = np.zeros(dx), np.zeros(dy)
        xx, yy, xy = np.zeros((dx, dx)), np.zeros((dy, dy)), np.zeros((dx, dy))
        for part in chunks(n):
            which: Any = part if rows is None else rows[part]
            x = unit_rows(np.asarray(source[which], dtype=np.float32))
            y = unit_rows(np.asarray(target[which], dtype=np.float32))
            sum_x += x.sum(axis=0, dtype=np.float64)
            sum_y += y.sum(axis=0, dtype=np.float64)
            xx += x.T @ x
            yy += y.T @ y
            xy += x.T @ y
        return cls(n, sum_x, sum_y, xx, yy, xy)

    def __add__(self, other: Moments) -> Moments:
        return self._combine(other, +1)

    def __sub__(self, other: Moments) -> Moments:
        return self._combine(other, -1)

    def _combine(self, other: Moments, sign: int) -> Moments:
        return Moments(
            self.n + sign * other.n,
            self.sum_x + sign * other.sum_x,
            self.sum_y + sign * other.sum_y,
            self.xx + sign * other.xx,
            self.yy + sign * other.yy,
            self.xy + sign * other.xy,
        )


class Spectrum:
    """Means, covariances and their decompositions, each computed once and shared by all rungs.

    Attributes:
        mean_x, mean_y: (d_x,), (d_y,).
        cxx, cyy, cxy: covariances, (d_x, d_x), (d_y, d_y), (d_x, d_y).
        scale_x, scale_y: mean variance of a dimension, the unit of every regularisation strength.
    """

    def __init__(self, moments: Moments) -> None:
        n = moments.n
        self.mean_x, self.mean_y = moments.sum_x / n, moments.sum_y / n
        self.cxx = moments.xx / n - np.outer(self.mean_x, self.mean_x)
        self.cyy = moments.yy / n - np.outer(self.mean_y, self.mean_y)
        self.cxy = moments.xy / n - np.outer(self.mean_x, self.mean_y)
        # Pairs that are all equal have no variance; a tiny scale keeps every formula defined.
        self.scale_x = max(float(np.trace(self.cxx)) / len(self.cxx), 1e-12)
        self.scale_y = max(float(np.trace(self.cyy)) / len(self.cyy), 1e-12)
        self._svds: dict[tuple[float, float, float], tuple[Matrix, Matrix, Matrix]] = {}

    @cached_property
    def eigen_x(self) -> tuple[Matrix, Matrix]:
        """Eigenvalues (d_x,) and eigenvectors (d_x, d_x) of the source covariance."""
        return _eigen(self.cxx)

    @cached_property
    def eigen_y(self) -> tuple[Matrix, Matrix]:
        """Eigenvalues (d_y,) and eigenvectors (d_y, d_y) of the target covariance."""
        return _eigen(self.cyy)

    @cached_property
    def cross_svd(self) -> tuple[Matrix, Matrix, Matrix]:
        """U (d_x, k), singular values (k,) and V (d_y, k) of the cross-covariance."""
        return _svd(self.cxy)

    def whitened_svd(
        self, reg_source: float, reg_target: float, prior: float
    ) -> tuple[Matrix, Matrix, Matrix]:
        """Canonical directions A (d_x, k), correlations s (k,), B (d_y, k); see ``cca.cca``.

        The last few are kept: settings that differ in their power alone share one.
        """
        setting = (reg_source, reg_target, prior)
        if setting not in self._svds:
            if len(self._svds) >= _SVDS_KEPT:
                self._svds.pop(next(iter(self._svds)))
            self._svds[setting] = self._whitened_svd(*setting)
        return self._svds[setting]

    def _whitened_svd(
        self, reg_source: float, reg_target: float, prior: float
    ) -> tuple[Matrix, Matrix, Matrix]:
        lx, qx = self.eigen_x
        ly, qy = self.eigen_y
        white_x = qx / np.sqrt(lx + reg_source * self.scale_x)
        white_y = qy / np.sqrt(ly + reg_target * self.scale_y)
        cross = self.cxy
        if prior:
            cross = cross + prior * np.sqrt(self.scale_x * self.scale_y) * np.eye(len(cross))
        u, s, v = _svd(white_x.T @ cross @ white_y)
        return white_x @ u, s, white_y @ v


def _eigen(covariance: Matrix) -> tuple[Matrix, Matrix]:
    values, vectors = np.linalg.eigh(covariance)
    return values.clip(0), vectors  # rounding leaves tiny negative values


def _svd(matrix: Matrix) -> tuple[Matrix, Matrix, Matrix]:
    u, s, vt = np.linalg.svd(matrix, full_matrices=False)
    return u, s, vt.T
