"""A measured mean with its interval, and how many more questions would tell it from a bar."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ..metrics.statistics import Interval, with_unseen

_MOST = 20
"""More questions are not asked for than so many times those at hand."""


class Measured(NamedTuple):
    """A mean of so many units, with the interval that resampling gives."""

    mean: float
    resampled: Interval
    units: int
    bounds: Interval

    def interval(self, times: float = 1.0) -> Interval:
        """Return the interval, or that of so many times the questions if the mean stays."""
        shrunk = math.sqrt(times)
        if np.allclose(self.resampled, self._unseen(1)):  # all are equal: nothing was resampled
            shrunk = math.inf
        low, high = (self.mean + (end - self.mean) / shrunk for end in self.resampled)
        return self._unseen(times, (low, high))

    def _unseen(self, times: float, around: Interval | None = None) -> Interval:
        mean = self.mean
        return with_unseen(around or (mean, mean), mean, round(self.units * times), self.bounds)


def more_questions(found: Measured, bar: float, n: int) -> str:
    """Say about how many more questions would tell, if the measured value stays."""
    for more in np.geomspace(1, _MOST * n, 400):
        low, high = found.interval(1 + more / n)
        if low >= bar or high < bar:
            digits = 10 ** max(0, len(str(int(more))) - 2)
            asked = math.ceil(more / digits) * digits
            return (
                f"the bar lies inside: about {asked:,} more questions would tell, "
                "if the value stays"
            )
    return "the value lies so near the bar that more questions would hardly tell"
