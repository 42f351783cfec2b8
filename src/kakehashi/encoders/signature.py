"""The signature of an encoder's space: tells its vectors from others without the encoder.

Real encoders fill their space unevenly: they prefer some directions, and each encoder others. The
mean energy of vectors in the preferred directions is high for vectors of the same encoder, also of
texts on another subject. For vectors of another encoder it is what it would be if their coordinates
were shuffled.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..vectors import Float32Array, FloatArray, drawn, squared_norms, unit_rows

_DIRECTIONS, _VECTORS_PER_DIRECTION = 16, 8
"""Directions kept at most, and vectors that a direction is learned from at least: so no vector of
a text can be read out of them."""
_MAX_VECTORS = 4096
_SHUFFLES, _STANDARD_DEVIATIONS = 64, 10.0
"""Shuffles that show what chance gives, and how far above it vectors of the encoder have to be.
Measured with benchmarks/signatures.py, on samples of 32 vectors: no other space was above 4.
MiniLM was above 97 on the subject of the signature each time, and above 10 in .82 of samples of
other languages and subjects. In the rest the encoder is asked."""


@dataclass(frozen=True, eq=False)
class SpaceSignature:
    """The directions that vectors of an encoder prefer.

    Attributes:
        directions: (k, d) float32, the first eigenvectors of the second moments of unit vectors,
            each as long as the root of its eigenvalue.
    """

    directions: Float32Array

    @classmethod
    def of(cls, vectors: FloatArray, seed: int = 0) -> SpaceSignature | None:
        """Learn the signature from (n, d) vectors; None from too few."""
        rows = drawn(len(vectors), _MAX_VECTORS, seed)
        n_directions = min(_DIRECTIONS, len(rows) // _VECTORS_PER_DIRECTION, vectors.shape[1])
        if n_directions == 0:
            return None
        unit = unit_rows(np.asarray(vectors[rows], np.float32)).astype(np.float64)
        values, axes = np.linalg.eigh(unit.T @ unit / len(unit))
        scaled = axes[:, -n_directions:] * np.sqrt(values[-n_directions:].clip(0))
        return cls(np.ascontiguousarray(scaled.T, np.float32))

    def excess(self, vectors: Float32Array) -> float:
        """Return how far the energy of (n, d) vectors is above chance, in standard deviations."""
        unit, rng = unit_rows(vectors), np.random.default_rng(0)
        shuffled = [
            _energy(unit[:, rng.permutation(unit.shape[1])], self.directions)
            for _ in range(_SHUFFLES)
        ]
        spread = max(float(np.std(shuffled)), 1e-12)
        return (_energy(unit, self.directions) - float(np.mean(shuffled))) / spread

    def fits(self, vectors: Float32Array) -> bool:
        """Whether (n, d) vectors are surely of this encoder; False where they do not tell."""
        same = vectors.shape[1] == self.directions.shape[1]
        return same and self.excess(vectors) >= _STANDARD_DEVIATIONS

    @classmethod
    def from_state(cls, directions: Float32Array | None, dimension: int) -> SpaceSignature | None:
        """Rebuild a signature from a saved tensor; None where none was saved.

        Raises:
            ValueError: a tensor of another shape, or with values that are not finite.
        """
        if directions is None:
            return None
        sound = directions.ndim == 2 and directions.dtype == np.float32
        if not sound or directions.shape[1] != dimension or not np.isfinite(directions).all():
            raise ValueError(f"the signature is no (k, {dimension}) of finite float32")
        return cls(directions)


def _energy(unit: Float32Array, directions: Float32Array) -> float:
    return float(squared_norms(unit @ directions.T).mean())
