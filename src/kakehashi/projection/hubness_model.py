"""A model of hubness that holds statistics of the training vectors, and none of the vectors.

The hubness of a document c is h(c), the mean of its ten largest products with a bank of training
queries (:mod:`.hubness`). A saved bank would be a list of vectors of texts, and such vectors can be
read back into text. So h is modelled. With b a query of the bank, of mean m and covariance
S = V diag(v) V', the model is linear in six numbers of c:

    m . c                                   how near the queries are in general
    |diag(v^(p/2)) V' c|,  p = 1/2, 1, 2    how widely they spread in the direction of c
    the largest product with a centroid, and the mean of the three largest

Were queries normally distributed, their products with c would have the mean m . c and the deviation
of p = 1, and a mean of the largest would be a sum of the two. The other two spreads weigh frequent
directions less and more. Centroids of k-means (Lloyd, 1982) tell where queries lie close together.
Each is the mean of eight vectors or more, and one that is nearly the vector of a text is left out.

Least squares fits the weights to the h of training documents; for a document of the bank's own
pairs its partner does not count, since a new document has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..vectors import Float32Array, Float64Array, chunks, thinned, unit_rows
from .centroids import NEAREST, centroids
from .exact import GRID, exact_product, on_grid

N_NEIGHBOURS = 10
_POWERS = (0.5, 1.0, 2.0)
_NEAREST = 3
_REGRESSED = 2048
"""Documents that seven weights learn as much from as from more."""
_NEGLIGIBLE = 1e-7
"""Share of the largest variance; below that rounding decides."""
_RIDGE = 1e-4
"""Of standardised numbers: where two say the same, both get half."""
PARTS = ("directions", "spreads", "weights")


@dataclass(frozen=True, eq=False)
class HubnessModel:
    """The hubness of documents of one modality.

    Attributes:
        directions: (d, r + 1 + k) float32 on the grid of :mod:`.exact`: r principal directions of
            the bank, its mean, and k centroids; k is 0 where a bank has too few for three.
        spreads: (3, r) float32, v^(p/2) of each direction.
        weights: (5,) float32, or (7,) with centroids: a constant, then as above.
    """

    directions: Float32Array
    spreads: Float32Array
    weights: Float32Array

    @classmethod
    def of(cls, documents: Float32Array, bank: Float32Array) -> HubnessModel:
        """Model h of documents.

        Args:
            documents: (m, d) unit vectors; the i-th is the partner of the i-th of the bank.
            bank: (m, d) unit vectors of the other modality.
        """
        mean = bank.mean(axis=0)
        values, vectors = _spread(bank, mean)
        spreads = np.stack([values ** (p / 2) for p in _POWERS])
        means = centroids(bank)
        if len(means) < _NEAREST:
            means = means[:0]
        directions = np.concatenate([vectors, mean[:, None], means.T], axis=1)
        model = cls(
            np.ascontiguousarray(on_grid(directions), np.float32),
            np.ascontiguousarray(spreads, np.float32),
            np.zeros(len(_POWERS) + 2 + 2 * bool(len(means)), np.float32),
        )
        rows = np.arange(len(documents))[thinned(len(documents), _REGRESSED)]
        numbers = model._numbers(documents[rows] @ model.directions)
        return cls(model.directions, model.spreads, _fit(numbers, _h(documents, bank, rows)))

    def __call__(self, documents: Float32Array, *, roughly: bool = False) -> Float32Array:
        """Return h of (n, d) unit vectors, (n,), between -1 and 1.

        Args:
            roughly: in float32; otherwise a row's bits do not depend on the others.
        """
        h = np.empty(len(documents), np.float32)
        for part in chunks(len(documents), 2048):
            products: Any = (
                documents[part] @ self.directions
                if roughly
                else exact_product(documents[part], self._scaled)
            )
            weighted = self._numbers(products) * self.weights[1:]
            h[part] = weighted.sum(axis=1) + self.weights[0]
        return h.clip(-1, 1)

    def check(self) -> None:
        """Raise ValueError where the tensors do not fit together."""
        n, weights = len(_POWERS), self.weights.shape
        if self.directions.ndim != 2 or self.spreads.ndim != 2 or len(self.spreads) != n:
            raise ValueError("a model of hubness is not made of matrices")
        k = self.directions.shape[1] - self.spreads.shape[1] - 1
        if weights != (n + 2 + (2 if k else 0),) or (k and k < _NEAREST):
            raise ValueError("the parts of a model of hubness do not fit together")

    def _numbers(self, products: Any) -> Any:
        """Return the numbers of each document from its products: (n, r + 1 + k) -> (n, 4 or 6)."""
        r = self.spreads.shape[1]
        within, mean, near = products[:, :r], products[:, r], products[:, r + 1 :]
        columns = [mean]
        for spread in self.spreads:
            stretched = within * spread
            columns.append(np.sqrt(np.einsum("ij,ij->i", stretched, stretched)))
        if near.shape[1]:
            nearest = np.partition(near, -_NEAREST, axis=1)[:, -_NEAREST:]
            nearest.sort(axis=1)  # a fixed order of summation
            columns += [nearest[:, -1], nearest.mean(axis=1)]
        return np.stack(columns, axis=1)

    @cached_property
    def _scaled(self) -> NDArray[np.float64]:
        return self.directions.astype(np.float64) / GRID


def _spread(bank: Float32Array, mean: Float32Array) -> tuple[Float64Array, Float64Array]:
    """Return variances (r,) and principal directions (d, r) of a bank.

    A direction that is nearly that of one vector from the mean is left out: it stands for a text.
    """
    centred = bank - mean
    covariance = (centred.T @ centred).astype(np.float64) / len(bank)
    values, vectors = np.linalg.eigh(covariance)
    alike = np.abs(unit_rows(centred) @ vectors.astype(np.float32)).max(axis=0)
    kept = (values > _NEGLIGIBLE * values.max()) & (alike < NEAREST)
    return values[kept], vectors[:, kept]


def _h(documents: Float32Array, bank: Float32Array, rows: NDArray[np.intp]) -> Float64Array:
    """Return h of some of the documents, without the products of partners."""
    products = documents[rows] @ bank.T
    products[np.arange(len(rows)), rows] = -np.inf
    k = min(N_NEIGHBOURS, max(len(bank) - 1, 1))
    largest = np.partition(products, -k, axis=1)[:, -k:].astype(np.float64)
    means: Float64Array = np.where(np.isfinite(largest), largest, 0).mean(axis=1)
    return means


def _fit(numbers: Float32Array, h: Float64Array) -> Float32Array:
    """Return a constant and the weights that least squares gives: (m, c) -> (c + 1,)."""
    x = numbers.astype(np.float64)
    mean, deviation = x.mean(axis=0), x.std(axis=0)
    deviation = np.where(deviation > 1e-9, deviation, np.inf)  # a constant number weighs nothing
    x = (x - mean) / deviation
    gram = x.T @ x + _RIDGE * len(x) * np.eye(x.shape[1])
    slopes = np.linalg.solve(gram, x.T @ (h - h.mean())) / deviation
    return np.concatenate([[h.mean() - slopes @ mean], slopes]).astype(np.float32)


def model_of(tensors: Mapping[str, NDArray[Any]], prefix: str) -> HubnessModel:
    """Rebuild a model from the tensors of a projection.

    Raises:
        KeyError: one of them is missing.
    """
    return HubnessModel(*(tensors[f"{prefix}.{part}"] for part in PARTS))


def tensors_of(model: HubnessModel, prefix: str) -> dict[str, NDArray[Any]]:
    """Return the tensors of a model by name."""
    return {f"{prefix}.{part}": getattr(model, part) for part in PARTS}
