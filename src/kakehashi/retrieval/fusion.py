"""Fusion: one ordered list of documents from the results of several searches.

Both methods merge hits by document (:mod:`kakehashi.retrieval.merging`). Rank fusion reads only
the order of each search; calibrated fusion reads similarities and shares of words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol, get_args

from ..errors import DataError
from .calibrated_fusion import CalibratedFusion
from .calibration import MIN_CALIBRATED, Calibration
from .merging import FusedDocument, Results
from .rank_fusion import RankFusion

Method = Literal["calibrated", "rank"]
METHODS = get_args(Method)


class Fusion(Protocol):
    """Makes one list of the results of several searches."""

    @property
    def needs_similarity(self) -> bool:
        """Whether hits of a search by vector need their similarity."""
        ...

    def fuse(
        self, results: Results, query_modality: str, k: int | None = None
    ) -> list[FusedDocument]:
        """Return the best k documents, the best first; all where k is None.

        Args:
            results: by name of the search.
            query_modality: the modality of the query.
        """
        ...

    def not_final(
        self, results: Results, query_modality: str, documents: Sequence[FusedDocument], k: int
    ) -> set[str]:
        """Return the names of the searches to repeat deeper before the best k are final.

        Args:
            documents: what :meth:`fuse` returned for these results and this k.
        """
        ...


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
    if method not in METHODS:
        raise DataError(f"fusion={method!r} is not known; choose one of {', '.join(METHODS)}.")
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
