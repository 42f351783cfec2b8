"""Documents for the first places, each scored by a second model, and by the aligner's second map.

The model reads texts. The map reads the vectors that the index holds, and n-grams of texts. They
err on different documents, so a mean of both finds more than either.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..hits import Hit
from .side_table import Embedded

MAP_SHARE = 0.2
"""Share of the map in the mean. From 200 pairs on it puts up to .045 more answers first than the
model alone, and .002 fewer at worst (benchmarks/second_model.py). A larger share finds more where
the map is as good as the model, and less where it is much worse."""


class Candidate(NamedTuple):
    """A document with its similarity by the second model, and by the map if that knows it."""

    hit: Hit
    by_model: float
    by_map: float | None


def mean_similarity(by_model: Any, by_map: Any = None) -> NDArray[np.float64]:
    """Return the weighted mean of two cosines, or of each of n; the model's alone without a map."""
    model = np.asarray(by_model, np.float64)
    return model if by_map is None else (1 - MAP_SHARE) * model + MAP_SHARE * np.asarray(by_map)


def in_order(candidates: Sequence[Candidate]) -> list[Hit]:
    """Return the hits, the best first, with their new scores.

    The map has its share only if it knows all of them: scores of two kinds are never compared.
    """
    scores = _scores(candidates)
    hits = [each.hit for each in candidates]
    ordered = []
    for row in np.argsort(-scores, kind="stable"):
        before, score = hits[row].similarity, float(scores[row])
        ordered.append(hits[row]._replace(similarity=score, rescored=False, unrescored=before))
    return ordered


def worth_asking(
    others: Sequence[Embedded], candidates: Sequence[Candidate], wanted: int
) -> list[Embedded]:
    """Return the others that may stand among the first ``wanted``.

    Their similarity by the map is not known yet; that of the best candidate stands for it.
    """
    least = np.sort(_scores(candidates))[::-1][wanted - 1 : wanted]
    by_map = _by_map(candidates)
    best = max(by_map) if by_map else None
    return [each for each in others if (mean_similarity(each.similarity, best) > least).all()]


def _scores(candidates: Sequence[Candidate]) -> NDArray[np.float64]:
    return mean_similarity([each.by_model for each in candidates], _by_map(candidates))


def _by_map(candidates: Sequence[Candidate]) -> list[float] | None:
    """Return the similarities by the map; None where it does not know all."""
    known = [each.by_map for each in candidates if each.by_map is not None]
    return known if len(known) == len(candidates) else None
