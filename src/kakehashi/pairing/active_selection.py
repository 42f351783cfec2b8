"""select_for_pairing(): which unlabelled texts to pair next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.duplicates import find_leaks
from ..data.pairs import Pairs
from ..data.validation import checked_seed
from ..encoders import as_encoder
from ..encoders.cache import encode_texts
from ..errors import DataError
from ..vectors import Float32Array, as_matrix, chunks, unit_rows

Matrix = NDArray[np.float64]
Rows = NDArray[np.intp]

PRIOR = 100.0
"""How many pairs the regression is thought to lean on its prior for: the strength of the ridge in
units of the mean variance of a dimension. `benchmarks/selection.py` has 10 nearly as good, 1,000
half as good, and 10,000 worse than random choice."""

_CANDIDATES = 20_000
"""Texts that are looked at (60 MB of 384 float64); what they are to predict is all of them."""


def select_for_pairing(
    unlabelled: Any,
    k: int,
    *,
    pairs: Pairs | None = None,
    encoder: Any = None,
    seed: int = 0,
) -> Rows:
    """Choose k source texts to pair next: those that tell most about all the others.

    A ridge regression of the targets on the sources, whose noise has variance 1, is as unsure
    about a source x as x' A^-1 x, with A = r I + the sum of s s' over all paired sources s. One
    after another, the text is chosen that lowers the mean of this over all of ``unlabelled`` most
    (I-optimal design; transductive experimental design of Yu, Bi & Tresp, ICML 2006):

        mean over z of (z' A^-1 x)^2 / (1 + x' A^-1 x)

    Targets play no part, so the choice can be made before anything is paired. Whoever chooses
    fewer texts with the same seed gets the first of these.

    What it is worth (`benchmarks/selection.py`): where the two encoders differ, 100 chosen pairs
    gave a fit more than 100 random ones, on average over five draws; where both sides share one
    encoder the evidence is mixed, and on one of four sets random pairs were as good or better.
    Past a few hundred pairs little is left to gain. Chosen texts lie far apart, so what
    validation scores among them is too high, and it chooses among the closed forms less surely:
    judge by a random test set (``test=`` of :func:`kakehashi.fit`), never by chosen pairs.

    Args:
        unlabelled: (n, d) vectors of any float dtype, or n texts, then with ``encoder``. They
            stand for what will be asked: leave nothing out but what cannot be paired. A generator
            of either is listed first.
        k: how many to choose.
        pairs: what is paired already, in the same source space; its texts are not chosen again.
        encoder: of the source, as :func:`kakehashi.encoders.as_encoder` takes it; for texts.
        seed: of the 20,000 candidates that are drawn where there are more texts, and of the order
            in which texts that are worth the same are preferred.

    Returns:
        (k,) positions in ``unlabelled``, the most useful first. A text that stands there twice is
        chosen once.

    Raises:
        DataError: k is not between 1 and the number of different texts that are not paired yet,
            texts without an encoder, texts in no order (a set), pairs of another dimension, or a
            seed that is none.
        VectorError: vectors that cannot be used.
        EncoderError: the encoder cannot be loaded, or what it returns cannot be used.
    """
    seed = checked_seed(seed)
    pool, texts = _vectors_of(unlabelled, encoder)
    given = Pairs(texts, texts, source_vectors=pool, target_vectors=pool)
    free = np.zeros(len(pool), dtype=bool)
    free[np.unique(given.keys("source"), return_index=True)[1]] = True
    known = pool[:0]
    if pairs is not None:
        known = _known(pairs, pool.shape[1], encoder)
        free[find_leaks(given, Pairs(source_vectors=known, target_vectors=known))] = False
        if texts is not None and pairs.source_texts is not None:
            free &= ~np.isin(given.keys("source"), pairs.keys("source"))
    n_free = int(free.sum())
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or not 1 <= k <= n_free:
        allowed = f"choose a number from 1 to {n_free}" if n_free else "give other texts"
        raise DataError(
            f"k={k!r}: of the {len(pool)} unlabelled texts {n_free} are different and not paired "
            f"yet; {allowed}."
        )
    candidates = np.random.default_rng(seed).permutation(np.flatnonzero(free))
    candidates = candidates[: max(_CANDIDATES, int(k))]
    mean, covariance = _moments(pool)
    x, s = (unit_rows(v) - mean for v in (pool[candidates], known))
    strength = max(PRIOR * float(np.trace(covariance)) / len(covariance), 1e-12)
    chosen: Rows = candidates[greedy(x, s, covariance, int(k), strength)]
    return chosen


def greedy(x: Matrix, known: Matrix, covariance: Matrix, k: int, strength: float) -> Rows:
    """Choose k rows of ``x`` one after another, each the best beside those before it.

    With M = A^-1 and C the second moments of what is to be predicted, a row is worth
    x' M C M x / (1 + x' M x). Choosing s turns M into M - u u' / c, where u = M s and
    c = 1 + s' M s (Sherman & Morrison 1950), so that both terms of every row follow from x' u
    and x' M C u: a step costs two products of a vector with the n rows.

    Args:
        x: (n, d) candidates.
        known: (m, d) rows that A holds already.
        covariance: (d, d), C.
        strength: r, of A = r I + known' known.

    Returns:
        (k,) rows of ``x``, each once.
    """
    m = np.linalg.inv(strength * np.eye(x.shape[1]) + known.T @ known)
    xm = x @ m
    variance = np.einsum("ij,ij->i", xm, x)
    gain = np.einsum("ij,ij->i", xm @ covariance, xm)
    free = np.ones(len(x), dtype=bool)
    chosen = np.empty(k, dtype=np.intp)
    for step in range(k):
        best = int(np.argmax(np.where(free, gain / (1 + variance), -np.inf)))
        chosen[step], free[best] = best, False
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
        unlabelled = list(unlabelled)  # it can be read but once
    if not isinstance(unlabelled, np.ndarray) and all(isinstance(t, str) for t in unlabelled):
        texts = list(unlabelled)
        if not texts:
            raise DataError("There are no unlabelled texts to choose from.")
        if encoder is None:
            raise DataError("unlabelled holds texts; pass encoder=, what encodes the source.")
        return encode_texts(as_encoder(encoder), texts, "query"), texts
    return as_matrix(unlabelled, what="unlabelled vectors"), None


def _known(pairs: Pairs, dimension: int, encoder: Any) -> Float32Array:
    """Return the source vectors of what is paired, (m, d)."""
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
