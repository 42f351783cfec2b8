"""What stored vectors say of themselves: do both sides share a space, and how does a store rank?"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..data.pairs import Pairs
from ..data.splits import Rows
from ..types import Metric
from ..vectors import Float32Array, squared_norms, unit_rows

_ROWS, _FEW, _TURNS = 300, 50, 150
_TURNS_OF_FEW = 3
"""So many of the turns may be as good where rows are few."""


def share_space(pairs: Pairs, identities: Any, seed: int, rows: Rows | None = None) -> bool:
    """Whether cosines between the two sides mean anything.

    Two encoders share a space if they encode the probe texts alike. Otherwise the vectors answer
    (a student may have learned its teacher's space for one language only): in a common space a
    row is nearer to its own target than to another row's most of the time. Between unrelated
    spaces it is so half of the time on average; but where few directions carry most of the
    variance, those of one space may happen to lie along those of the other. Such luck is as good
    after one or another turn of half of the targets' principal axes; a common space never is.
    Of few rows less is asked, and a turn in fifty may be as good: a base that is missing costs more
    than one that is poor.

    Args:
        rows: the pairs that may be looked at; by default all.
    """
    x, y = pairs.required_vectors("source"), pairs.required_vectors("target")
    if x.shape[1] != y.shape[1]:
        return False
    source, target = identities["source"], identities["target"]
    if source is not None and target is not None and source.cosine(target) > 0.9:
        return True
    rng = np.random.default_rng(seed)
    rows = np.arange(len(pairs)) if rows is None else rows
    rows = np.sort(rng.choice(rows, min(len(rows), _ROWS), replace=False))
    x, y = (unit_rows(np.asarray(v[rows], np.float32)) for v in (x, y))
    if _wins(x, y) <= 0.5 + 0.1 * min(1, len(rows) / _FEW):
        return False
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)  # an offset between the sides turns with no axis
    axes = np.linalg.svd(y, full_matrices=False)[2].T
    along_x, along_y = x @ axes, y @ axes
    halves = np.repeat(
        np.array([-1, 1], np.float32), [axes.shape[1] // 2, (axes.shape[1] + 1) // 2]
    )
    wins = _wins(along_x, along_y)
    as_good, allowed = 0, 0 if len(rows) >= _FEW else _TURNS_OF_FEW
    for _ in range(_TURNS):
        as_good += _wins(along_x, along_y * rng.permutation(halves)) >= wins
        if as_good > allowed:
            return False
    return True


def _wins(x: Float32Array, y: Float32Array) -> float:
    """Return the share of other rows' targets that are farther from a row than its own."""
    products = x @ y.T
    n = len(products)
    return float((products < np.diag(products)[:, None]).sum() / (n * (n - 1)))


def store_metric(pairs: Pairs, rows: Rows | None = None) -> Metric:
    """Return the metric that a store of these target vectors (or some rows) most likely ranks by.

    ``"ip"`` where they have unit length, by about a thousand of them (all metrics then rank alike,
    and this one costs least), else ``"cosine"``.
    """
    stored = pairs.required_vectors("target")
    rows = np.arange(len(stored)) if rows is None else rows
    sample = np.asarray(stored[rows[:: max(1, len(rows) // 1000)]], np.float32)
    return "ip" if np.allclose(squared_norms(sample), 1, atol=2e-3) else "cosine"
