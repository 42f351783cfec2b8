"""How scores compare where several aligners lead into one target space.

Each aligner brings the lines between its own modalities. For a query of one source and a document
of another nobody has pairs: there the mean of the two aligners' lines to the target is taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .calibration import Calibration
from .conditional_logit import Line

Numbers = dict[tuple[str, str], NDArray[np.float64]]


def combine_calibrations(
    by_source: Mapping[str, Calibration | None], target: str
) -> Calibration | None:
    """Put the lines of several aligners, and those between their sources, into one calibration.

    Args:
        by_source: the calibration of each aligner, by the name of its source.
        target: the name of the modality that all of them lead to.

    Returns:
        None where an aligner has no calibration. Words count where all of them count words.
    """
    calibrations = {name: c for name, c in by_source.items() if c is not None}
    if len(calibrations) < len(by_source):
        return None
    plain = _combined({name: c.plain for name, c in calibrations.items()}, target)
    hybrid: Numbers = {}
    shares: Numbers = {}
    if all(c.hybrid for c in calibrations.values()):
        hybrid = _combined({name: c.hybrid for name, c in calibrations.items()}, target)
        shares = _combined({name: c.words_by_rank for name, c in calibrations.items()}, target)
    return Calibration(
        {key: Line(*map(float, numbers)) for key, numbers in plain.items()},
        {key: Line(*map(float, numbers)) for key, numbers in hybrid.items()},
        sum(c.n_pairs for c in calibrations.values()),
        {key: float(share) for key, share in shares.items()},
    )


def _combined(by_source: Mapping[str, Mapping[tuple[str, str], Any]], target: str) -> Numbers:
    """Return the numbers of every two modalities by their names.

    Those within the target are the mean over all aligners. Those between two sources are the mean
    of what leads from the one to the target and from the target to the other.
    """
    combined: Numbers = {}
    within = []
    for name, learned in by_source.items():
        named = {"source": name, "target": target}
        for (query, document), numbers in learned.items():
            if query == document == "target":
                within.append(numbers)
            else:
                combined[named[query], named[document]] = np.array(numbers)
    combined[target, target] = np.mean(within, axis=0)
    for query, document in permutations(by_source, 2):
        across = [combined[query, target], combined[target, document]]
        combined[query, document] = np.mean(across, axis=0)
    return combined
