"""Near copies: pairs that differ from another pair in a name, a number or an ending only.

Where such copies stand on both sides of a split, a score says how well copies are told apart. It
says nothing about new kinds of question. :mod:`kakehashi.data.duplicates` keeps equal texts apart.
Near ones are only counted here: the caller alone knows where a kind ends, and can name it as a
group.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..data.pairs import Pairs
from ..projection.ngrams import CharacterNgrams
from ..types import SIDES, Side
from ..vectors import Float32Array, chunks, thinned

NEAR = 0.8
"""Least cosine of the n-grams of two texts, digits taken as equal, on both sides of the pairs."""
WORTH_A_NOTE = 0.1
"""Share of the rows with a near copy from which on a reader has to know. Across a split by
documents ten sets have up to 3%, pseudocode 12%, logs of maintenance 17% (benchmarks/guards.py)."""

_NGRAMS, _COMPARED, _AMONG = CharacterNgrams(1024), 500, 10_000
_DIGIT = re.compile(r"\d")


class NearCopies(NamedTuple):
    """Rows with a near copy, of those that were compared.

    Attributes:
        n, compared: numbers of rows.
        example: the target texts (or else source texts) of one row and of its copy.
    """

    n: int
    compared: int
    example: tuple[str, str] = ("", "")

    @property
    def worth_a_note(self) -> bool:
        """Whether there are enough to change what a score says."""
        return self.n >= 2 and self.n >= WORTH_A_NOTE * self.compared

    def __str__(self) -> str:
        first, second = (f"{' '.join(text.split())[:60]!r}" for text in self.example)
        return f"{self.n} of {self.compared} (such as {first} and {second})"


def near_copies(pairs: Pairs, others: Pairs | None = None) -> NearCopies:
    """Count the pairs that have a near copy among other pairs; none without texts.

    At most 500 pairs are compared with at most 10,000, evenly spaced.

    Args:
        others: where the copies are looked for; by default among the pairs themselves.
    """
    among = pairs if others is None else others
    sides = [s for s in SIDES if pairs.texts(s) is not None and among.texts(s) is not None]
    if not sides:
        return NearCopies(0, 0)
    rows = np.arange(len(pairs))[thinned(len(pairs), _COMPARED)]
    alike, partner = _most_alike(pairs, rows, among, sides)
    found = np.flatnonzero(alike >= NEAR)
    if not len(found):
        return NearCopies(0, len(rows))
    shown = (_text(pairs, sides[-1], rows[found[0]]), _text(among, sides[-1], partner[found[0]]))
    return NearCopies(len(found), len(rows), shown)


def _most_alike(
    pairs: Pairs, rows: NDArray[np.intp], among: Pairs, sides: Sequence[Side]
) -> tuple[Float32Array, NDArray[np.intp]]:
    """Return of each row the cosine to its nearest other pair, on the less alike side; and that."""
    candidates = np.arange(len(among))[thinned(len(among), _AMONG)]
    wanted = [_features(pairs, side, rows) for side in sides]
    best, partner = np.full(len(rows), -1.0, np.float32), np.zeros(len(rows), np.intp)
    for part in chunks(len(candidates), 1000):
        block = candidates[part]
        by_side = [x @ _features(among, s, block).T for x, s in zip(wanted, sides, strict=True)]
        alike = np.min(by_side, axis=0)
        if among is pairs:
            alike[rows[:, None] == block] = -1.0
        nearest = alike.argmax(axis=1)
        cosine = alike[np.arange(len(rows)), nearest]
        better = cosine > best
        best[better], partner[better] = cosine[better], block[nearest[better]]
    return best, partner


def _features(pairs: Pairs, side: Side, rows: NDArray[np.intp]) -> Float32Array:
    return _NGRAMS([_DIGIT.sub("0", _text(pairs, side, row)) for row in rows])


def _text(pairs: Pairs, side: Side, row: np.intp) -> str:
    texts = pairs.texts(side)
    assert texts is not None
    return texts[int(row)]
