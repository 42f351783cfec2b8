"""Scales: what a store's scores are, and how to have the inner product of unit vectors back.

Stores call them score, similarity, distance and relevance, and mean many things.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

_TINY = 1e-30
"""A floor for what has no logarithm and no reciprocal, so that a scale is far off and does not
fail. (Its reciprocal can be squared.)"""

SCALES: Mapping[str, Callable[[float], float]] = {
    "similarity": lambda s: s,
    "cosine distance": lambda d: 1 - d,
    "squared l2": lambda d: 1 - d / 2,
    "l2": lambda d: 1 - d * d / 2,
    "(1 + cosine) / 2": lambda s: 2 * s - 1,
    "exp(-cosine distance)": lambda s: 1 + np.log(max(s, _TINY)),
    "exp(-squared l2)": lambda s: 1 + np.log(max(s, _TINY)) / 2,
    "1 / (1 + squared l2)": lambda s: 1 - (1 / max(s, _TINY) - 1) / 2,
    "1 / (1 + l2)": lambda s: 1 - (1 / max(s, _TINY) - 1) ** 2 / 2,
}
"""The scores that stores give of unit vectors, and how to have the inner product back."""

_NEAR = 0.02
"""How far a converted score may lie off: stores round, and some keep eight bits."""


def scale_of(raw: Sequence[float], true: Sequence[float]) -> str | None:
    """Find out what a store's scores are, from a few whose inner product is known.

    Returns:
        the name of one of :data:`SCALES`, or None where none fits.
    """
    read = {name: [float(convert(float(r))) for r in raw] for name, convert in SCALES.items()}
    errors = {name: _apart(values, true) for name, values in read.items()}
    best = min(errors, key=lambda name: errors[name])
    return best if errors[best] <= _NEAR else None


def tells_apart(name: str, raw: Sequence[float], true: Sequence[float]) -> bool:
    """Say whether scores fit this scale alone: at a cosine of 1, many agree."""
    others = (convert for other, convert in SCALES.items() if other != name)
    return all(_apart([convert(float(r)) for r in raw], true) > _NEAR for convert in others)


def _apart(values: Sequence[float], true: Sequence[float]) -> float:
    return max(abs(float(value) - t) for value, t in zip(values, true, strict=True))
