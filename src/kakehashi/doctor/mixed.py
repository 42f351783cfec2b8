"""Whether one model made all vectors of an index, by the vectors alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .finding import FAULT, NOTE, SOUND, Finding
from .likeness import Group
from .parts import LEAST_DIMENSION, LEAST_DOCUMENTS, can_be_divided, parts_of
from .reading import Sample
from .whereabouts import whereabouts

_SURE = 30
"""Documents of a part that make it a fault; fewer may be outliers, and are noted."""


def divided(sample: Sample) -> NDArray[np.intp]:
    """Return the part of each document of a sample, (n,); all 0 where too few can be compared."""
    if not can_be_divided(sample.unit):
        return np.zeros(len(sample), np.intp)
    return parts_of(sample.unit)


def look_at_models(sample: Sample, parts: NDArray[np.intp]) -> Finding:
    """Say whether the vectors are of one model.

    Args:
        parts: of :func:`divided`.
    """
    n = len(sample)
    if not can_be_divided(sample.unit):
        says = (
            f"{n:,} documents of {sample.unit.shape[1]:,} dimensions are too few to tell models "
            f"apart without an encoder; {LEAST_DOCUMENTS:,} of {LEAST_DIMENSION:,} are the least"
        )
        return Finding("models", NOTE, (says,), "--encoder NAME embeds some documents again")
    sizes = np.bincount(parts[parts >= 0])
    evidence = {"compared": n, "parts": sizes.tolist()}
    apart = int((parts < 0).sum())
    beside = [f"{apart:,} vectors stand apart, too few to be told"] if apart else []
    if len(sizes) < 2:
        says = f"{n - apart:,} vectors have the habits of one model"
        return Finding("models", SOUND, (says, *beside), "", evidence)
    groups = [Group.of(sample.unit[parts == part]) for part in range(len(sizes))]
    likeness = max(groups[0].likeness(group) for group in groups[1:])
    evidence["likeness"] = likeness
    listed = ", ".join(f"{size:,}" for size in sizes)
    found = [
        f"vectors of {len(sizes):,} models: parts of {listed} documents have nothing in common",
        *whereabouts(sample, parts > 0),
        *beside,
    ]
    step = "a question finds the documents of one model alone: embed the smaller part again"
    level = FAULT if sizes[1:].sum() >= _SURE else NOTE
    return Finding("models", level, tuple(found), step, evidence)
