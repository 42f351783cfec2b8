"""What the next doubling of pairs is likely to bring, read off a learning curve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..metrics.relevance import Clusters

Values = NDArray[np.float64]

POINTS = 3
"""Sizes that the power law is laid through: the largest ones."""

_N_RESAMPLES = 1000
_LEAST_ERROR = 1e-4  # a score of 1 has no logarithm of its error
_MISFIT, _MISFIT_SHARE = 0.01, 0.2
"""What resampling cannot know, that the curve bends otherwise: a standard deviation of this much,
plus this share of the gain, in quadrature. Set so that the intervals of
`benchmarks/learning_curve.py` in mode `keep` hold nine outcomes in ten or a few more."""


class Forecast(NamedTuple):
    """The likely change of a mean score from n pairs to 2n.

    Attributes:
        n_from, n_to: pairs before and after.
        gain: the likely change.
        interval: holds the change with a probability of about nine in ten.
    """

    n_from: int
    n_to: int
    gain: float
    interval: tuple[float, float]


def next_gain(sizes: Sequence[int], scores: Values) -> Values:
    """Extrapolate scores in [0, 1] to twice the largest size, by a power law of the error.

        1 - score(n) = a n^-b,  b >= 0

    by least squares of log error on log n over the last ``POINTS`` sizes, and moved to go through
    the last point (Hestness et al., arXiv 1712.00409, 2017, find this form over orders of
    magnitude). An error that rises is taken to stay as it is.

    Args:
        sizes: ascending numbers of pairs, two or more.
        scores: (..., sizes).

    Returns:
        (...,) change of the score from the largest size to its double, 0 or more.
    """
    x = np.log2(np.asarray(sizes[-POINTS:], np.float64))
    error = np.log(np.maximum(1 - scores[..., -POINTS:], _LEAST_ERROR))
    x = x - x.mean()
    slope = np.minimum((error @ x) / (x @ x), 0)
    gain: Values = np.maximum(1 - scores[..., -1], 0) * (1 - np.exp(slope))
    return gain


def forecast(
    sizes: Sequence[int], values: Sequence[Values], clusters: Clusters = None, *, seed: int = 0
) -> Forecast:
    """Extrapolate to twice the largest size, with a 90% interval.

    The interval is that of a bootstrap over the test queries (whole clusters of them) and over
    the fits of a size, each of which saw another draw of pairs; a size that was fitted once
    borrows the spread of the size below. Both ends of the gain have that spread. What the power
    law misses is added, as it was found on other data.

    Args:
        sizes: ascending numbers of pairs, two or more.
        values: for each size the score of each query in each fit, (fits, queries).
        clusters: the cluster of each query, (queries,).
    """
    rng = np.random.default_rng(seed)
    weights = _query_weights(values[0].shape[1], clusters, rng)
    drawn = np.empty((_N_RESAMPLES, len(sizes)))
    spread = np.zeros(1)
    for j, of_size in enumerate(values):
        by_fit = weights @ of_size.T  # (resamples, fits)
        fits = len(of_size)
        which = rng.integers(fits, size=(_N_RESAMPLES, fits))
        drawn[:, j] = np.take_along_axis(by_fit, which, axis=1).mean(axis=1)
        if fits > 1:
            means = of_size.mean(axis=1)
            spread = (means - means.mean()) * np.sqrt(fits / (fits - 1))
        else:
            drawn[:, j] += rng.choice(spread, _N_RESAMPLES)
    means = np.array([v.mean() for v in values])
    gain = float(next_gain(sizes, means))
    gains = next_gain(sizes, drawn.clip(0, 1)) - rng.choice(spread, _N_RESAMPLES)
    misfit = np.hypot(_MISFIT, _MISFIT_SHARE * gain)
    gains += misfit * rng.standard_normal(_N_RESAMPLES)
    low, high = np.percentile(gains, [5, 95]).clip(-means[-1], 1 - means[-1]) + 0.0
    return Forecast(sizes[-1], 2 * sizes[-1], gain, (float(low), float(high)))


def _query_weights(n: int, clusters: Clusters, rng: np.random.Generator) -> Values:
    """Draw queries, or whole clusters of them, with replacement: (resamples, n), rows sum to 1."""
    member = np.arange(n) if clusters is None else clusters
    n_units = int(member.max()) + 1
    weights = np.empty((_N_RESAMPLES, n))
    for i in range(_N_RESAMPLES):
        times = np.bincount(rng.integers(n_units, size=n_units), minlength=n_units)
        weights[i] = times[member]
    weights /= weights.sum(axis=1, keepdims=True)
    return weights
