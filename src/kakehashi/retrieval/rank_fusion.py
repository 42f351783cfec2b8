"""Rank fusion: order documents by their ranks in the searches, without their scores.

Each search gives a document ``weight / (60 + rank)``; a document's score is the sum over the
searches (Cormack, Clarke and Büttcher, Reciprocal rank fusion outperforms Condorcet and individual
rank learning methods, SIGIR 2009). The rank is counted within the document's modality: in one list,
documents of the query's own modality would bury the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from .calibration import RANK_CONSTANT, Calibration
from .hits import DocumentKey, Hit
from .merging import (
    Fusion,
    HitsByDocument,
    Results,
    named_shares,
    unfinished_modalities,
)

_NAMED_BONUS = 2.0
"""A document that holds all identifiers of the query counts as the first of two more searches."""


@dataclass(frozen=True)
class RankFusion(Fusion):
    """Reciprocal rank fusion within each modality.

    A search adds nothing to a document that it did not return, as is usual in rank fusion.

    Attributes:
        calibration: of the aligner, which has learned how to share a weight of 1 between vectors
            and words. Without one, and where weights are passed, each search counts by its own
            weight.
        weights: weight of each search, by name; a search without one has weight 1.
    """

    calibration: Calibration | None = None
    weights: Mapping[str, float] = field(default_factory=dict)
    needs_similarity: ClassVar[bool] = False

    def upper_bounds(self, results: Results, query_modality: str) -> dict[str, float]:
        """Return the bounds; see :class:`Fusion`."""
        weight_of = self._weights(results, query_modality)
        return {
            modality: sum(
                weight_of(name, modality)
                / (RANK_CONSTANT + 1 + _count_documents(result.hits, modality))
                for name, result in results.items()
                if modality in result.last_hits
            )
            for modality in unfinished_modalities(results)
        }

    def _scores(
        self, results: Results, hits: HitsByDocument, query_modality: str
    ) -> dict[DocumentKey, float]:
        weight_of = self._weights(results, query_modality)
        scores = dict.fromkeys(hits, 0.0)
        for name, result in results.items():
            ranking: dict[str | None, dict[str, None]] = {}
            for hit in result.hits:  # an index may hold a document twice
                ranking.setdefault(hit.modality, {})[hit.key] = None
            for modality, keys in ranking.items():
                for rank, key in enumerate(keys, 1):
                    scores[key, modality] += weight_of(name, modality) / (RANK_CONSTANT + rank)
        for document, share in named_shares(results).items():
            if document in scores:
                scores[document] += _NAMED_BONUS * share / (RANK_CONSTANT + 1)
        return scores

    def _weights(self, results: Results, query_modality: str) -> Callable[[str, str | None], float]:
        """Return the function that gives the weight of a search for documents of a modality."""
        by_words = {name for name, result in results.items() if result.share_of is not None}
        learned = self.calibration.words_by_rank if self.calibration is not None else {}
        if self.weights or not learned or len(by_words) in (0, len(results)):
            return lambda name, modality: self.weights.get(name, 1.0)

        def weight_of(name: str, modality: str | None) -> float:
            share = learned.get((query_modality, modality or ""), 0.5)
            return share if name in by_words else 1 - share

        return weight_of


def _count_documents(hits: Sequence[Hit], modality: str) -> int:
    return len({hit.key for hit in hits if hit.modality == modality})
