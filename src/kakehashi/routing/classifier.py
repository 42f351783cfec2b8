"""A linear classifier of two classes by least squares, and log-odds from its scores.

Each row is a set of m buckets of hashed features. As a vector of unit length it has 1 / sqrt(m) in
each of its buckets and 0 elsewhere. Rows are stored as lists of buckets, so the time of a product
does not depend on the number of possible buckets.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..vectors import Float64Array

Buckets = NDArray[np.intp]

_MAX_STEPS, _TOLERANCE = 200, 1e-3
"""Steps, and the relative residual at which they end. A residual of a thousandth moves a score by
less than another sample of the rows does."""


class BucketRows:
    """The sparse (n, dimension) matrix X of n unit rows, each a set of buckets.

    Args:
        buckets: the different buckets of each row; a row without buckets is zero.
        dimension: number of possible buckets.
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
    """Return w, (dimension,), and b that minimise  sum_i v_i (x_i w + b - y_i)^2 + reg |w|^2.

    The solution is (X'VX + reg I) w = X'Vy with centred columns. Conjugate gradients solve it with
    a few dozen products with X; a factorisation would need X'X.

    Args:
        y: (n,) labels, 1 or -1.
        weights: (n,) weights v, not negative and not all zero; 0 leaves a row out.
    """
    total = weights.sum()
    mean, y_mean = x.transposed_times(weights) / total, float(weights @ y / total)

    def product(p: Float64Array) -> Float64Array:
        scores = x.times(p) - mean @ p
        # Weighted, centred scores sum to 0, so the left factor need not be centred.
        return x.transposed_times(weights * scores) + reg * p

    residual = x.transposed_times(weights * (y - y_mean))  # weights * (y - mean) sum to 0
    w, direction = np.zeros(x.shape[1]), residual.copy()
    square = float(residual @ residual)
    target_square = _TOLERANCE**2 * square
    for _ in range(_MAX_STEPS):
        if square <= target_square:
            break
        image = product(direction)
        step = square / float(direction @ image)
        w += step * direction
        residual -= step * image
        previous, square = square, float(residual @ residual)
        direction = residual + (square / previous) * direction
    return w, y_mean - float(mean @ w)


def platt(scores: Float64Array, y: Float64Array, weights: Float64Array) -> tuple[float, float]:
    """Return slope and offset: log-odds of label 1 = slope * score + offset.

    This is the logistic regression of Platt (Probabilistic outputs for support vector machines,
    1999). Newton's method with halved steps fits it (Lin, Lin & Weng, A note on Platt's
    probabilistic outputs, 2007). Labels are softened as by one row of the other class. So log-odds
    are finite where no held-out row is confused, and they grow with the number of rows.

    Args:
        scores: (n,) of rows that the classifier was not fitted on.
        y: (n,) labels, 1 or -1.
        weights: (n,) of each row.
    """
    n_positive, n_negative = int((y > 0).sum()), int((y < 0).sum())
    wanted = np.where(y > 0, (n_positive + 1) / (n_positive + 2), 1 / (n_negative + 2))
    spread = float(scores.std()) or 1.0
    # On one scale, so that the Hessian is well conditioned.
    x = np.stack([scores / spread, np.ones_like(scores)])

    def loss_of(parameters: Float64Array) -> float:
        z = parameters @ x
        return float(weights @ (np.logaddexp(0, z) - wanted * z))

    parameters = np.zeros(2)
    loss = loss_of(parameters)
    for _ in range(100):
        p = 1 / (1 + np.exp(-np.clip(parameters @ x, -500, 500)))
        gradient = x @ (weights * (p - wanted))
        hessian = (x * (weights * p * (1 - p))) @ x.T + 1e-9 * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        if float(gradient @ step) < 1e-12:
            break
        share = 1.0
        while (next_loss := loss_of(parameters - share * step)) > loss and share > 1e-9:
            share /= 2
        parameters, loss = parameters - share * step, min(next_loss, loss)
    return float(parameters[0]) / spread, float(parameters[1])
