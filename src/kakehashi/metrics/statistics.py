"""How sure a measured score is: bootstrap intervals and a paired test, both over queries."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .ranking import METRICS, per_query
from .relevance import Clusters

Interval = tuple[float, float]

_N_RESAMPLES = 1000
_N_FLIPS = 10_000


@dataclass(frozen=True)
class Scores:
    """Mean metrics over the queries with their 95% bootstrap intervals."""

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
        """Summarise the ranks of n queries in a pool of ``pool`` documents."""
        metrics = per_query(rank)
        means = {name: float(values.mean()) for name, values in metrics.items()}
        return cls(len(rank), pool, means, bootstrap(metrics, clusters=clusters, seed=seed))


def sums_by_cluster(values: NDArray[np.float64], clusters: Clusters) -> NDArray[np.float64]:
    """Add the values of each cluster: (n,) or (n, m) -> (clusters,) or (clusters, m)."""
    if clusters is None:
        return values
    sums = np.zeros((clusters.max() + 1, *values.shape[1:]))
    np.add.at(sums, clusters, values)
    return sums


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
