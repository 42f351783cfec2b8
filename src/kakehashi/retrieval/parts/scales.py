"""Which parts of an index share a scale of scores, and what makes one list of all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...errors import DataError
from ..fusion import fusion_of
from ..merging import Fusion
from ..rank_fusion import RankFusion
from .fusion import ByProbability, BySimilarity, Scale
from .part import Part, is_turned_off, map_of


class PartScales:
    """The scales of the parts of an index: one for all parts of one map.

    Args:
        parts: those of the index.
        method: ``"calibrated"`` or ``"rank"``.

    Raises:
        DataError: another method.
    """

    def __init__(self, parts: Sequence[Part], method: str) -> None:
        self._parts, self._method = {part.name: part for part in parts}, method
        self._by_map: dict[str, list[Part]] = {}
        for part in parts:
            self._by_map.setdefault(map_of(part), []).append(part)
        self._fusions = {key: _fusion_within(method, of) for key, of in self._by_map.items()}

    def beside(self, part: Part) -> Sequence[Part]:
        """Return the parts of the same scale, this one among them."""
        return next(of for of in self._by_map.values() if any(each is part for each in of))

    def fusion(self, modality_of: Mapping[str, str]) -> Fusion:
        """Return what makes one list of parts that read a query as these modalities.

        A part that does not answer counts, too: scores mean the same with it and without.

        Args:
            modality_of: by name of the part; empty to check the options alone.

        Raises:
            DataError: parts of several scales, and the probability of an answer is not known.
        """
        if self._method == "rank":
            return RankFusion()
        first = next(iter(modality_of.values()), "")  # for parts that do not answer
        names_of: dict[tuple[str, str], list[str]] = {}
        for key, parts in self._by_map.items():
            for part in parts:
                told = modality_of.get(part.name, first)
                names_of.setdefault((key, told), []).append(part.name)
        scales = [Scale(names, self._fusions[key], told) for (key, told), names in names_of.items()]
        if len(scales) == 1:
            return scales[0].fusion
        self.check_rescored()
        for scale in scales:
            _check_probabilities(scale)
        return ByProbability(scales)

    def check_rescored(self) -> None:
        """Refuse a part that is not rescored, where its aligner learned from rescored hits.

        Raises:
            DataError: there is such a part, so its probabilities are not known.
        """
        off = next((name for name, part in self._parts.items() if is_turned_off(part)), None)
        if off is not None:
            raise DataError(
                f"The part {off!r} says rescore=False, and its aligner learned the probability of "
                "an answer on rescored hits. Drop that; or do without probabilities: "
                "fusion='rank', and no min_score."
            )


def _check_probabilities(scale: Scale) -> None:
    """Refuse parts whose aligner has learned no probability of an answer.

    Raises:
        DataError: they are such.
    """
    try:
        scale.fusion.check_probabilities()
    except DataError as error:
        raise DataError(
            f"The scores of the part {scale.names[0]!r} do not compare with those of the "
            "others: each part has a map of its own, and this one's aligner has learned no "
            "probability that a document answers. Fit it again on more pairs; or fuse by rank, "
            "where the parts take turns: fusion='rank'."
        ) from error


def _fusion_within(method: str, parts: Sequence[Part]) -> Fusion:
    """Return the fusion of parts of one map."""
    known = (part.space.calibration for part in parts)
    calibration = next((each for each in known if each is not None), None)
    if method == "calibrated" and calibration is None:
        return BySimilarity()
    return fusion_of(method, calibration)
