"""The documents that are nearest to questions, found page by page: exact, in little memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..integrations.stores.movable.protocol import StoredRow
from ..vectors import Float32Array, unit_rows


class Nearest:
    """The k documents with the largest cosine of each question, among all that were added.

    Args:
        questions: (n, d) float32.
    """

    def __init__(self, questions: Float32Array, k: int) -> None:
        self._questions, self._k = unit_rows(questions), k
        self._scores = np.full((len(questions), k), -np.inf, np.float32)
        self._rows = np.full((len(questions), k), None, object)

    def add(self, rows: Sequence[StoredRow], vectors: Float32Array) -> None:
        """Add m documents with their (m, d) vectors."""
        added = np.empty(len(rows), object)
        for i, row in enumerate(rows):  # an assignment at once would take each row apart
            added[i] = row
        products = self._questions @ unit_rows(vectors).T
        scores = np.concatenate([self._scores, products], axis=1)
        every = [self._rows, np.broadcast_to(added, products.shape)]
        best = np.argsort(-scores, axis=1, kind="stable")[:, : self._k]
        self._scores = np.take_along_axis(scores, best, axis=1)
        self._rows = np.take_along_axis(np.concatenate(every, axis=1), best, axis=1)

    def of(self, question: int) -> list[StoredRow]:
        """Return the documents nearest to a question, the best first."""
        return [row for row in self._rows[question] if row is not None]
