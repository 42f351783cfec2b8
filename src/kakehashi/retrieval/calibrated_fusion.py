"""Calibrated fusion: order documents by scores that compare across modalities.

The score of a document is a weighted sum of its similarity, its place among the documents of its
modality, and its share of words (:mod:`kakehashi.retrieval.calibration`). A document that holds an
identifier of the query (:mod:`kakehashi.retrieval.part_numbers`) is scored as the nearest of its
modality, plus a bonus.

The probability that a document answers (:mod:`kakehashi.retrieval.answer_probability`) follows from
similarity and place alone. Its words say little about that: some document always shares most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from .answer_probability import MinScore
from .calibration import Calibration
from .hits import DocumentKey
from .merging import (
    FusedDocument,
    Fusion,
    HitsByDocument,
    Results,
    largest,
    lexical_share,
    named_shares,
    unfinished_modalities,
)

_NAMED_BONUS = 2.0
"""Added to the score of a document that holds all identifiers of the query."""
_TOLERANCE = 1e-6
"""Similarities closer than this are equal, because stores round."""


@dataclass(frozen=True)
class CalibratedFusion(Fusion):
    """Fusion by calibrated scores.

    Attributes:
        calibration: of the aligner. A hit without a modality has no score, and raises DataError.
    """

    calibration: Calibration
    needs_similarity: ClassVar[bool] = True

    def fuse(
        self, results: Results, query_modality: str, k: int | None = None
    ) -> list[FusedDocument]:
        """Return the best k documents with the probability that each answers the query."""
        documents = super().fuse(results, query_modality, k)
        answers = self.calibration.answers.get(query_modality)
        if answers is None or not _has_vectors(results):
            return documents
        probabilities: dict[int, float] = {}
        for modality in {document.modality or "" for document in documents}:
            rows = [row for row, d in enumerate(documents) if (d.modality or "") == modality]
            similarities, places = _Neighbours(results, modality).locate(
                [documents[row].similarity for row in rows],
                np.array([documents[row].named for row in rows]),
            )
            by_vector = self.calibration.scores(
                similarities, places, query=query_modality, document=modality
            )
            probabilities |= zip(rows, answers.of(by_vector).tolist(), strict=True)
        return [replace(d, probability=probabilities[row]) for row, d in enumerate(documents)]

    def check_probabilities(self) -> None:
        """Raise DataError where the aligner has learned no probabilities."""
        if not self.calibration.answers:
            raise DataError(
                "This aligner, or one of this multi aligner, has learned no probability that a "
                "document answers. Fit it again, on pairs of which more are found; or leave "
                "min_score out."
            )

    def least_probability(self, min_score: MinScore, query_modality: str) -> float:
        """Return the least probability of a document that is to be kept."""
        return self.calibration.answers[query_modality].least(min_score)

    def not_final(
        self, results: Results, query_modality: str, documents: Sequence[FusedDocument], k: int
    ) -> set[str]:
        """Return the searches to repeat deeper; see :class:`Fusion`.

        Searches by vector that stopped before the similarity of one of the documents are repeated,
        too: its place, or its similarity, is not known yet.
        """
        names = super().not_final(results, query_modality, documents, k)
        in_vectors = {
            hit.modality
            for result in results.values()
            for hit in result.hits
            if hit.similarity is not None
        }
        for document in documents:
            if document.named == 1 and document.modality in in_vectors:
                continue  # its score is that of the nearest, wherever it is itself
            for name, result in results.items():
                last = result.last_hits.get(document.modality or "")
                if last is not None and last.similarity is not None:
                    similarity = document.similarity
                    if similarity is None or similarity < last.similarity - _TOLERANCE:
                        names.add(name)
        return names

    def upper_bounds(self, results: Results, query_modality: str) -> dict[str, float]:
        """Return the bounds; see :class:`Fusion`."""
        with_words = _has_words(results)
        bounds: dict[str, float] = {}
        for modality in unfinished_modalities(results):
            neighbours = _Neighbours(results, modality)
            if neighbours.complete:
                continue
            lexical = largest(
                result.last_hits[modality].lexical
                for result in results.values()
                if modality in result.last_hits
            )
            [bound] = self.calibration.scores(
                [neighbours.unseen_similarity],
                [neighbours.unseen_place],
                [lexical or 0.0] if with_words else None,
                query=query_modality,
                document=modality,
            )
            bounds[modality] = float(bound)
        return bounds

    def _scores(
        self, results: Results, hits: HitsByDocument, query_modality: str
    ) -> dict[DocumentKey, float]:
        by_modality: dict[str, list[DocumentKey]] = {m: [] for m in self.calibration.modalities}
        for document in hits:
            modality = document[1] or ""
            if modality not in by_modality:
                raise DataError(
                    f"The document {str(hits[document][0].payload)[:60]!r} names no modality "
                    f"(its metadata gave {document[1]!r}). Store one of "
                    f"{', '.join(by_modality)} in its metadata, name the modality of the search, "
                    "or fuse by rank (fusion='rank')."
                )
            by_modality[modality].append(document)
        scores: dict[DocumentKey, float] = {}
        for modality, documents in by_modality.items():
            values = self._scores_within(modality, documents, results, hits, query_modality)
            scores |= zip(documents, values.tolist(), strict=True)
        return scores

    def _scores_within(
        self,
        modality: str,
        documents: Sequence[DocumentKey],
        results: Results,
        hits: HitsByDocument,
        query_modality: str,
    ) -> NDArray[np.float64]:
        """Return the scores of documents of one modality, (n,) float64."""
        neighbours, named = _Neighbours(results, modality), named_shares(results)
        share = np.array([named.get(document, 0.0) for document in documents])
        similarities, places = neighbours.locate(
            [largest(hit.similarity for hit in hits[document]) for document in documents], share
        )
        lexical = None
        if _has_words(results):
            lexical = [lexical_share(document, results) or 0.0 for document in documents]
        return _NAMED_BONUS * share + self.calibration.scores(
            similarities, places, lexical, query=query_modality, document=modality
        )


class _Neighbours:
    """The documents of one modality that searches by vector returned for a query.

    Attributes:
        complete: whether they are all documents of the modality that the stores hold.
        nearest_similarity: similarity of the nearest.
        unseen_similarity, unseen_place: upper bound of the similarity, and the place that it has,
            of a document that no search by vector returned. Where the searches returned all
            documents, it is behind all of them; where they returned none of this modality, it is
            behind those of every modality.
    """

    def __init__(self, results: Results, modality: str) -> None:
        similarity_of: dict[DocumentKey, float] = {}
        for result in results.values():
            for hit in result.hits:
                if hit.similarity is not None:
                    document = hit.key, hit.modality
                    similarity_of[document] = max(
                        hit.similarity, similarity_of.get(document, hit.similarity)
                    )
        similarities = [s for (_, other), s in similarity_of.items() if other == modality]
        self._descending = np.sort(_rounded([-s for s in similarities]))
        last_similarity = largest(
            result.last_hits[modality].similarity
            for result in results.values()
            if modality in result.last_hits
        )
        self.complete = last_similarity is None and bool(similarities)
        self.unseen_similarity: float
        if last_similarity is not None:
            self.unseen_similarity = last_similarity
            self.unseen_place = int(self._places([last_similarity])[0])
        else:
            behind = similarities or list(similarity_of.values())
            self.unseen_similarity = min(behind, default=0.0)
            self.unseen_place = 1 + len(behind)
        self.nearest_similarity = max(similarities, default=self.unseen_similarity)

    def locate(
        self, similarities: Sequence[float | None], named: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the similarity and the place (from 1) of n documents, (n,) each.

        None stands for a document that only a search by words returned. Equals share a place.

        Args:
            named: (n,) shares of the query's identifiers. A share of 1 moves a document to the
                similarity and the place of the nearest.
        """
        missing = np.array([similarity is None for similarity in similarities], bool)
        values = [self.unseen_similarity if s is None else s for s in similarities]
        places = np.where(missing, self.unseen_place, self._places(values))
        moved = np.array(values, np.float64)
        return moved + named * (self.nearest_similarity - moved), places ** (1 - named)

    def _places(self, similarities: Sequence[float]) -> NDArray[np.intp]:
        return 1 + np.searchsorted(self._descending, _rounded([-s for s in similarities]))


def _rounded(values: Sequence[float]) -> NDArray[np.float64]:
    return np.round(np.array(values, np.float64) / _TOLERANCE) * _TOLERANCE


def _has_vectors(results: Results) -> bool:
    return any(hit.similarity is not None for result in results.values() for hit in result.hits)


def _has_words(results: Results) -> bool:
    return any(hit.lexical is not None for result in results.values() for hit in result.hits)
