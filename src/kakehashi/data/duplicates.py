"""Which rows share a text: leaks between two sets, and rows that belong together in one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..types import SIDES
from ..vectors import Float32Array, FloatArray, chunks, thinned, unit_rows
from .hashing import Keys, in_range, mixed
from .pairs import Pairs

_ROUNDED, _QUANTISED, _OF_SPREAD = 1e-5, 5e-4, 0.02
"""How far below one the cosine of two vectors of one text may lie: float16 moves it by less than
1e-6, eight bits by up to 1e-4. The wider bound is at most a share of what parts rows at all: where
an encoder gives much the same vector for everything, near is not the same."""
_GRIDS, _DIRECTIONS, _STEP, _LEAST_STEP = 4, 16, 0.5, 0.02
_SAMPLED = 2000


def find_leaks(train: Pairs, held_out: Pairs) -> NDArray[np.intp]:
    """Return the rows of ``train`` whose source or target also stands in ``held_out``.

    A map that has seen half of a test pair scores too well on it; fitting on the other rows only
    keeps the held-out score honest. A text stands there if it is the same, or if its vector is,
    but for rounding: two runs of an encoder differ in the last bits, and so do precisions. Where
    texts cannot be compared, a copy in eight bits is the same, too.
    """
    leaked = np.zeros(len(train), dtype=bool)
    for side in SIDES:
        compares_texts = train.texts(side) is not None and held_out.texts(side) is not None
        if compares_texts:
            leaked |= np.isin(train.keys(side), held_out.keys(side))
        x, y = train.vectors(side), held_out.vectors(side)
        if x is not None and y is not None and x.shape[1] == y.shape[1]:
            leaked[same_vectors(x, y, quantised=not compares_texts)] = True
    return np.flatnonzero(leaked)


def same_vectors(x: FloatArray, y: FloatArray, *, quantised: bool = False) -> NDArray[np.intp]:
    """Return the rows of (n, d) that stand among the rows of (m, d), but for rounding.

    To compare all with all would take minutes for a million rows. So candidates are found by
    locality-sensitive hashing (Datar, Immorlica, Indyk & Mirrokni, SCG 2004: random directions cut
    into shifted steps), and confirmed by their cosines.

    Args:
        quantised: copies in eight bits count as rounded, too.
    """
    if not len(x) or not len(y):
        return np.arange(0)
    hashes = _GridHashes.of(y)
    x_in_common = np.zeros(len(x), bool)
    y_in_common = np.zeros(len(y), bool)
    for x_cells, y_cells in zip(hashes.cells(x), hashes.cells(y), strict=True):
        x_in_common |= np.isin(x_cells, y_cells)
        y_in_common |= np.isin(y_cells, x_cells)
    tolerance = _ROUNDED
    if quantised:
        tolerance = max(_ROUNDED, min(_QUANTISED, _OF_SPREAD * hashes.spread**2))
    candidates, others = np.flatnonzero(x_in_common), _unit(y[np.flatnonzero(y_in_common)])
    confirmed = [candidates[:0]]
    for part in chunks(len(candidates), 1024):
        cosines = _unit(x[candidates[part]]) @ others.T
        confirmed.append(candidates[part][cosines.max(axis=1, initial=-1) >= 1 - tolerance])
    return np.concatenate(confirmed)


@dataclass(frozen=True, eq=False)
class _GridHashes:
    """Locality-sensitive hashes: a row is projected on random directions, and each is rounded.

    Steps are in units in which the rows spread evenly, however close together they lie. Several
    grids are shifted against each other: a pair that a border of one grid parts shares a cell of
    another.

    Attributes:
        centre: (d,) mean of a sample of the rows.
        spread: root mean square distance of the sample from it.
        directions: (d, directions) float32.
        step: width of a cell.
        shifts: (grids, 1, directions) float32, in steps.
        factors: (directions,) odd uint64, which mix the coordinates of a cell into one key.
    """

    centre: Float32Array
    spread: float
    directions: Float32Array
    step: float
    shifts: Float32Array
    factors: Keys

    @classmethod
    def of(cls, vectors: FloatArray) -> _GridHashes:
        """Draw the grids for the rows of (m, d)."""
        rng = np.random.default_rng(20261123)
        directions = rng.standard_normal((vectors.shape[1], _DIRECTIONS), np.float32)
        shifts = rng.random((_GRIDS, 1, _DIRECTIONS), np.float32)
        factors = rng.integers(0, 2**63, size=_DIRECTIONS, dtype=np.uint64) * 2 + 1
        sample = _unit(vectors[thinned(len(vectors), _SAMPLED)])
        centre = sample.mean(axis=0)
        spread = float(np.sqrt(((sample - centre) ** 2).sum(axis=1).mean()))
        step = max(_STEP * spread, _LEAST_STEP)  # rows that are all the same: beyond rounding
        return cls(centre, spread, directions, step, shifts, factors)

    def cells(self, vectors: FloatArray) -> Keys:
        """Return the cell of each row in each grid, (grids, n) uint64."""
        keys = np.empty((_GRIDS, len(vectors)), np.uint64)
        for part in chunks(len(vectors)):
            projected = (_unit(vectors[part]) - self.centre) @ self.directions
            cells = np.floor(projected / self.step + self.shifts).astype(np.int64)
            keys[:, part] = mixed(cells.view(np.uint64)) @ self.factors
        return keys


def _unit(vectors: FloatArray) -> Float32Array:
    return unit_rows(in_range(np.asarray(vectors, np.float32)))


def link_rows(*keys: NDArray[Any]) -> NDArray[np.intp]:
    """Return a label for each row, (n,): rows that share a key of one kind share it.

    Sharing carries on: two rows are linked through a third that has the source of one and the
    target of the other.

    Args:
        keys: of every kind (source and target, say) the key of each row, (n,).
    """
    n = len(keys[0])
    labels = np.arange(n)
    kinds = [np.unique(of_kind, return_inverse=True) for of_kind in keys]
    if all(len(values) == n for values, _ in kinds):
        return labels
    while True:
        before = labels
        for values, member in kinds:
            lowest = np.full(len(values), n)
            np.minimum.at(lowest, member, labels)
            labels = lowest[member]
        if np.array_equal(labels, before):
            return labels
