"""One list of the parts of an index: doubles are left out, and scores made comparable.

Parts whose similarities are inner products of one map share a scale: nothing has to be converted.
Parts of several maps compare by the probability that a document answers
(:mod:`kakehashi.retrieval.answer_probability`), which each aligner has learned for its own scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from ...errors import DataError
from ..answer_probability import MinScore
from ..hits import DocumentKey
from ..merging import (
    FusedDocument,
    Fusion,
    HitsByDocument,
    Results,
    largest,
    unfinished_modalities,
)


@dataclass(frozen=True)
class FirstOfDoubles(Fusion):
    """Leaves out documents that a part before has returned, and fuses the rest.

    Attributes:
        fusion: makes one list of what is left.
        order: the names of the parts, the one that wins first.
    """

    fusion: Fusion
    order: Sequence[str]

    @property
    def needs_similarity(self) -> bool:  # type: ignore[override]
        """Whether hits need their similarity."""
        return self.fusion.needs_similarity

    def fuse(
        self, results: Results, query_modality: str, k: int | None = None
    ) -> list[FusedDocument]:
        """Return the best k documents, the best first."""
        return self.fusion.fuse(self._single(results), query_modality, k)

    def not_final(
        self, results: Results, query_modality: str, documents: Sequence[FusedDocument], k: int
    ) -> set[str]:
        """Return the searches to repeat deeper; see :class:`Fusion`."""
        return self.fusion.not_final(self._single(results), query_modality, documents, k)

    def upper_bounds(self, results: Results, query_modality: str) -> dict[str, float]:
        """Return the bounds; see :class:`Fusion`."""
        return self.fusion.upper_bounds(self._single(results), query_modality)

    def check_probabilities(self) -> None:
        """Raise DataError where no probabilities are known."""
        self.fusion.check_probabilities()

    def least_probability(self, min_score: MinScore, query_modality: str) -> float:
        """Return the least probability of a document that is to be kept."""
        return self.fusion.least_probability(min_score, query_modality)

    def _scores(
        self, results: Results, hits: HitsByDocument, query_modality: str
    ) -> dict[DocumentKey, float]:
        return self.fusion._scores(results, hits, query_modality)

    def _single(self, results: Results) -> Results:
        """Return the results without what a part before returned, of whichever modality."""
        seen: set[str] = set()
        single = {}
        for name in self.order:
            if name in results:
                kept = [hit for hit in results[name].hits if hit.key not in seen]
                single[name] = results[name]._replace(hits=kept)
                seen |= {hit.key for hit in kept}
        return single


@dataclass(frozen=True)
class BySimilarity(Fusion):
    """Orders documents of one modality by their similarity, where one map made all of them."""

    needs_similarity: ClassVar[bool] = True

    def check_probabilities(self) -> None:
        """Raise DataError: a similarity is no probability."""
        raise DataError(
            "This aligner has no calibration, and so it tells no probability that a document "
            "answers. Fit it again on more pairs; or leave min_score out."
        )

    def upper_bounds(self, results: Results, query_modality: str) -> dict[str, float]:
        """Return the bounds; see :class:`Fusion`."""
        return {
            modality: largest(
                result.last_hits[modality].similarity
                for result in results.values()
                if modality in result.last_hits
            )
            or 0.0
            for modality in unfinished_modalities(results)
        }

    def _scores(
        self, results: Results, hits: HitsByDocument, query_modality: str
    ) -> dict[DocumentKey, float]:
        modalities = {modality for _, modality in hits}
        if len(modalities) > 1:
            raise DataError(
                f"The parts hold documents of the modalities {', '.join(map(str, modalities))}, "
                "whose scores compare by a calibration alone, and the aligner has none. Fit it on "
                "more pairs, filter by modality, or fuse by rank (fusion='rank')."
            )
        return {
            document: largest(hit.similarity for hit in found) or 0.0
            for document, found in hits.items()
        }


@dataclass(frozen=True)
class Scale:
    """Parts whose scores compare.

    Attributes:
        names: of the parts.
        fusion: tells probabilities.
        modality: of the query, as these parts read it.
    """

    names: Sequence[str]
    fusion: Fusion
    modality: str

    def of(self, results: Results) -> Results:
        """Return the results of these parts."""
        return {name: results[name] for name in self.names if name in results}


@dataclass(frozen=True)
class ByProbability(Fusion):
    """Orders documents of several scales by the probability that each answers, its score.

    Attributes:
        scales: each part is of one of them.
    """

    scales: Sequence[Scale]
    needs_similarity: ClassVar[bool] = True

    def fuse(
        self, results: Results, query_modality: str, k: int | None = None
    ) -> list[FusedDocument]:
        """Return the best k documents of all scales, the best first."""
        documents: list[FusedDocument] = []
        for scale in self.scales:
            if of_scale := scale.of(results):
                found = scale.fusion.fuse(of_scale, scale.modality, k)
                documents += [replace(d, score=d.probability or 0.0) for d in found]
        return sorted(documents, key=lambda document: -document.score)[:k]

    def not_final(
        self, results: Results, query_modality: str, documents: Sequence[FusedDocument], k: int
    ) -> set[str]:
        """Return the searches to repeat deeper: until the best k of each scale are final."""
        names: set[str] = set()
        for scale in self.scales:
            if of_scale := scale.of(results):
                best = scale.fusion.fuse(of_scale, scale.modality, k)
                names |= scale.fusion.not_final(of_scale, scale.modality, best, k)
        return names

    def check_probabilities(self) -> None:
        """Raise DataError where a scale has no probabilities."""
        for scale in self.scales:
            scale.fusion.check_probabilities()

    def least_probability(self, min_score: MinScore, query_modality: str) -> float:
        """Return the least probability; of several recommended ones, the smallest."""
        return min(each.fusion.least_probability(min_score, each.modality) for each in self.scales)

    def upper_bounds(self, results: Results, query_modality: str) -> dict[str, float]:
        """Return none: what is final is told scale by scale."""
        return {}

    def _scores(
        self, results: Results, hits: HitsByDocument, query_modality: str
    ) -> dict[DocumentKey, float]:
        raise NotImplementedError("probabilities are of one scale each")
