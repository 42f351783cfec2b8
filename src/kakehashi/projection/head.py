"""An affine head: the one map that every closed form comes down to when it serves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..vectors import Float32Array, FloatArray, squared_norms, unit_rows


@dataclass(frozen=True, eq=False)
class AffineHead:
    """Carry vectors into the common space: ``y = unit(unit(x) @ weight + bias)``.

    Attributes:
        weight: (d_in, d_out) float32.
        bias: (d_out,) float32; the centring of the input, folded.
    """

    weight: Float32Array
    bias: Float32Array

    @classmethod
    def of(cls, weight: FloatArray, bias: FloatArray) -> AffineHead:
        """Build a head from float64 results of a fit."""
        return cls(np.ascontiguousarray(weight, np.float32), np.ascontiguousarray(bias, np.float32))

    def __call__(self, x: Float32Array) -> Float32Array:
        """Project (n, d_in) float32 -> (n, d_out) float32 of unit length."""
        lengths = np.sqrt(squared_norms(x))
        y = _product(x, self.weight)
        y /= lengths[:, None]
        y += self.bias
        return unit_rows(y)


def _product(x: Float32Array, weight: Float32Array) -> Float32Array:
    """Return ``x @ weight`` such that a row's bits do not depend on the size of its batch.

    BLAS computes a single row by another routine (gemv) that rounds differently; two rows take
    the matrix routine. A text then has one vector, whether it was embedded alone or in a batch.
    """
    if len(x) == 1:
        return (np.concatenate([x, x]) @ weight)[:1]
    return x @ weight
