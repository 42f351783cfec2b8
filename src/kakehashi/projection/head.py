"""The head of a side: an affine map into the common space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..vectors import Float32Array, FloatArray, chunks, unit_rows
from .exact import GRID, exact_product, on_grid

_TINY = 1e-150  # a row that the map sends to zero stays zero
_ROWS = 1024  # projected at a time


@dataclass(frozen=True, eq=False)
class AffineHead:
    """Carry vectors into the common space: ``y = unit(unit(x) @ weight + bias)``.

    Attributes:
        weight: (d_in, d_out) float32, on the grid of :mod:`.exact`.
        bias: (d_out,) float32; the centring of the input, folded.
    """

    weight: Float32Array
    bias: Float32Array

    @classmethod
    def of(cls, weight: FloatArray, bias: FloatArray) -> AffineHead:
        """Build a head from float64 results of a fit."""
        return cls(grid_weight(weight), np.ascontiguousarray(bias, np.float32))

    def __call__(self, x: Float32Array) -> Float32Array:
        """Project (n, d_in) float32 -> (n, d_out) float32 of unit length.

        A row's bits depend on the row alone; see :mod:`.exact`.
        """
        if len(x) <= _ROWS:
            return self._exactly(x)
        return np.concatenate([self._exactly(x[part]) for part in chunks(len(x), _ROWS)])

    def _exactly(self, x: Float32Array) -> Float32Array:
        y = exact_product(x, self._scaled)
        y += self._bias
        y /= np.maximum(np.sqrt(np.einsum("ij,ij->i", y, y)), _TINY)[:, None]
        return y.astype(np.float32)

    def roughly(self, x: Float32Array) -> Float32Array:
        """Project in float32 throughout: half the time, and bits that depend on the batch.

        Good enough to compare the hundreds of settings that a fit tries.
        """
        return unit_rows(unit_rows(x) @ self.weight + self.bias)

    def check(self) -> None:
        """Raise ValueError where the tensors do not fit together."""
        if self.weight.ndim != 2 or self.bias.shape != self.weight.shape[1:]:
            raise ValueError("a head's weight and bias do not fit together")

    # What serves is held ready in float64: a query would take longer to convert it than to use it.

    @cached_property
    def _bias(self) -> NDArray[np.float64]:
        return self.bias.astype(np.float64)

    @cached_property
    def _scaled(self) -> NDArray[np.float64]:
        return self.weight.astype(np.float64) / GRID


def grid_weight(weight: FloatArray) -> Float32Array:
    """Round a matrix to the grid of its own range, as float32."""
    weight = np.asarray(weight, np.float64)
    largest = float(np.abs(weight).max())
    scale = 2.0 ** np.ceil(np.log2(largest)) if largest > 0 else 1.0
    return np.ascontiguousarray(on_grid(weight / scale) * scale, np.float32)


def head_of(tensors: Mapping[str, NDArray[Any]], side: str) -> AffineHead | None:
    """Rebuild the head of one side from all tensors of a projection; None if there is none.

    Raises:
        KeyError: some of its tensors are missing.
    """
    if f"{side}.weight" not in tensors:
        return None
    return AffineHead(tensors[f"{side}.weight"], tensors[f"{side}.bias"])
