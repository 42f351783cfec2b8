"""Toy models whose coordinates have habits, as those of real ones have: each its own."""

from __future__ import annotations

import numpy as np


class ToyModel:
    """Draws unit vectors (n, 64) of one model, of several languages.

    Args:
        seed: of the model.
    """

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self._mean = 0.3 * rng.standard_normal(64)
        self._mix = rng.standard_normal((16, 64)) * np.exp(rng.standard_normal(64))
        self._languages = rng.standard_normal((4, 64))

    def draw(self, n: int, seed: int, language: int = 0) -> np.ndarray:
        """Return vectors of texts of one language; languages lie far apart."""
        rng = np.random.default_rng(seed)
        subjects = rng.standard_normal((8, 16))[rng.integers(8, size=n)]
        meaning = (subjects + 0.5 * rng.standard_normal((n, 16))) @ self._mix / 8
        noise = 0.05 * rng.standard_normal((n, 64))
        x = meaning + self._mean + 2 * self._languages[language] + noise
        return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)
