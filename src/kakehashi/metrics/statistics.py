"""How sure a measured score is: intervals and a paired test, both over queries."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .ranking import METRICS, per_query
from .relevance import Clusters

Interval = tuple[float, float]

_N_RESAMPLES = 1000
_N_FLIPS = 10_000
_Z = 1.959964
_T = {2: 12.7062, 3: 4.3027, 4: 3.1824, 5: 2.7764}
"""The 97.5% quantiles of the normal distribution, and of Student's t by the number of units."""


@dataclass(frozen=True)
class Scores:
    """Mean metrics over the queries with their 95% intervals."""

    n_queries: int
    pool: int
    means: dict[str, float]
    intervals: dict[str, Interval]

    def check(self) -> None:
        """Raise ValueError where a metric is missing, or not between 0 and 1."""
        for name in METRICS:
            if name not in self.means or name not in self.intervals:
                raise ValueError(f"scores lack {name}")
            for number in (self.means[name], *self.intervals[name]):
                if not 0 <= number <= 1:
                    raise ValueError(f"{name} is {number!r:.30}, not between 0 and 1")

    @classmethod
    def of_ranks(
        cls, rank: NDArray[np.intp], pool: int, *, clusters: Clusters = None, seed: int = 0
    ) -> Scores:
        """Summarise the ranks of n queries in a pool of ``pool`` documents.

        Args:
            clusters: of :func:`.relevance.groups_of`.
        """
        metrics = per_query(rank)
        means = {name: float(values.mean()) for name, values in metrics.items()}
        return cls(len(rank), pool, means, intervals(metrics, clusters=clusters, seed=seed))


def sums_by_cluster(values: NDArray[np.float64], clusters: Clusters) -> NDArray[np.float64]:
    """Add the values of each cluster: (n,) or (n, m) -> (clusters,) or (clusters, m)."""
    if clusters is None:
        return values
    sums = np.zeros((clusters.max() + 1, *values.shape[1:]))
    np.add.at(sums, clusters, values)
    return sums


def intervals(
    metrics: dict[str, NDArray[np.float64]],
    *,
    clusters: Clusters = None,
    seed: int,
    bounds: Interval = (0.0, 1.0),
) -> dict[str, Interval]:
    """Return the 95% interval of each mean over n queries.

    Resampling tells nothing of units (queries, or clusters) that were not seen. So the percentile
    bootstrap serves where units differ and are six or more. Where all are equal, as with 0 of 16,
    :func:`_of_equal` bounds the others. Fewer than six go by :func:`_of_few`.

    Args:
        metrics: (n,) each, by name.
        clusters: (n,) of :func:`.relevance.groups_of`.
        bounds: the least and the largest value that a query can have.
    """
    sizes = sums_by_cluster(np.ones(len(next(iter(metrics.values())))), clusters)
    found = {} if len(sizes) in _T else bootstrap(metrics, clusters=clusters, seed=seed)
    for name, values in metrics.items():
        sums = sums_by_cluster(values, clusters)
        means = sums / sizes
        if np.ptp(means) < 1e-12:
            found[name] = _of_equal(float(means[0]), len(means), bounds)
        elif len(means) in _T:
            found[name] = _of_few(sums, sizes, bounds)
    return found


def _of_equal(mean: float, n: int, bounds: Interval) -> Interval:
    """Return the interval of n units with one mean.

    Up to z^2 / (n + z^2) of all units may be others, and at worst they lie at the bounds. That is
    the upper end of the interval for 0 of n (Wilson, Probable inference, JASA 22, 1927).
    """
    others = _Z**2 / (n + _Z**2)
    low, high = (mean + others * (bound - mean) for bound in bounds)
    return low, high


def with_unseen(interval: Interval, mean: float, n: int, bounds: Interval) -> Interval:
    """Widen an interval by what n units cannot have shown, as :func:`_of_equal` bounds it.

    A decision that is taken again and again needs this: ten questions of which one differs, and
    that for the better, are resampled to a difference that is never below zero.
    """
    low, high = _of_equal(mean, n, bounds)
    return min(low, interval[0]), max(high, interval[1])


def _of_few(sums: NDArray[np.float64], sizes: NDArray[np.float64], bounds: Interval) -> Interval:
    """Return the t-interval of two to five units, from the spread between them.

    mean +- t(G - 1) sqrt(G / (G - 1) sum_g (sum_g - mean size_g)^2) / n   for G units and n queries

    The spread is that of a ratio (Cochran, Sampling Techniques, 1977, chapter 6). That t holds for
    so few groups is shown by Ibragimov & Mueller (JBES 28, 2010).
    """
    n_units, n = len(sums), sizes.sum()
    mean = sums.sum() / n
    spread = np.sqrt(n_units / (n_units - 1) * ((sums - mean * sizes) ** 2).sum()) / n
    low, high = np.clip(mean + np.array([-1, 1]) * _T[n_units] * spread, *bounds)
    return float(low), float(high)


def bootstrap(
    metrics: dict[str, NDArray[np.float64]], *, clusters: Clusters = None, seed: int
) -> dict[str, Interval]:
    """Return the percentile bootstrap 95% interval of each mean, resampling whole queries.

    Every metric sees the same resamples. Efron & Tibshirani, An Introduction to the Bootstrap
    (1993), section 13.3. With clusters whole clusters are drawn (Davison & Hinkley 1997, 3.8).
    """
    values = np.stack(list(metrics.values()), axis=1)  # (n, metrics)
    sizes = sums_by_cluster(np.ones(len(values)), clusters)
    values = sums_by_cluster(values, clusters)
    n = len(values)
    rng = np.random.default_rng(seed)
    means = np.empty((_N_RESAMPLES, values.shape[1]))
    for i in range(_N_RESAMPLES):  # one at a time: memory stays O(n) for any number of queries
        times_drawn = np.bincount(rng.integers(n, size=n), minlength=n)
        means[i] = times_drawn @ values / (times_drawn @ sizes)
    low, high = np.percentile(means, [2.5, 97.5], axis=0)
    return {name: (float(low[j]), float(high[j])) for j, name in enumerate(metrics)}


@dataclass(frozen=True)
class PairedTest:
    """The mean difference between two systems on the same queries, and how surprising it is."""

    difference: float
    p_value: float

    @property
    def better(self) -> bool:
        """The first system is better, at the 5% level."""
        return self.difference > 0 and self.p_value < 0.05

    @property
    def worse(self) -> bool:
        """The first system is worse, at the 5% level."""
        return self.difference < 0 and self.p_value < 0.05


def paired_test(
    ours: NDArray[np.float64],
    theirs: NDArray[np.float64],
    *,
    clusters: Clusters = None,
    seed: int = 0,
) -> PairedTest:
    """Two-sided sign-flip randomisation test of the mean per-query difference.

    Under the null hypothesis each query's difference is as likely to have either sign (Smucker,
    Allan & Carterette, CIKM 2007). The p-value counts the observed assignment itself, so it is
    never zero. With clusters, whole clusters change sign.
    """
    differences = ours - theirs
    sums = sums_by_cluster(differences, clusters)
    moved = sums[sums != 0]
    observed = abs(moved.sum())
    rng = np.random.default_rng(seed)
    at_least = 0
    for _ in range(_N_FLIPS // 500):
        signs = rng.integers(0, 2, size=(500, len(moved)), dtype=np.int8) * 2.0 - 1.0
        # A rounding error must not turn an equal sum into a smaller one.
        at_least += int((np.abs(signs @ moved) >= observed - 1e-9).sum())
    return PairedTest(float(differences.mean()), (1 + at_least) / (1 + _N_FLIPS))
