"""Heads: an affine map into the common space, alone or with a small network beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..vectors import Float32Array, FloatArray, chunks, squared_norms, unit_rows
from .exact import GRID, exact_product, on_grid

_TINY = 1e-150  # a row that the map sends to zero stays zero


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
        projected = np.empty((len(x), self.weight.shape[1]), dtype=np.float32)
        for part in chunks(len(x), 1024):
            y = self._before_scaling(x[part])
            y /= np.sqrt(np.einsum("ij,ij->i", y, y)).clip(_TINY)[:, None]
            projected[part] = y
        return projected

    def _before_scaling(self, x: Float32Array) -> NDArray[np.float64]:
        return exact_product(x, self._scaled) + self.bias

    def roughly(self, x: Float32Array) -> Float32Array:
        """Project in float32 throughout: half the time, and bits that depend on the batch.

        Good enough to compare hyper-parameters, of which a fit tries hundreds.
        """
        return unit_rows(unit_rows(x) @ self.weight + self.bias)

    def check(self) -> None:
        """Raise ValueError where the tensors do not fit together."""
        if self.weight.ndim != 2 or self.bias.shape != self.weight.shape[1:]:
            raise ValueError("a head's weight and bias do not fit together")

    @cached_property
    def _scaled(self) -> NDArray[np.float64]:
        return self.weight.astype(np.float64) / GRID


@dataclass(frozen=True, eq=False)
class ResidualHead(AffineHead):
    """An affine head and a network of one hidden layer beside it.

        y = unit(x W + b + relu(x U + u) D),   x of unit length

    Attributes:
        up: (d_in, hidden) float32, U, on the grid.
        up_bias: (hidden,) float32, u.
        down: (hidden, d_out) float32, D, on the grid.
    """

    up: Float32Array
    up_bias: Float32Array
    down: Float32Array

    def _before_scaling(self, x: Float32Array) -> NDArray[np.float64]:
        hidden = np.maximum(exact_product(x, self._scaled_up) + self.up_bias, 0).astype(np.float32)
        # The product is of directions; a row's length is its own sum, whatever the batch.
        lengths = np.sqrt(squared_norms(hidden)).astype(np.float64)
        network = exact_product(hidden, self._scaled_down) * lengths[:, None]
        return super()._before_scaling(x) + network

    def roughly(self, x: Float32Array) -> Float32Array:
        """Project in float32 throughout, as :meth:`AffineHead.roughly`."""
        x = unit_rows(x)
        hidden = np.maximum(x @ self.up + self.up_bias, 0)
        return unit_rows(x @ self.weight + self.bias + hidden @ self.down)

    def check(self) -> None:
        """Raise ValueError where the tensors do not fit together."""
        super().check()
        hidden = self.up.shape[1:]
        if (
            self.up.ndim != 2
            or self.up.shape[:1] != self.weight.shape[:1]
            or self.up_bias.shape != hidden
        ):
            raise ValueError("a head's hidden layer does not fit its input")
        if self.down.shape != (*hidden, self.weight.shape[1]):
            raise ValueError("a head's hidden layer does not fit its output")

    @cached_property
    def _scaled_up(self) -> NDArray[np.float64]:
        return self.up.astype(np.float64) / GRID

    @cached_property
    def _scaled_down(self) -> NDArray[np.float64]:
        return self.down.astype(np.float64) / GRID


Head = AffineHead
_AFFINE, _RESIDUAL = ("weight", "bias"), ("weight", "bias", "up", "up_bias", "down")


def grid_weight(weight: FloatArray) -> Float32Array:
    """Round a matrix to the grid of its own range, as float32."""
    weight = np.asarray(weight, np.float64)
    largest = float(np.abs(weight).max())
    scale = 2.0 ** np.ceil(np.log2(largest)) if largest > 0 else 1.0
    return np.ascontiguousarray(on_grid(weight / scale) * scale, np.float32)


def tensors_of(head: Head) -> dict[str, Float32Array]:
    """Return a head's tensors by name."""
    names = _RESIDUAL if isinstance(head, ResidualHead) else _AFFINE
    return {name: getattr(head, name) for name in names}


def head_of(tensors: Mapping[str, NDArray[Any]], side: str) -> Head | None:
    """Rebuild the head of one side from all tensors of a projection; None if there is none.

    Raises:
        KeyError: some of its tensors are missing.
    """
    if f"{side}.weight" not in tensors:
        return None
    residual = f"{side}.up" in tensors
    names = _RESIDUAL if residual else _AFFINE
    return (ResidualHead if residual else AffineHead)(*(tensors[f"{side}.{n}"] for n in names))
