"""An encoder whose vectors differ from call to call, as those of a service do."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .toy_data import hashed_letters

DIMENSION = 1536
_AXES = np.linalg.qr(np.random.default_rng(0).standard_normal((DIMENSION, 32)))[0]


def wide_letters(texts: list[str]) -> np.ndarray:
    """Encode texts by their trigrams into 1,536 dimensions, at unit length."""
    return np.asarray(hashed_letters(texts) @ _AXES.T, np.float32)


class Noisy:
    """Adds Gaussian noise to a share of the calls; counts the calls.

    Args:
        rms: the size of the noise, its root mean square for a coordinate.
        shift: a distance by which all vectors are moved, as another model would.
        encode: gives the vectors without noise.
    """

    def __init__(
        self,
        rms: float,
        share: float = 1,
        *,
        seed: int = 0,
        shift: float = 0,
        encode: Callable[[list[str]], np.ndarray] = wide_letters,
    ) -> None:
        self._rng, self._encode = np.random.default_rng(seed), encode
        self.rms, self.share, self.shift = rms, share, shift
        self.calls: list[list[str]] = []

    def __call__(self, texts: list[str]) -> np.ndarray:
        self.calls.append(list(texts))
        vectors = self._encode(texts)
        vectors[:, 0] += self.shift
        if self._rng.random() < self.share:
            vectors = vectors + self.rms * self._rng.standard_normal(vectors.shape)
        return np.asarray(vectors, np.float32)
