"""The calibration of a multi aligner, from those of its aligners.

Each aligner has learned weights between its source and the shared target. No pairs join two
sources. For a query of source A and a document of source B, the weights are the mean of those from
A to the target and those from the target to B.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .answer_probability import AnswerProbability
from .calibration import Calibration, ModalityPair
from .conditional_logit import ScoreWeights

_Numbers = dict[ModalityPair, NDArray[np.float64]]


def combine_calibrations(
    by_source: Mapping[str, Calibration | None], target: str
) -> Calibration | None:
    """Combine the calibrations of several aligners.

    Args:
        by_source: the calibration of each aligner, by the name of its source.
        target: the name of the shared target.

    Returns:
        None where an aligner has no calibration. Weights of words, and probabilities, are there
        where all aligners have them.
    """
    calibrations = {name: c for name, c in by_source.items() if c is not None}
    if len(calibrations) < len(by_source):
        return None
    plain = _combine({name: c.plain for name, c in calibrations.items()}, target)
    hybrid: _Numbers = {}
    shares: _Numbers = {}
    if all(c.hybrid for c in calibrations.values()):
        hybrid = _combine({name: c.hybrid for name, c in calibrations.items()}, target)
        shares = _combine({name: c.words_by_rank for name, c in calibrations.items()}, target)
    return Calibration(
        {pair: ScoreWeights(*map(float, numbers)) for pair, numbers in plain.items()},
        {pair: ScoreWeights(*map(float, numbers)) for pair, numbers in hybrid.items()},
        sum(c.n_pairs for c in calibrations.values()),
        {pair: float(share) for pair, share in shares.items()},
        _combine_answers(calibrations, target),
    )


def _combine_answers(
    by_source: Mapping[str, Calibration], target: str
) -> dict[str, AnswerProbability]:
    """Return the probabilities by modality of the query; empty where an aligner has none."""
    if not all(calibration.answers for calibration in by_source.values()):
        return {}
    of_target = np.mean([c.answers["target"] for c in by_source.values()], axis=0)
    return {
        **{source: c.answers["source"] for source, c in by_source.items()},
        target: AnswerProbability(*map(float, of_target)),
    }


def _combine(by_source: Mapping[str, Mapping[ModalityPair, Any]], target: str) -> _Numbers:
    """Return the numbers of every two modalities, by their names in the multi aligner."""
    combined: _Numbers = {}
    for source, numbers in by_source.items():
        combined[source, source] = np.array(numbers["source", "source"])
        combined[source, target] = np.array(numbers["source", "target"])
        combined[target, source] = np.array(numbers["target", "source"])
    within_target = [numbers["target", "target"] for numbers in by_source.values()]
    combined[target, target] = np.mean(within_target, axis=0)
    for query, document in permutations(by_source, 2):
        across = [combined[query, target], combined[target, document]]
        combined[query, document] = np.mean(across, axis=0)
    return combined
