"""Sums over rows: a closed form needs nothing else of the training pairs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..vectors import FloatArray, chunks, unit_rows
from .coordinates import CoordinateHead
from .head import AffineHead

Matrix = NDArray[np.float64]

_OVERSAMPLED, _POWER_STEPS, _NEGLIGIBLE = 32, 2, 1e-6
_FEW = 3  # times the wanted directions: of fewer, all eigenvectors take less time than iterations
_SVDS_KEPT = 8  # of 384 dimensions, 2.4 MB each, for every fold
_WHITENINGS_KEPT = 4
_SMALL = 64  # dimensions below which halves cost more than they save
_ROUNDING = 1e-6  # ten times what single precision leaves in a covariance of unit rows


@dataclass(frozen=True, eq=False)
class Moments:
    """Count, sums and sums of products of n pairs of unit vectors (float64).

    They add up: the sum of the moments of two disjoint sets is the moments of their union.
    Subtracting a fold leaves the moments of all other folds. So a million pairs are read once, in
    chunks, and a fold costs only its own rows.
    """

    n: float
    sum_x: Matrix
    sum_y: Matrix
    xx: Matrix
    yy: Matrix
    xy: Matrix

    @classmethod
    def of(
        cls,
        source: FloatArray,
        target: FloatArray,
        rows: NDArray[np.intp] | None = None,
        *,
        scaled: bool = True,
    ) -> Moments:
        """Accumulate (n, d_x) and (n, d_y) vectors, or the given rows of them, in chunks.

        A chunk's products are taken in float32 and summed in float64: the rounding error stays
        that of one chunk, however many there are.

        Args:
            scaled: whether each row is scaled to length one; coordinates of unit rows are not.
        """
        n = len(source) if rows is None else len(rows)
        dx, dy = source.shape[1], target.shape[1]
        sum_x, sum_y = np.zeros(dx), np.zeros(dy)
        xx, yy, xy = np.zeros((dx, dx)), np.zeros((dy, dy)), np.zeros((dx, dy))
        for part in chunks(n):
            which: Any = part if rows is None else rows[part]
            x = np.asarray(source[which], dtype=np.float32)
            y = np.asarray(target[which], dtype=np.float32)
            if scaled:
                x, y = unit_rows(x), unit_rows(y)
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

    def centred(self) -> Moments:
        """Return the moments of the same rows with their means taken away."""
        return Moments(
            self.n,
            np.zeros_like(self.sum_x),
            np.zeros_like(self.sum_y),
            self.xx - np.outer(self.sum_x, self.sum_x) / self.n,
            self.yy - np.outer(self.sum_y, self.sum_y) / self.n,
            self.xy - np.outer(self.sum_x, self.sum_y) / self.n,
        )

    def around(self, mean_x: Matrix, mean_y: Matrix) -> Moments:
        """Return moments of the same covariances around other means, (d_x,) and (d_y,)."""
        n, here = self.n, self.centred()
        return Moments(
            n,
            mean_x * n,
            mean_y * n,
            here.xx + n * np.outer(mean_x, mean_x),
            here.yy + n * np.outer(mean_y, mean_y),
            here.xy + n * np.outer(mean_x, mean_y),
        )

    def pooled(self, others: Iterable[tuple[Moments, float]]) -> Moments:
        """Add the covariances of other sets, each of which counts as so many pairs of this one.

        Each set varies around its own mean, because texts of two languages or fields lie apart.
        The means stay those of this set.
        """
        mine, n = self.centred(), self.n
        xx, yy, xy = mine.xx, mine.yy, mine.xy
        for other, weight in others:
            around, scale = other.centred(), weight / other.n
            xx, yy, xy = xx + scale * around.xx, yy + scale * around.yy, xy + scale * around.xy
            n += weight
        mean_x, mean_y = self.sum_x / self.n, self.sum_y / self.n
        return Moments(
            n,
            mean_x * n,
            mean_y * n,
            xx + n * np.outer(mean_x, mean_x),
            yy + n * np.outer(mean_y, mean_y),
            xy + n * np.outer(mean_x, mean_y),
        )

    def weighted(self, x: Matrix, y: Matrix) -> Moments:
        """Return the moments of the same rows with each dimension multiplied: (d_x,), (d_y,)."""
        return Moments(
            self.n,
            self.sum_x * x,
            self.sum_y * y,
            self.xx * np.outer(x, x),
            self.yy * np.outer(y, y),
            self.xy * np.outer(x, y),
        )

    def turned(self, x: Sequence[Matrix], y: Sequence[Matrix]) -> Moments:
        """Return the moments of the coordinates of the same rows.

        Args:
            x, y: of each side a basis (d, r) for one block of dimensions after the other.
        """
        return Moments(
            self.n,
            _turned(self.sum_x, x),
            _turned(self.sum_y, y),
            _turned(_turned(self.xx, x).T, x).T,
            _turned(_turned(self.yy, y).T, y).T,
            _turned(_turned(self.xy, y).T, x).T,
        )


def _turned(rows: Matrix, bases: Sequence[Matrix]) -> Matrix:
    """Return the coordinates of (..., d) rows, block by block."""
    ends = np.cumsum([len(basis) for basis in bases])
    blocks = np.split(rows, ends[:-1], axis=-1)
    return np.concatenate([b @ basis for b, basis in zip(blocks, bases, strict=True)], axis=-1)


class Spectrum:
    """Means, covariances and their decompositions, each computed once and shared by all candidates.

    Attributes:
        mean_x, mean_y: (d_x,), (d_y,).
        cxx, cyy, cxy: covariances, (d_x, d_x), (d_y, d_y), (d_x, d_y).
        scale_x, scale_y: mean variance of a dimension, the unit of every regularisation strength.
        prior: (d_x, d_y), the map before any pair is seen: ones where both sides have the same
            feature, zero elsewhere. The identity by default.
        dimensions: d_x and d_y; where the moments are those of coordinates, what they stand for.
    """

    def __init__(
        self,
        moments: Moments,
        prior: Matrix | None = None,
        *,
        dimensions: tuple[int, int] | None = None,
    ) -> None:
        n = moments.n
        self._in_coordinates = dimensions is not None
        self.prior = np.eye(len(moments.sum_x), len(moments.sum_y)) if prior is None else prior
        self.mean_x, self.mean_y = moments.sum_x / n, moments.sum_y / n
        self.cxx = moments.xx / n - np.outer(self.mean_x, self.mean_x)
        self.cyy = moments.yy / n - np.outer(self.mean_y, self.mean_y)
        self.cxy = moments.xy / n - np.outer(self.mean_x, self.mean_y)
        # Pairs that are all equal have no variance; a tiny scale keeps every formula defined.
        dx, dy = dimensions or self.cxy.shape
        self.scale_x = max(float(np.trace(self.cxx)) / dx, 1e-12)
        self.scale_y = max(float(np.trace(self.cyy)) / dy, 1e-12)
        self._svds: dict[tuple[Any, ...], tuple[Matrix, Matrix, Matrix]] = {}
        self._whitenings: dict[tuple[str, float], Matrix] = {}

    def head(self, weight: Matrix, bias: Matrix, outside: float = 0.0) -> AffineHead:
        """Make a head over the rows that these moments are of.

        Args:
            outside: what directions outside of the basis are multiplied by, if the rows are
                coordinates.
        """
        if not self._in_coordinates:
            return AffineHead.of(weight, bias)
        made = CoordinateHead.of(weight, bias)
        return CoordinateHead(made.weight, made.bias, outside)

    @cached_property
    def eigen_x(self) -> tuple[Matrix, Matrix]:
        """Eigenvalues (d_x,) and eigenvectors (d_x, d_x) of the source covariance."""
        return _eigen(self.cxx)

    @cached_property
    def cross_svd(self) -> tuple[Matrix, Matrix, Matrix]:
        """U (d_x, k), singular values (k,) and V (d_y, k) of the cross-covariance."""
        u, s, vt = np.linalg.svd(self.cxy, full_matrices=False)
        return u, s, vt.T

    def whitened_svd(
        self, reg_source: float, reg_target: float, prior: float, directions: int | None
    ) -> tuple[Matrix, Matrix, Matrix]:
        """Canonical directions A (d_x, k), correlations s (k,), B (d_y, k); see ``cca.cca``.

        The last few are kept: settings that differ in their power alone share one.
        """
        setting = (reg_source, reg_target, prior, directions)
        if setting not in self._svds:
            if len(self._svds) >= _SVDS_KEPT:
                self._svds.pop(next(iter(self._svds)))
            self._svds[setting] = self._whitened_svd(*setting)
        return self._svds[setting]

    def _whitened_svd(
        self, reg_source: float, reg_target: float, prior: float, directions: int | None
    ) -> tuple[Matrix, Matrix, Matrix]:
        # Any W whitens as the symmetric root does, up to a turn that the SVD undoes: A is W' U.
        # That of a Cholesky factor takes a quarter of the time of eigenvectors.
        white_x = self._whitening("source", self.cxx, reg_source * self.scale_x)
        white_y = self._whitening("target", self.cyy, reg_target * self.scale_y)
        cross = self.cxy
        if prior:
            cross = cross + prior * np.sqrt(self.scale_x * self.scale_y) * self.prior
        u, s, v = _leading(white_x @ cross @ white_y.T, directions)
        return white_x.T @ u, s, white_y.T @ v

    def _whitening(self, side: str, covariance: Matrix, ridge: float) -> Matrix:
        """Whiten a side; the last two of both are kept, for settings that differ in the rest."""
        if (side, ridge) not in self._whitenings:
            if len(self._whitenings) >= _WHITENINGS_KEPT:
                self._whitenings.pop(next(iter(self._whitenings)))
            self._whitenings[side, ridge] = _whitening(covariance, ridge)
        return self._whitenings[side, ridge]


def _whitening(covariance: Matrix, ridge: float) -> Matrix:
    """Return W with W (C + ridge I) W' = I; the inverse of a Cholesky factor, if rounding allows.

    Rounding may leave a covariance negative eigenvalues, which a tiny ridge does not make up for.
    They grow where a fold leaves few of many rows: the sums of all rows were rounded.
    """
    if ridge >= _ROUNDING:
        raised = covariance.copy()
        raised.flat[:: len(raised) + 1] += ridge
        with suppress(np.linalg.LinAlgError):
            return _inverse(np.asarray(np.linalg.cholesky(raised), np.float64))
    values, vectors = _eigen(covariance)
    return (vectors / np.sqrt(values + ridge)).T


def _inverse(lower: Matrix) -> Matrix:
    """Invert a lower triangular matrix by halves, in a sixth of the time of `numpy.linalg.inv`."""
    inverse = np.zeros_like(lower)
    if len(lower) <= _SMALL:
        inverse[:] = np.linalg.inv(lower)
        return inverse
    half = len(lower) // 2
    first, last = _inverse(lower[:half, :half]), _inverse(lower[half:, half:])
    inverse[:half, :half], inverse[half:, half:] = first, last
    inverse[half:, :half] = -last @ (lower[half:, :half] @ first)
    return inverse


def _eigen(covariance: Matrix) -> tuple[Matrix, Matrix]:
    values, vectors = np.linalg.eigh(covariance)
    return values.clip(0), vectors  # rounding leaves tiny negative values


def _leading(matrix: Matrix, k: int | None) -> tuple[Matrix, Matrix, Matrix]:
    """Return U, s, V of the leading ``k`` singular values (None: of all that are not negligible).

    They come from the eigenvectors of the smaller Gram matrix, in a fifth of the time of a full
    SVD. Singular values below a millionth of the largest are left out. Where few of many are
    wanted, subspace iteration finds them from a seeded start (Halko, Martinsson & Tropp, SIAM
    Review 2011, algorithm 4.4).
    """
    if k is None or _FEW * k > min(matrix.shape):
        return _by_gram(matrix, k)
    # The basis is found in float32, in half the time: a slightly turned one still holds the leading
    # directions. The values within it are float64.
    rough = matrix.astype(np.float32)
    start = np.random.default_rng(0).standard_normal(
        (matrix.shape[1], k + _OVERSAMPLED), np.float32
    )
    basis = np.linalg.qr(rough @ start)[0]
    for _ in range(_POWER_STEPS):
        basis = np.linalg.qr(rough @ (rough.T @ basis))[0]
    basis = np.linalg.qr(basis.astype(np.float64))[0]
    u, s, v = _by_gram(basis.T @ matrix, k)
    return basis @ u, s, v


def _by_gram(matrix: Matrix, k: int | None) -> tuple[Matrix, Matrix, Matrix]:
    if matrix.shape[0] > matrix.shape[1]:
        v, s, u = _by_gram(matrix.T, k)
        return u, s, v
    values, vectors = np.linalg.eigh(matrix @ matrix.T)
    s, u = np.sqrt(values[::-1].clip(0)), vectors[:, ::-1]
    kept = min(int((s > s[0] * _NEGLIGIBLE).sum()), len(s) if k is None else k) or 1
    s, u = s[:kept], u[:, :kept]
    return u, s, (matrix.T @ u) / s.clip(np.finfo(float).tiny)
