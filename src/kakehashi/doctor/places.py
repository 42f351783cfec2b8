"""Whose documents take the ten places: for questions of each modality, against their share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..retrieval.calibration import Calibration
from ..vectors import Float32Array, unit_rows

K = 10
"""Places that are counted."""
Places = dict[str, dict[str, float]]
"""By modality of the question, the mean number of places that documents of each modality get."""


@dataclass(frozen=True, eq=False)
class Pool:
    """Documents that questions search, in one space.

    Attributes:
        unit: (n, d) float32 of length one.
        modality: (n,) of each document.
        keys: (n,) equal for documents of one text, which a question drawn from one does not find.
    """

    unit: Float32Array
    modality: NDArray[np.str_]
    keys: Sequence[Any]

    def shares(self) -> dict[str, float]:
        """Return the places that each modality would get by its share of the documents."""
        names, counts = np.unique(self.modality, return_counts=True)
        return {str(m): K * int(n) / len(self.modality) for m, n in zip(names, counts, strict=True)}

    def less_means(self, reference: str) -> Pool:
        """Take the vector of each modality away, and leave the reference as it is.

        The remedy of SHIFT (Y. Jang et al., arXiv 2606.18801), where the vector of a language is
        the mean difference between translations and their originals. Here no document has a
        translation, so it is the difference of the means of two modalities: what they are about
        goes with it.
        """
        moved = self.unit.copy()
        middle = self.unit[self.modality == reference].mean(axis=0)
        for name in np.unique(self.modality):
            of_it = self.modality == name
            moved[of_it] -= self.unit[of_it].mean(axis=0) - middle
        return Pool(unit_rows(moved), self.modality, self.keys)


@dataclass(frozen=True, eq=False)
class Questions:
    """Questions as vectors.

    Attributes:
        unit: (m, d) float32 of length one, in the space of the pool that they search.
        keys: (m,) of the document that each was drawn from; None where it is a question.
    """

    unit: Float32Array
    modality: NDArray[np.str_]
    keys: Sequence[Any]


def places(pool: Pool, questions: Questions, calibration: Calibration | None = None) -> Places:
    """Count whose documents are the ten best.

    Args:
        calibration: orders by calibrated scores, in which the modalities compare; without it, the
            similarity orders.
    """
    similarities = questions.unit @ pool.unit.T
    keys = np.array([_same(key, pool.keys) for key in questions.keys])
    similarities[keys] = -np.inf
    if calibration is not None:
        similarities = _calibrated(similarities, pool, questions, calibration)
    best = np.argsort(-similarities, axis=1, kind="stable")[:, :K]
    found: Places = {}
    for asked in np.unique(questions.modality):
        of_asked = pool.modality[best[questions.modality == asked]]
        found[str(asked)] = {
            str(name): float((of_asked == name).sum(axis=1).mean())
            for name in np.unique(pool.modality)
        }
    return found


def _same(key: Any, keys: Sequence[Any]) -> NDArray[np.bool_]:
    return np.array([key is not None and other == key for other in keys], bool)


def _calibrated(
    similarities: NDArray[Any], pool: Pool, questions: Questions, calibration: Calibration
) -> NDArray[np.float64]:
    """Return calibrated scores: of the similarity, and the place within the modality."""
    scores = np.full(similarities.shape, -np.inf)
    for row, asked in enumerate(questions.modality):
        for name in calibration.modalities:
            of_it = np.flatnonzero((pool.modality == name) & np.isfinite(similarities[row]))
            order = of_it[np.argsort(-similarities[row, of_it], kind="stable")][:K]
            scores[row, order] = calibration.scores(
                similarities[row, order],
                np.arange(1, len(order) + 1),
                query=str(asked),
                document=name,
            )
    return scores


def own(found: Places) -> Mapping[str, float]:
    """Return the places that documents get for questions of their own modality."""
    return {name: of_question.get(name, 0.0) for name, of_question in found.items()}
