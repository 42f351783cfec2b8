"""Rank fusion: order documents by their ranks in the searches, without their scores.

Each search gives a document ``weight / (60 + rank)``; a document's score is the sum over the
searches (Cormack, Clarke and Büttcher, Reciprocal rank fusion outperforms Condorcet and individual
rank learning methods, SIGIR 2009). The rank is counted within the document's modality: in one list,
documents of the query's own modality would bury the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from .calibration import RANK_CONSTANT, Calibration
from .hits import DocumentKey, Hit
from .merging import (
    FusedDocument,
    HitsByDocument,
    Results,
    hits_by_document,
    merge,
    named_shares,
    searches_that_may_add,
    unfinished_modalities,
)

_NAMED_BONUS = 2.0
"""A document that holds all identifiers of the query counts as the first of two more searches."""


@dataclass(frozen=True)
class RankFusion:
    """Reciprocal rank fusion within each modality.

    Attributes:
        calibration: of the aligner, which has learned how to share a weight of 1 between vectors
            and words. Without one, and where weights are passed, each search counts by its own
            weight.
        weights: weight of each search, by name; a search without one has weight 1.
    """

    calibration: Calibration | None = None
    weights: Mapping[str, float] = field(default_factory=dict)

    @property
    def needs_similarity(self) -> bool:
        """No: ranks are enough."""
        return False

    def fuse(
        self, results: Results, query_modality: str, k: int | None = None
    ) -> list[FusedDocument]:
        """Return the best k documents, the best first; see :class:`Fusion`."""
        hits = hits_by_document(results)
        return merge(results, hits, self._scores(results, hits, query_modality), query_modality, k)

    def not_final(
        self, results: Results, query_modality: str, documents: Sequence[FusedDocument], k: int
    ) -> set[str]:
        """Return the searches that may hold a document that belongs among the best k.

        A search adds nothing to a document that it did not return, as is usual in rank fusion.
        """
        return searches_that_may_add(
            results, self.upper_bounds(results, query_modality), documents, k
        )

    def upper_bounds(self, results: Results, query_modality: str) -> dict[str, float]:
        """Return, by modality, the highest score of a document that no search returned.

        A modality is missing where all its documents were returned.
        """
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
