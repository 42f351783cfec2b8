"""Query-bank hubness correction: documents that are near to every query give up some score.

In high dimensions a few documents are among the nearest neighbours of very many queries. The
correction subtracts from a document's score what it earns from queries in general:

    s'(q, c) = q . c - strength * h(c),    h(c) = mean of the k largest b . c over a bank of queries

(Lample et al., Word translation without parallel data, 2018, "CSLS".) (Bogolin et al., Cross modal
retrieval with querybank normalisation, 2022.) h depends on the document alone, so it folds into
the stored vector and any vector store can serve it:

    stored  (c, -strength * h, f) / R       R = sqrt(1 + strength^2), f fills up to length one
    query   (q, 1, 0) / sqrt(2)

Both have length one, so inner product, cosine and Euclidean distance all rank by s'. A model of h
(:mod:`.hubness_model`) stands in for the bank, whose vectors could be read back into text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..vectors import Float32Array, FloatArray, chunks, squared_norms, unit_rows
from .hubness_model import N_NEIGHBOURS, HubnessModel

_SAME_FOLD = 1e-4
"""Largest distance of a stored vector from the same vector folded again: stores round a little."""
_LEAST_VARIANCE = 1e-2
"""Of the mean variance: a document at the middle, whose score is always zero, has no logarithm."""
Spread = tuple[FloatArray, FloatArray]
MAX_BANK = 4096
"""Bank rows of a fit; a random sample of the training queries beyond that."""


@dataclass(frozen=True, eq=False)
class HubnessCorrection:
    """The correction of ``shared`` mode, folded into two more dimensions.

    Attributes:
        models: the hubness of documents of each modality, among queries of the other one.
        strength: factor of h in the subtraction.
    """

    models: dict[str, HubnessModel]
    strength: float

    def fold(
        self, y: Float32Array, *, modality: str, role: str, roughly: bool = False
    ) -> Float32Array:
        """Extend unit vectors (n, d) to the (n, d + 2) unit vectors that are stored or asked."""
        extended = np.zeros((len(y), y.shape[1] + 2), dtype=np.float32)
        if role == "query":
            extended[:, :-2] = y
            extended[:, -2] = 1
            extended /= np.float32(np.sqrt(2))
            return extended
        pull = np.float32(self.strength) * self.models[modality](y, roughly=roughly)
        extended[:, :-2] = y
        extended[:, -2] = -pull
        extended[:, -1] = np.sqrt(np.maximum(0, np.float32(self.strength**2) - pull**2))
        extended /= np.float32(np.sqrt(1 + self.strength**2))
        return extended

    def made(self, stored: Float32Array, modality: str) -> bool:
        """Whether most of (n, d + 2) stored document vectors were folded with these models.

        The first d numbers of a stored vector decide about the last two. Another map, another model
        or no correction gives others.
        """
        unit = unit_rows(stored)
        again = self.fold(unit_rows(unit[:, :-2]), modality=modality, role="document")
        distances = np.sqrt(squared_norms(unit - again))
        return bool((distances <= _SAME_FOLD).mean() > 0.5)


def hubness(documents: Float32Array, bank: Float32Array) -> Float32Array:
    """Return h of (n, d) documents against an (m, d) bank in float32, (n,)."""
    parts = [_mean_of_largest(documents[part] @ bank.T) for part in chunks(len(documents), 2048)]
    return np.concatenate(parts)


def _mean_of_largest(products: Any) -> Any:
    k = min(N_NEIGHBOURS, products.shape[1])
    nearest = np.partition(products, -k, axis=1)[:, -k:]
    nearest.sort(axis=1)  # a fixed order of summation
    return nearest.mean(axis=1)


def hubness_by_spread(
    documents: Float32Array, queries: Float32Array, covariance: FloatArray
) -> FloatArray:
    """Return h of (n, d) unit documents by the spread of their scores, (n,).

    A document far from the middle scores high with many queries and low with many. So a score
    counts in units of its document's spread (the z-norm of speaker verification: Reynolds,
    Comparison of background normalization methods, 1997). Near the score t of a best document this
    subtracts h(c) = t * log(spread of q . c over all queries q).

    Args:
        queries: (m, d) projected queries of unit length; they tell t.
        covariance: (d, d) of projected queries before they get unit length.
    """
    centred = documents - documents.mean(axis=0, dtype=np.float64)
    variance = np.einsum("ij,ij->i", centred @ covariance, centred)
    floor = max(_LEAST_VARIANCE * float(variance.mean()), 1e-12)
    best = float(np.median((queries @ centred.T).max(axis=1)))
    h: FloatArray = best * np.log(np.maximum(variance, floor)) / 2
    return h


def spread_of(documents: Float32Array) -> Spread:
    """Return eigenvalues (d,) and eigenvectors (d, d) of the covariance of (n, d) documents."""
    centred = documents - documents.mean(axis=0, dtype=np.float64)
    values, vectors = np.linalg.eigh(centred.T @ centred / len(documents))
    return values.clip(0), vectors


@dataclass(frozen=True, eq=False)
class QueryPull:
    """The correction of ``keep`` mode: a shift of the query that stands in for it.

    Stored vectors must not change, but a query that moves by ``o`` changes the score of document c
    by ``o . c``. The best linear stand-in for ``-strength * h(c)`` is a ridge regression of h on
    documents of the index:

        o = -strength * (C + reg * mean_variance * I)^-1 cov(c, h)

    Attributes:
        values, vectors: eigenvalues (d,) and eigenvectors (d, d) of the documents' covariance C.
        slope: (d,), cov(c, h) in that basis.
    """

    values: FloatArray
    vectors: FloatArray
    slope: FloatArray

    @classmethod
    def of(cls, documents: Float32Array, h: FloatArray, spread: Spread | None = None) -> QueryPull:
        """Regress the hubness h, (n,), of (n, d) unit documents.

        Args:
            spread: that of the documents, where it is known.
        """
        values, vectors = spread_of(documents) if spread is None else spread
        # The mean of the documents is a constant, of which h - h.mean() takes nothing.
        slope = vectors.T @ (documents.T @ (h - h.mean()) / len(documents))
        return cls(values, vectors, slope)

    def offset(self, strength: float, reg: float) -> Float32Array:
        """Return the (d,) shift of a query."""
        # A constant column, or a single document, leaves nothing to regress on: the shift is zero.
        ridge = reg * max(float(self.values.mean()), 1e-12)
        shift = self.vectors @ (self.slope / (self.values + ridge))
        return (-strength * shift).astype(np.float32)
