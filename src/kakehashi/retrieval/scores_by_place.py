"""One scale for the scores of a rescored list: those of the second map.

Documents that were not rescored keep their places among the others. Their scores are of the store,
and do not compare with the new ones. Each gets the score that its place has: by linear
interpolation between the rescored documents around it, or that of the first or the last of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .hits import Hit


def with_scores_by_place(hits: Sequence[Hit]) -> list[Hit]:
    """Return n hits, the best first; those without a similarity get that of their place.

    Nothing changes where no hit has a similarity. Scores never rise along the list.
    """
    known = [row for row, hit in enumerate(hits) if hit.similarity is not None]
    if not known:
        return list(hits)
    given = [float(hits[row].similarity or 0.0) for row in known]
    scores = np.interp(np.arange(len(hits)), known, given)
    return [
        hit._replace(similarity=float(score)) if hit.similarity is None else hit
        for hit, score in zip(hits, scores, strict=True)
    ]
