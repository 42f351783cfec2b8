"""TrainingRows: the rows behind a fit, for a head that is trained on rows and not on sums."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..data.pairs import Pairs, concatenated
from ..vectors import drawn


@dataclass(frozen=True, eq=False)
class TrainingRows:
    """The rows behind a fit, for what is trained on rows and not on their sums."""

    sets: list[tuple[Pairs, NDArray[np.intp]]]
    seed: int

    def sample(self, at_most: int) -> Pairs:
        """Return all rows, or so many of them drawn evenly, with vectors in memory as float32."""
        total = sum(len(rows) for _, rows in self.sets)
        picked = drawn(total, at_most, self.seed)
        parts, start = [], 0
        for pairs, rows in self.sets:
            mine = picked[(picked >= start) & (picked < start + len(rows))] - start
            parts.append(pairs.select(rows[mine]))
            start += len(rows)
        return concatenated(parts)
