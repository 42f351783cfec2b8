"""Two classes told apart by least squares, and its scores read as log-odds.

Rows are sets of hashed features of unit length: every bucket that a row has counts 1 / sqrt(m) of
its m buckets. Kept as lists of buckets they take as long for sixteen thousand buckets as for one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Float64Array = NDArray[np.float64]
Buckets = NDArray[np.intp]

_ROUNDS, _TOLERANCE = 200, 1e-3
"""A residual of a thousandth moves a score by less than where the rows were drawn does."""


class BucketRows:
    """n rows, each a set of buckets, as the sparse (n, dimension) matrix X of unit rows.

    Args:
        buckets: the different buckets of each row; a row without any is zero.
        dimension: number of buckets.
    """

    def __init__(self, buckets: Sequence[Buckets], dimension: int) -> None:
        sizes = np.array([len(of_row) for of_row in buckets])
        self.shape = len(buckets), dimension
        self._buckets = np.concatenate([np.empty(0, np.intp), *buckets])
        self._rows = np.repeat(np.arange(len(buckets)), sizes)
        self._lengths = np.sqrt(np.maximum(sizes, 1))

    def times(self, w: Float64Array) -> Float64Array:
        """Return X w: (dimension,) -> (n,)."""
        sums = np.bincount(self._rows, weights=w[self._buckets], minlength=self.shape[0])
        result: Float64Array = sums / self._lengths
        return result

    def transposed_times(self, r: Float64Array) -> Float64Array:
        """Return X' r: (n,) -> (dimension,)."""
        spread = (r / self._lengths)[self._rows]
        sums = np.bincount(self._buckets, weights=spread, minlength=self.shape[1])
        return sums.astype(np.float64, copy=False)  # without any bucket NumPy counts in integers


def ridge_classifier(
    x: BucketRows, y: Float64Array, weights: Float64Array, *, reg: float
) -> tuple[Float64Array, float]:
    """Return w, (dimension,), and b that minimise  sum v_i (x_i w + b - y_i)^2 + reg |w|^2.

    The closed form (X'VX + reg I) w = X'Vy of centred columns, solved by conjugate gradients: they
    need products with X alone, a few dozen of them, where a factorisation would need X'X.

    Args:
        y: (n,) labels, 1 or -1.
        weights: (n,) of each row, not negative and not all zero; 0 leaves a row out.
    """
    total = weights.sum()
    mean, y_mean = x.transposed_times(weights) / total, float(weights @ y / total)

    def product(p: Float64Array) -> Float64Array:
        scores = x.times(p) - mean @ p
        # Weighted and centred scores add up to 0, so that the left factor need not be centred.
        return x.transposed_times(weights * scores) + reg * p

    left = x.transposed_times(weights * (y - y_mean))  # weights (y - mean) add up to 0
    w, direction = np.zeros(x.shape[1]), left.copy()
    square = float(left @ left)
    enough = _TOLERANCE**2 * square
    for _ in range(_ROUNDS):
        if square <= enough:
            break
        image = product(direction)
        step = square / float(direction @ image)
        w += step * direction
        left -= step * image
        before, square = square, float(left @ left)
        direction = left + (square / before) * direction
    return w, y_mean - float(mean @ w)


def platt(scores: Float64Array, y: Float64Array, weights: Float64Array) -> tuple[float, float]:
    """Return slope and offset: log-odds of label 1 = slope * score + offset.

    The logistic regression of Platt (Probabilistic outputs for support vector machines, 1999), by
    Newton's method with halved steps (Lin, Lin & Weng, A note on Platt's probabilistic outputs,
    2007). Labels are softened by one row of the other class, so that classes which no held-out row
    confuses still get finite log-odds, the bolder the more rows there are.

    Args:
        scores: (n,) of rows that the classifier was not fitted on.
        y: (n,) labels, 1 or -1.
        weights: (n,) of each row.
    """
    n_positive, n_negative = int((y > 0).sum()), int((y < 0).sum())
    wanted = np.where(y > 0, (n_positive + 1) / (n_positive + 2), 1 / (n_negative + 2))
    spread = float(scores.std()) or 1.0
    x = np.stack([scores / spread, np.ones_like(scores)])  # of one scale, for the Hessian's sake

    def loss(parameters: Float64Array) -> float:
        z = parameters @ x
        return float(weights @ (np.logaddexp(0, z) - wanted * z))

    parameters = np.zeros(2)
    now = loss(parameters)
    for _ in range(100):
        p = 1 / (1 + np.exp(-np.clip(parameters @ x, -500, 500)))
        gradient = x @ (weights * (p - wanted))
        hessian = (x * (weights * p * (1 - p))) @ x.T + 1e-9 * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        if float(gradient @ step) < 1e-12:
            break
        share = 1.0
        while (after := loss(parameters - share * step)) > now and share > 1e-9:
            share /= 2
        parameters, now = parameters - share * step, min(after, now)
    return float(parameters[0]) / spread, float(parameters[1])
