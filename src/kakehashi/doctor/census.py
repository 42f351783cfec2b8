"""The census of an index: what can be counted row by row, without keeping texts or vectors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..data.hashing import Keys, text_key, vector_keys
from ..integrations.stores.movable.protocol import StoredRow
from ..vectors import Float32Array, squared_norms

NO_TEXT = 0
_EXAMPLES = 3
"""Ids that a finding names."""


@dataclass
class Census:
    """Counts over the rows that were read. A million rows take 28 MB.

    Attributes:
        n_rows: rows that were read.
        dimensions: the number of vectors of each dimension.
        faulty: ids of some rows by what is wrong with them; the counts are in ``counts``.
        counts: rows ``no_text``, ``no_vector``, ``zeros``, ``not_finite``.
    """

    n_rows: int = 0
    dimensions: Counter[int] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    faulty: dict[str, list[str]] = field(default_factory=dict)
    _norms: list[Float32Array] = field(default_factory=list, repr=False)
    _text_keys: list[Keys] = field(default_factory=list, repr=False)
    _vector_keys: list[Keys] = field(default_factory=list, repr=False)

    def add(self, rows: Sequence[StoredRow]) -> None:
        """Count rows of the index."""
        self.n_rows += len(rows)
        for row in rows:
            if row.text is None or not row.text.strip():
                self._mark("no_text", row)
            if row.vector is None:
                self._mark("no_vector", row)
            else:
                self.dimensions[len(row.vector)] += 1
        whole = [row for row in rows if row.vector is not None]
        for dimension in {len(row.vector) for row in whole if row.vector is not None}:
            self._add_vectors([r for r in whole if len(r.vector) == dimension])  # type: ignore[arg-type]

    def _add_vectors(self, rows: Sequence[StoredRow]) -> None:
        """Count rows whose vectors have one dimension."""
        vectors = np.stack([row.vector for row in rows if row.vector is not None])
        with np.errstate(over="ignore", invalid="ignore"):
            squares = squared_norms(vectors)
        finite = np.isfinite(squares)
        for row, is_finite, square in zip(rows, finite, squares, strict=True):
            if not is_finite:
                self._mark("not_finite", row)
            elif square == 0:
                self._mark("zeros", row)
        usable = finite & (squares > 0)
        self._norms.append(np.sqrt(squares[usable]))
        self._vector_keys.append(vector_keys(vectors[usable]))
        texts = [row.text or "" for row, good in zip(rows, usable, strict=True) if good]
        keys = [text_key(text) if text.strip() else NO_TEXT for text in texts]
        self._text_keys.append(np.array(keys, np.uint64))

    def _mark(self, fault: str, row: StoredRow) -> None:
        self.counts[fault] += 1
        named = self.faulty.setdefault(fault, [])
        if len(named) < _EXAMPLES:
            named.append(row.id)

    @property
    def norms(self) -> Float32Array:
        """The lengths of the usable vectors, (m,) float32."""
        return np.concatenate([np.zeros(0, np.float32), *self._norms])

    @property
    def text_keys(self) -> Keys:
        """A hash of the text of each usable vector, (m,); ``NO_TEXT`` for one without."""
        return np.concatenate([np.zeros(0, np.uint64), *self._text_keys])

    @property
    def vector_keys(self) -> NDArray[np.uint64]:
        """A hash of each usable vector, rounded to float16, (m,)."""
        return np.concatenate([np.zeros(0, np.uint64), *self._vector_keys])

    @property
    def dimension(self) -> int:
        """The dimension of most vectors; 0 where there are none."""
        return self.dimensions.most_common(1)[0][0] if self.dimensions else 0
