"""Checks and small operations on arrays of embedding vectors, shared by the whole package."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import VectorError

FloatArray = NDArray[np.floating[Any]]
Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]

WANTED = (
    "Pass an array (n, d) or lists of numbers, one row a text (of a torch tensor: "
    ".detach().cpu().numpy())."
)
"""What vectors have to be, for errors over something else."""

_AS_IT_IS = nullcontext()

CHUNK_ROWS = 8192
"""Rows handled at a time wherever a set may be larger than memory (12 MB of 384 float32)."""


def chunks(n_rows: int, size: int = CHUNK_ROWS) -> Iterator[slice]:
    """Yield consecutive slices that cover ``n_rows`` rows."""
    for start in range(0, n_rows, size):
        yield slice(start, min(start + size, n_rows))


def thinned(n_rows: int, at_most: int) -> slice:
    """Return a slice that takes every k-th row, so that no more than ``at_most`` are left."""
    return slice(None, None, max(1, -(-n_rows // at_most)))


def spread(n_rows: int, at_most: int) -> list[int]:
    """Return the numbers of all rows, or of so many that are spread evenly from first to last."""
    return [round(row) for row in np.linspace(0, n_rows - 1, min(n_rows, at_most))]


def drawn(n_rows: int, at_most: int, seed: int) -> NDArray[np.intp]:
    """Return the numbers of all rows, or so many of them at random, in ascending order."""
    if n_rows <= at_most:
        return np.arange(n_rows)
    return np.sort(np.random.default_rng(seed).choice(n_rows, at_most, replace=False))


def squared_norms(x: Float32Array) -> Float32Array:
    """Return the squared length of each row: (n, d) -> (n,).

    ``einsum`` sums every row by itself, so a row's result does not depend on its neighbours.
    """
    result: Float32Array = np.einsum("ij,ij->i", x, x)
    return result


def unit_rows(x: Float32Array) -> Float32Array:
    """Scale each row to length one: (n, d) -> (n, d). A zero row stays zero."""
    norms = np.sqrt(squared_norms(x))
    norms[norms == 0] = 1
    result: Float32Array = np.divide(x, norms[:, None], dtype=np.float32)
    return result


def as_array(vectors: Any, what: str) -> NDArray[Any]:
    """Return ``vectors`` as an array of any type and shape.

    Raises:
        VectorError: rows of different lengths, or something that cannot become an array.
    """
    try:
        return np.asarray(vectors)
    except ValueError as error:
        raise VectorError(f"{what}: rows have different lengths; all need the same.") from error
    except (TypeError, RuntimeError) as error:  # torch's, over a tensor with a gradient or on a GPU
        raise VectorError(f"{what}: {str(error).rstrip('.')}. {WANTED}") from error


def as_matrix(
    vectors: Any,
    *,
    dimension: int | None = None,
    what: str = "vectors",
    row_name: Callable[[int], str] = "row {}".format,
) -> Float32Array:
    """Return ``vectors`` as a C-contiguous float32 matrix of finite, non-zero rows.

    Args:
        vectors: (n, d), float16, float32 or float64, or lists of numbers.
        dimension: the d that is required, if any.
        what: how an error names the array.
        row_name: how an error names a row, by its number.

    Raises:
        VectorError: not two-dimensional, another dimension, not floating point, or a row with
            NaN, an infinite value or only zeros; the message names the first such row.
    """
    array = as_array(vectors, what)
    if array.dtype.kind not in "fiu" or array.ndim != 2:
        raise VectorError(
            f"{what}: expected a matrix (n, d) of float16, float32 or float64, "
            f"got shape {array.shape} of {array.dtype}."
        )
    if dimension is not None and array.shape[1] != dimension:
        raise VectorError(
            f"{what}: expected dimension {dimension}, got {array.shape[1]}. "
            "Is this the encoder that the aligner was trained with?"
        )
    # A float64 beyond float32 becomes infinite. A sum of squares is finite and positive exactly
    # where every value is finite and one is not 0.
    with np.errstate(over="ignore", invalid="ignore") if array.dtype != np.float32 else _AS_IT_IS:
        matrix = np.ascontiguousarray(array, dtype=np.float32)
    norms = squared_norms(matrix)
    good = (norms > 0) & (norms < np.inf)
    if not good.all():
        row = int(np.argmin(good))
        raise VectorError(f"{what}: {row_name(row)} {describe_bad_row(matrix[row])}.")
    return matrix


def describe_bad_row(row: FloatArray) -> str:
    """Say in words why a vector cannot be used."""
    if np.isnan(row).any():
        return "contains NaN"
    if not np.isfinite(row).all():
        return "contains an infinite value"
    if not row.any():
        return "is all zeros"
    return "is too large or too small for float32"
