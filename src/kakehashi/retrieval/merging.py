"""Merge the hits of several searches into one ordered list of documents."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..errors import DataError
from .answer_probability import MinScore
from .hits import DocumentKey, Hit, SearchResult

_NO_PROBABILITY = (
    "min_score is a probability, which fusion by rank does not tell; take fusion='calibrated'."
)

Results = Mapping[str, SearchResult]
"""The result of each search, by the name of the search."""
HitsByDocument = Mapping[DocumentKey, Sequence[Hit]]


@dataclass(frozen=True)
class FusedDocument:
    """A document of the fused list.

    Attributes:
        payload: the object of the framework, the same one for every query (:func:`_payload`).
        modality: modality of the document.
        score: the fused score. It compares documents of one query, and not of two.
        searches: the raw score of each search that returned the document, by name.
        similarity, lexical: as in :class:`Hit`; None where no search of the kind returned it.
        unrescored: as in :class:`Hit`; None where no search that found it was rescored.
        named: as in :class:`SearchResult`; 0 where the document holds no identifier of the query.
        probability: that the document answers the query
            (:mod:`kakehashi.retrieval.answer_probability`); None where it is not known.
    """

    payload: Any
    modality: str | None
    score: float
    searches: Mapping[str, float | None]
    similarity: float | None
    lexical: float | None
    named: float = 0.0
    probability: float | None = None
    unrescored: float | None = None

    def described(self, fusion: str, failed: Mapping[str, str]) -> dict[str, Any]:
        """Return the metadata entry that explains the document's place.

        Args:
            fusion: name of the fusion method.
            failed: reason of each failed search, by name.
        """
        description: dict[str, Any] = {
            "modality": self.modality,
            "searches": dict(self.searches),
            "similarity": self.similarity,
            "unrescored": self.unrescored,
            "lexical": self.lexical,
            "named": self.named,
            "score": self.score,
            "probability": self.probability,
            "fusion": fusion,
        }
        return description | ({"failed": dict(failed)} if failed else {})


class Fusion(ABC):
    """Makes one list of the results of several searches, by a score of each document.

    Attributes:
        needs_similarity: whether hits of a search by vector need their similarity.
    """

    needs_similarity: ClassVar[bool]

    def fuse(
        self, results: Results, query_modality: str, k: int | None = None
    ) -> list[FusedDocument]:
        """Return the best k documents, the best first; all where k is None.

        Args:
            results: by name of the search.
            query_modality: the modality of the query.
        """
        hits = hits_by_document(results)
        scores = self._scores(results, hits, query_modality)
        return merge(results, hits, scores, query_modality, k)

    def check_probabilities(self) -> None:
        """Raise DataError: this fusion tells no probabilities."""
        raise DataError(_NO_PROBABILITY)

    def least_probability(self, min_score: MinScore, query_modality: str) -> float:
        """Return the least probability of a document that is to be kept."""
        raise DataError(_NO_PROBABILITY)

    def not_final(
        self, results: Results, query_modality: str, documents: Sequence[FusedDocument], k: int
    ) -> set[str]:
        """Return the names of the searches to repeat deeper before the best k are final.

        These are the searches that may hold a document that belongs among the best k.

        Args:
            documents: what :meth:`fuse` returned for these results and this k.
        """
        bounds = self.upper_bounds(results, query_modality)
        lowest = documents[-1].score if len(documents) >= k else -np.inf
        modalities = {modality for modality, bound in bounds.items() if bound > lowest}
        return {name for name, result in results.items() if modalities & result.last_hits.keys()}

    @abstractmethod
    def upper_bounds(self, results: Results, query_modality: str) -> dict[str, float]:
        """Return, by modality, the highest score of a document that no search returned.

        A modality is missing where all its documents were returned.
        """

    @abstractmethod
    def _scores(
        self, results: Results, hits: HitsByDocument, query_modality: str
    ) -> dict[DocumentKey, float]:
        """Return the score of each document."""


def hits_by_document(results: Results) -> dict[DocumentKey, list[Hit]]:
    """Group the hits of all searches by document."""
    documents: dict[DocumentKey, list[Hit]] = {}
    for result in results.values():
        for hit in result.hits:
            documents.setdefault((hit.key, hit.modality), []).append(hit)
    return documents


def merge(
    results: Results,
    hits: HitsByDocument,
    scores: Mapping[DocumentKey, float],
    query_modality: str,
    k: int | None,
) -> list[FusedDocument]:
    """Return the k documents with the highest scores, the best first.

    A text that stands in two modalities is returned once, with its better score. Of equal scores,
    documents of the query's own modality come last: a single list would bury the others. Then the
    order of the searches decides, because Python's sort is stable.
    """
    order = sorted(hits, key=lambda document: (-scores[document], document[1] == query_modality))
    first_of_key = {key: (key, modality) for key, modality in reversed(order)}
    best = [document for document in order if first_of_key[document[0]] == document]
    named = named_shares(results)
    return [
        FusedDocument(
            _payload(document, results, hits),
            document[1],
            scores[document],
            {hit.search: hit.raw for hit in hits[document]},
            largest(hit.similarity for hit in hits[document]),
            lexical_share(document, results),
            named.get(document, 0.0),
            unrescored=largest(hit.unrescored for hit in hits[document]),
        )
        for document in best[:k]
    ]


def _payload(document: DocumentKey, results: Results, hits: HitsByDocument) -> Any:
    """Return the object of a document: that of a search by words, or else of the first hit.

    Which searches return a document changes with the query, and each has an object of its own, with
    other ids. Frameworks would take them for two documents. A search by words has all of its
    documents at hand, whether or not a query finds them.
    """
    for result in results.values():
        payload = None if result.payload_of is None else result.payload_of(document)
        if payload is not None:
            return payload
    return hits[document][0].payload


def unfinished_modalities(results: Results) -> list[str]:
    """Return the modalities in which at least one search may hold more documents."""
    return list(dict.fromkeys(m for result in results.values() for m in result.last_hits))


def named_shares(results: Results) -> dict[DocumentKey, float]:
    """Return the share of the query's identifiers that each document holds, over all searches."""
    shares: dict[DocumentKey, float] = {}
    for result in results.values():
        for document, share in result.named.items():
            shares[document] = max(share, shares.get(document, 0.0))
    return shares


def lexical_share(document: DocumentKey, results: Results) -> float | None:
    """Return the BM25 share of a document, whether or not a search by words returned it."""
    return largest(
        result.share_of(document) for result in results.values() if result.share_of is not None
    )


def largest(values: Iterable[float | None]) -> float | None:
    """Return the largest of the values that are not None; None where all are."""
    return max((value for value in values if value is not None), default=None)
