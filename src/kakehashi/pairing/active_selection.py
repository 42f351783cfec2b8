"""select_for_pairing(): which unlabelled texts to pair next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Any

import numpy as np

from ..data.arguments import checked_seed, is_whole
from ..data.duplicates import find_leaks
from ..data.pairs import Pairs
from ..data.splits import Rows
from ..encoders import as_encoder
from ..encoders.cache import encode_texts
from ..errors import DataError
from ..projection.moments import Matrix
from ..vectors import Float32Array, as_matrix, chunks, unit_rows

PRIOR = 100.0
"""Strength of the ridge, in units of the mean variance of a dimension. The prior weighs as much as
this number of pairs. In `benchmarks/selection.py` 10 is nearly as good, 1,000 gives half the gain,
and 10,000 is worse than random choice."""

_CANDIDATES = 20_000
"""Texts to choose from (60 MB of 384 float64); the criterion still covers all texts."""


def select_for_pairing(
    unlabelled: Any,
    k: int,
    *,
    pairs: Pairs | None = None,
    encoder: Any = None,
    seed: int = 0,
) -> Rows:
    """Choose k source texts to pair next: those that tell most about all the others.

    The criterion is I-optimal design (transductive experimental design of Yu, Bi & Tresp, ICML
    2006). Take a ridge regression of targets on sources with noise of variance 1. Its uncertainty
    about a source x is x' A^-1 x, with A = r I + the sum of s s' over all paired sources s. Texts
    are chosen one after another. Each lowers the mean uncertainty over ``unlabelled`` most:

        mean over z of (z' A^-1 x)^2 / (1 + x' A^-1 x)

    Targets play no part, so texts can be chosen before any is paired. The first texts of a choice
    are the choice of fewer texts with the same seed. Chosen texts lie far apart, so validation
    scores among them are too high. Judge a fit on chosen pairs by a random test set (``test=`` of
    :func:`kakehashi.fit`). ``benchmarks/selection.py`` measures the gain.

    Args:
        unlabelled: (n, d) vectors of any float dtype, or n texts with ``encoder``. They stand for
            the queries to come, so leave out only texts that cannot be paired.
        k: number of texts to choose.
        pairs: existing pairs in the same source space; their texts are not chosen again.
        encoder: of the source, as :func:`kakehashi.encoders.as_encoder` takes it; for texts.
        seed: draws 20,000 candidates from more texts, and orders texts of equal gain.

    Returns:
        (k,) positions in ``unlabelled``, the most useful first; equal texts are chosen once.

    Raises:
        DataError: k is out of range, texts without an encoder, texts in no order (a set), pairs
            of another dimension, or an unusable seed.
        VectorError: vectors that cannot be used.
        EncoderError: the encoder or its vectors cannot be used.
    """
    seed = checked_seed(seed)
    pool, texts = _vectors_of(unlabelled, encoder)
    paired = pool[:0] if pairs is None else _paired_vectors(pairs, pool.shape[1], encoder)
    unpaired = _unpaired_rows(pool, texts, pairs, paired)
    n = len(unpaired)
    if not is_whole(k) or not 1 <= k <= n:
        allowed = f"choose a number from 1 to {n}" if n else "give other texts"
        raise DataError(
            f"k={k!r}: of the {len(pool)} unlabelled texts {n} are different and not paired "
            f"yet; {allowed}."
        )
    candidates = np.random.default_rng(seed).permutation(unpaired)[: max(_CANDIDATES, int(k))]
    mean, covariance = _moments(pool)
    x, s = (unit_rows(v) - mean for v in (pool[candidates], paired))
    strength = max(PRIOR * float(np.trace(covariance)) / len(covariance), 1e-12)
    chosen: Rows = candidates[greedy(x, s, covariance, int(k), strength)]
    return chosen


def _unpaired_rows(
    pool: Float32Array, texts: list[str] | None, pairs: Pairs | None, paired: Float32Array
) -> Rows:
    """Return the first row of each different text that is not paired yet."""
    unlabelled = Pairs(texts, texts, source_vectors=pool, target_vectors=pool)
    usable = np.zeros(len(pool), dtype=bool)
    usable[np.unique(unlabelled.keys("source"), return_index=True)[1]] = True
    if pairs is not None:
        usable[find_leaks(unlabelled, Pairs(source_vectors=paired, target_vectors=paired))] = False
        if texts is not None and pairs.source_texts is not None:
            usable &= ~np.isin(unlabelled.keys("source"), pairs.keys("source"))
    return np.flatnonzero(usable)


def greedy(x: Matrix, paired: Matrix, covariance: Matrix, k: int, strength: float) -> Rows:
    """Choose k rows of ``x`` one after another, each the best in addition to those before it.

    With M = A^-1, and C the second moments of all unlabelled texts, a row has the gain
    x' M C M x / (1 + x' M x). Choosing s turns M into M - u u' / c, where u = M s and
    c = 1 + s' M s (Sherman & Morrison 1950). Both terms of every row then follow from x' u and
    x' M C u, so a step costs two products of a vector with the n rows.

    Args:
        x: (n, d) candidates.
        paired: (m, d) rows that A already holds.
        covariance: (d, d), C.
        strength: r, of A = r I + paired' paired.

    Returns:
        (k,) rows of ``x``, each once.
    """
    m = np.linalg.inv(strength * np.eye(x.shape[1]) + paired.T @ paired)
    xm = x @ m
    variance = np.einsum("ij,ij->i", xm, x)
    gain = np.einsum("ij,ij->i", xm @ covariance, xm)
    available = np.ones(len(x), dtype=bool)
    chosen = np.empty(k, dtype=np.intp)
    for step in range(k):
        best = int(np.argmax(np.where(available, gain / (1 + variance), -np.inf)))
        chosen[step], available[best] = best, False
        u = m @ x[best]
        c = 1 + x[best] @ u
        along, cu = x @ u, covariance @ u
        gain += along * (along * (u @ cu) / c - 2 * (x @ (m @ cu))) / c
        variance -= along**2 / c
        m -= np.outer(u, u) / c
    return chosen


def _moments(pool: Float32Array) -> tuple[Matrix, Matrix]:
    """Return the mean and the covariance of the unit vectors, read in chunks."""
    d = pool.shape[1]
    total, products = np.zeros(d), np.zeros((d, d))
    for part in chunks(len(pool)):
        rows = unit_rows(pool[part])
        total += rows.sum(axis=0, dtype=np.float64)
        products += rows.T @ rows
    mean = total / len(pool)
    return mean, products / len(pool) - np.outer(mean, mean)


def _vectors_of(unlabelled: Any, encoder: Any) -> tuple[Float32Array, list[str] | None]:
    if isinstance(unlabelled, str):
        raise DataError("unlabelled is one string; pass a list of strings, or vectors (n, d).")
    if not isinstance(unlabelled, Iterable) or isinstance(unlabelled, (Set, Mapping)):
        raise DataError(
            f"unlabelled: got {type(unlabelled).__name__}, in which no position means anything; "
            "pass a list of strings, or vectors (n, d)."
        )
    if isinstance(unlabelled, Iterator):
        unlabelled = list(unlabelled)  # it can be read only once
    if not isinstance(unlabelled, np.ndarray) and all(isinstance(t, str) for t in unlabelled):
        texts = list(unlabelled)
        if not texts:
            raise DataError("There are no unlabelled texts to choose from.")
        if encoder is None:
            raise DataError("unlabelled holds texts; pass encoder=, the source encoder.")
        return encode_texts(as_encoder(encoder), texts, "query"), texts
    return as_matrix(unlabelled, what="unlabelled vectors"), None


def _paired_vectors(pairs: Pairs, dimension: int, encoder: Any) -> Float32Array:
    """Return the source vectors of the existing pairs, (m, d)."""
    vectors = pairs.source_vectors
    if vectors is None:
        if encoder is None:
            raise DataError("The source side of pairs has texts only; pass encoder=.")
        return encode_texts(as_encoder(encoder), pairs.source_texts or (), "query")
    if vectors.shape[1] != dimension:
        raise DataError(
            f"The source vectors of pairs have dimension {vectors.shape[1]}, the unlabelled ones "
            f"{dimension}; encode both alike."
        )
    return np.asarray(vectors, np.float32)
