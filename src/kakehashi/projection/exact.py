"""Products whose bits do not depend on the batch.

BLAS sums a dot product in an order that depends on the batch, the number of threads and the
machine. In floating point every order rounds differently. A text would then get other last bits
alone than among others, or from a framework with other batches.

A sum has the same bits in every order if no partial sum rounds. Both operands are put on a grid of
2^-22 of their range, so a product of two is a multiple of 2^-44. A sum over d products is at most
sqrt(d) (Cauchy-Schwarz, for a unit vector). float64 holds all multiples of 2^-44 below 2^9
exactly. That is enough up to 262,144 dimensions. The grid moves a unit vector by about 1e-6.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..vectors import Float32Array, FloatArray, squared_norms

GRID = 2.0**22
_GRID, _TINY = np.float32(GRID), np.float32(1e-25)  # a row of zeros stays zero


def on_grid(x: FloatArray) -> FloatArray:
    """Round values of at most 1 to the nearest multiple of 2^-22."""
    result: FloatArray = np.rint(x * x.dtype.type(GRID)) / x.dtype.type(GRID)
    return result


def exact_product(x: Float32Array, scaled: NDArray[np.float64]) -> NDArray[np.float64]:
    """Multiply the directions of (n, d) vectors with a matrix (d, m) on the grid, exactly.

    Args:
        scaled: the matrix divided by ``GRID``.

    Returns:
        (n, m) float64.
    """
    lengths = np.maximum(np.sqrt(squared_norms(x)), _TINY)
    on_integers = x * (_GRID / lengths)[:, None]
    np.rint(on_integers, out=on_integers)
    result: NDArray[np.float64] = on_integers.astype(np.float64) @ scaled
    return result
