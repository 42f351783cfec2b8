"""Whether two groups of vectors may come from one model, by the vectors alone.

The coordinates of a model have habits: a mean, a spread, and which of them rise and fall together.
They are the same for texts of another subject or another language. To another model the number of a
coordinate says nothing, so its habits agree with these only as those of shuffled coordinates would.

The likeness of two groups is the largest of three agreements, each in standard deviations above
what a random permutation of the coordinates of one group gives:

- the correlation of the means, and that of the logarithms of the variances. Under a permutation a
  correlation of d values has mean 0 and standard deviation 1 / sqrt(d - 1);
- the agreement of the covariances off the diagonal, whose mean and variance under all permutations
  are known in closed form (N. Mantel, Cancer Research 27, 1967).

Vectors of one model that were turned (by a map of mode ``shared``, say) are those of another model
here. Another prompt before the texts, or a model that was tuned from this one, is no other model.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from ..vectors import Float32Array, Float64Array

COORDINATES = 384
"""Coordinates that are compared at most; of longer vectors so many, evenly spread."""
LIKE = 5.0
"""Likeness from which two groups are taken for vectors of one model. Measured with
benchmarks/doctor.py: groups of two models stay below 4, those of one model above 7, whatever their
languages and subjects."""
_LEAST_VARIANCE = 1e-12


class _OffDiagonal(NamedTuple):
    """A covariance without its diagonal, and the sums that its permutations need."""

    matrix: Float64Array
    total: float
    squares: float
    row_squares: float


class Agreements(NamedTuple):
    """Three agreements of two groups, each in standard deviations of chance."""

    means: float
    variances: float
    covariances: float


@dataclass(frozen=True, eq=False)
class Group:
    """Vectors of one group, as far as a likeness reads them.

    Attributes:
        n: how many.
        sum: (d,) their sum.
        scatter: (d, d) the sum of the outer products of their differences from the mean; of joined
            groups, each from its own.
    """

    n: int
    sum: Float64Array
    scatter: Float64Array

    @classmethod
    def of(cls, unit: Float32Array) -> Group:
        """Describe (n, d) unit rows."""
        rows = compared(unit).astype(np.float64)
        centred = rows - rows.mean(axis=0)
        return cls(len(rows), rows.sum(axis=0), centred.T @ centred)

    def joined(self, other: Group) -> Group:
        """Return both groups as one."""
        return Group(self.n + other.n, self.sum + other.sum, self.scatter + other.scatter)

    @cached_property
    def _log_variances(self) -> Float64Array:
        variances = np.diag(self.scatter)
        found: Float64Array = np.log(variances + _LEAST_VARIANCE * max(float(variances.sum()), 1.0))
        return found

    @cached_property
    def _off_diagonal(self) -> _OffDiagonal:
        matrix = self.scatter / max(float(np.trace(self.scatter)), _LEAST_VARIANCE)
        np.fill_diagonal(matrix, 0)
        of_rows = matrix.sum(axis=1)
        return _OffDiagonal(
            matrix, float(of_rows.sum()), float((matrix**2).sum()), float((of_rows**2).sum())
        )

    def agreements(self, other: Group) -> Agreements:
        """Return how far the habits of both agree beyond chance, in standard deviations."""
        return Agreements(
            _correlation(self.sum, other.sum),
            _correlation(self._log_variances, other._log_variances),
            _mantel(self._off_diagonal, other._off_diagonal),
        )

    def likeness(self, other: Group) -> float:
        """Return the largest agreement."""
        return max(self.agreements(other))


def compared(unit: Float32Array) -> Float32Array:
    """Return the coordinates that are compared."""
    d = unit.shape[1]
    if d <= COORDINATES:
        return unit
    return unit[:, np.linspace(0, d - 1, COORDINATES).astype(int)]


def _correlation(a: Float64Array, b: Float64Array) -> float:
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale * float(np.sqrt(len(a) - 1)) if scale > 0 else 0.0


def _mantel(a: _OffDiagonal, b: _OffDiagonal) -> float:
    """Return the standardised sum of products of two symmetric matrices without diagonal."""
    d = len(a.matrix)
    if d < 4:
        return 0.0
    pairs = d * (d - 1)
    mean = a.total * b.total / pairs
    square = 2 * a.squares * b.squares / pairs
    square += 4 * _in_rows(a) * _in_rows(b) / (pairs * (d - 2))
    square += _in_all(a) * _in_all(b) / (pairs * (d - 2) * (d - 3))
    variance = square - mean**2
    product = float(np.vdot(a.matrix, b.matrix))
    return (product - mean) / float(np.sqrt(variance)) if variance > 0 else 0.0


def _in_rows(of: _OffDiagonal) -> float:
    """Return the products of two different values of one row, summed."""
    return of.row_squares - of.squares


def _in_all(of: _OffDiagonal) -> float:
    """Return the products of two values that share no row and no column, summed."""
    return of.total**2 + 2 * of.squares - 4 * of.row_squares
