"""Fusion: one ordered list of documents from the results of several searches.

Both methods merge hits by document (:mod:`kakehashi.retrieval.merging`). Rank fusion reads only
the order of each search; calibrated fusion reads similarities and shares of words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from ..data.arguments import check_choice
from ..errors import DataError
from .calibrated_fusion import CalibratedFusion
from .calibration import MIN_CALIBRATED, Calibration
from .merging import Fusion
from .rank_fusion import RankFusion

Method = Literal["calibrated", "rank"]


def fusion_of(
    method: str, calibration: Calibration | None, weights: Mapping[str, float] | None = None
) -> Fusion:
    """Return the fusion of that name.

    Args:
        method: ``"calibrated"`` or ``"rank"``.
        calibration: of the aligner; rank fusion reads only its share of words.
        weights: of the searches by name, for rank fusion.

    Raises:
        DataError: an unknown method; ``"calibrated"`` without a calibration, or with weights.
    """
    check_choice("fusion", method, get_args(Method))
    if method == "rank":
        return RankFusion(calibration, weights or {})
    if calibration is None:
        raise DataError(
            f"There is no calibration of scores. A fit with {MIN_CALIBRATED} held-out pairs learns "
            f"one: a fifth is held out, so pass {5 * MIN_CALIBRATED} pairs, or a test set of "
            f"{MIN_CALIBRATED}. A multi aligner needs one of every aligner. Fit on more pairs, or "
            "fuse by rank (fusion='rank')."
        )
    if weights:
        raise DataError(
            f"weights={dict(weights)!r} are for fusion='rank'; calibrated fusion has learned its "
            "own."
        )
    return CalibratedFusion(calibration)
