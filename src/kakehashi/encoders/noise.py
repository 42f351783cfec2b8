"""Whether two encoders gave the same answers, where each answer may have noise.

A service runs on several machines, and its vectors of one text differ from call to call. The noise
is drawn anew for every answer. Another model differs in the same way every time.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..vectors import Float32Array

_TOLERANCE = 5e-3
"""Largest distance between two unit vectors of a probe text that count as equal. Another batch
size, thread count or library release moves a vector by 1e-6 to 1e-4; another model moves it by 0.1
and more."""

_STEADY = 1e-3
"""Answers to one text that differ by less count as one: the encoder has no noise."""

_NOISE, _CAP = 6.0, 1.2e-2
"""How many standard deviations of the squared distance noise may take, and the largest tolerance,
whatever the noise."""


def differ(answers: Sequence[Float32Array]) -> bool:
    """Whether answers to the same texts, (m, d) each, differ by more than rounding."""
    distances = (np.linalg.norm(answer - answers[0], axis=1).max() for answer in answers)
    return any(distance > _STEADY for distance in distances)


def alike(a: Float32Array, b: Float32Array) -> bool:
    """Whether answers to m texts, (n, m, d) and (k, m, d), differ by no more than noise.

    The squared distance between two means is that of the true vectors, and what noise adds. Noise
    adds the variance of each mean, on average. The answers show it, and it is subtracted. In d
    dimensions little is left of it (a share of about sqrt(2 / d)), which the tolerance has to
    cover. A service may also have a few answers that it gives in turn: then two of them are equal.
    """
    nearest = np.linalg.norm(a[:, None] - b[None], axis=3).min(axis=(0, 1))
    noise = _variance_of_mean(a) + _variance_of_mean(b)
    squared = ((a.mean(axis=0) - b.mean(axis=0)) ** 2).sum(axis=1) - noise
    varies = noise * (2 / a.shape[2]) ** 0.5
    allowed = np.minimum(_TOLERANCE**2 + _NOISE * varies, _CAP**2)
    return bool(((squared <= allowed) | (nearest <= _TOLERANCE)).all())


def _variance_of_mean(answers: Float32Array) -> Float32Array:
    """Return the squared distance of the mean of n answers from the true vector, (m,).

    One answer shows none: 0.
    """
    n = len(answers)
    if n == 1:
        return np.zeros(answers.shape[1], np.float32)
    variance: Float32Array = answers.var(axis=0, ddof=1).sum(axis=1) / n
    return variance
