"""Fusion: what several searches found, as one list.

A hit is a document that one arm found; the same document may come from several arms and is merged
by its key and modality (of one text in two modalities the better copy stays). ``calibrated`` fusion
orders by the scores of :mod:`kakehashi.retrieval.calibration`, which read a document's similarity,
its place among those of its modality, and its words. ``rank`` fusion asks for none of that:
each arm gives a document ``weight / (60 + rank)``, the rank among those of its modality (Cormack,
Clarke and Büttcher, Reciprocal rank fusion outperforms Condorcet and individual rank learning
methods, SIGIR 2009). Where vectors and words are both searched, a calibration knows how to share
the weight of 1 between them; without one, or where weights are named, each counts by its own.

What a query names by number (:mod:`kakehashi.retrieval.part_numbers`) is taken for an answer,
by either: a document that names it counts as the nearest of its modality and a little more, or as
the first of
two more arms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from .calibration import MIN_CALIBRATED, RANK_CONSTANT, Calibration
from .hits import Document, Hit, Searched

Method = Literal["calibrated", "rank"]
METHODS = get_args(Method)
_NAMED = 2.0
"""What a document that is named scores over the first by vectors; by rank, the arms of which it
counts as the first."""
_EQUAL = 1e-6
"""Similarities nearer than this are equal: stores round."""


@dataclass(frozen=True)
class Fused:
    """A document of the fused list.

    Attributes:
        payload: the document, as the first arm gave it.
        modality: of the document.
        score: of its calibration (``calibrated``), or the sum over the arms (``rank``).
        arms: the arms that found it, with the score of each store.
        similarity, lexical: as in :class:`Hit`; None where no arm of the kind found it.
        named: as in :class:`Searched`.
    """

    payload: Any
    modality: str | None
    score: float
    arms: Mapping[str, float | None]
    similarity: float | None
    lexical: float | None
    named: float = 0.0

    def described(self, how: str, failed: Mapping[str, str]) -> dict[str, Any]:
        """Return what a hit's metadata says of how it was found, and which arms failed."""
        found: dict[str, Any] = {
            "modality": self.modality,
            "arms": dict(self.arms),
            "similarity": self.similarity,
            "lexical": self.lexical,
            "named": self.named,
            "score": self.score,
            "fusion": how,
        }
        return found | ({"failed": dict(failed)} if failed else {})


@dataclass(frozen=True)
class Fusion:
    """How what several arms found becomes one list.

    Attributes:
        method: ``"calibrated"`` or ``"rank"``.
        calibration: of the aligner; ``rank`` does without, but for the share of words.
        weights: of the arms, for ``rank``; of some named, the others count 1.

    Raises:
        DataError: an unknown method, or ``calibrated`` without a calibration.
    """

    method: Method = "calibrated"
    calibration: Calibration | None = None
    weights: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what would otherwise show at the first search."""
        if self.method not in METHODS:
            raise DataError(
                f"fusion={self.method!r} is not known; choose one of {', '.join(METHODS)}."
            )
        if self.reads_scores and self.calibration is None:
            raise DataError(
                "There is no calibration of scores: it takes a fit with "
                f"{MIN_CALIBRATED} held-out pairs (a fifth is held out, so {5 * MIN_CALIBRATED} "
                "pairs, or a test set of so many), and one of this version, of every aligner of a "
                "bridge. Fit on more, or fuse by rank (fusion='rank')."
            )

    @property
    def reads_scores(self) -> bool:
        """Whether it needs to know what the scores of stores are."""
        return self.method == "calibrated"

    def fuse(self, found: Mapping[str, Searched], query: str, k: int | None = None) -> list[Fused]:
        """Merge what the arms found and put it in order, the best k of them first to last.

        Args:
            found: by name of the arm.
            query: the modality of the query.

        Raises:
            DataError: ``calibrated``, of a hit without a modality.
        """
        documents: dict[Document, list[Hit]] = {}
        for searched in found.values():
            for hit in searched.hits:
                documents.setdefault((hit.key, hit.modality), []).append(hit)
        by = self._by_score if self.reads_scores else self._by_rank
        scores = by(found, documents, query)
        # By rank, each modality has its first: of equals, what is not of the query's own goes
        # first, the one that a single list buries. Then the order of the arms (Python's sort is
        # stable).
        order = sorted(documents, key=lambda document: (-scores[document], document[1] == query))
        best = {document[0]: document for document in reversed(order)}  # the first copy stays
        firsts = [document for document in order if best[document[0]] == document]
        return [_merged(documents[each], scores[each], found) for each in firsts[:k]]

    def unsettled(
        self, found: Mapping[str, Searched], query: str, best: Sequence[Fused], k: int
    ) -> set[str]:
        """Return the arms to search deeper before the k best are what a search of all gives.

        One is an arm that may hold a document which no arm has found and which would belong among
        them; another, for ``calibrated``, one that stopped before the similarity of one of them:
        its own place, or its similarity, where only words have found it, is not known yet. (By
        rank an arm adds nothing to a document that it has not found, as is usual.)

        Args:
            best: what :meth:`fuse` made of the same.
        """
        least = best[-1].score if len(best) >= k else -np.inf
        sides = {side for side, most in self.unfound(found, query).items() if most > least}
        arms = {name for name, searched in found.items() if sides & searched.further.keys()}
        if self.reads_scores:
            seen = {h.modality for s in found.values() for h in s.hits if h.similarity is not None}
            for document in best:
                if document.named == 1 and document.modality in seen:
                    continue  # it is lifted to the nearest, wherever it is itself
                for name, searched in found.items():
                    last = searched.further.get(document.modality or "")
                    if last is None or last.similarity is None:
                        continue
                    known = document.similarity
                    if known is None or known < last.similarity - _EQUAL:
                        arms.add(name)
        return arms

    def unfound(self, found: Mapping[str, Searched], query: str) -> dict[str, float]:
        """Return by modality the most that a document can score which no arm has found.

        A modality is missing where all was found.
        """
        sides = dict.fromkeys(side for searched in found.values() for side in searched.further)
        most: dict[str, float] = {}
        if not self.reads_scores:
            weigh = self._weights(found, query)
            for side in sides:
                most[side] = sum(
                    weigh(arm, side) / (RANK_CONSTANT + 1 + _different(searched.hits, side))
                    for arm, searched in found.items()
                    if side in searched.further
                )
            return most
        assert self.calibration is not None  # of this method
        words = _any_words(found)
        for side in sides:
            near = _Near(found, side)
            if near.farthest is None and near.found:
                continue  # the vectors have found all of it
            last = [each.further[side] for each in found.values() if side in each.further]
            lexical = [_best(hit.lexical for hit in last) or 0.0] if words else None
            similarity, place = near.beyond
            [bound] = self.calibration.scores(
                [similarity], [place], lexical, query=query, document=side
            )
            most[side] = float(bound)
        return most

    def _weights(
        self, found: Mapping[str, Searched], query: str
    ) -> Callable[[str, str | None], float]:
        """Return what an arm counts in fusion by rank, for documents of a modality."""
        words = {arm for arm, searched in found.items() if searched.share_of is not None}
        learned = self.calibration.words_by_rank if self.calibration is not None else {}
        if self.weights or not learned or len(words) in (0, len(found)):
            return lambda arm, side: self.weights.get(arm, 1.0)

        def weigh(arm: str, side: str | None) -> float:
            of_words = learned.get((query, side or ""), 0.5)
            return of_words if arm in words else 1 - of_words

        return weigh

    def _by_rank(
        self,
        found: Mapping[str, Searched],
        documents: Mapping[Document, Sequence[Hit]],
        query: str,
    ) -> dict[Document, float]:
        weigh = self._weights(found, query)
        scores = dict.fromkeys(documents, 0.0)
        for arm, searched in found.items():
            # Each modality is ranked by itself: in one list the query's own buries the other.
            ranked: dict[str | None, dict[str, None]] = {}
            for hit in searched.hits:  # an index may hold a document twice
                ranked.setdefault(hit.modality, {})[hit.key] = None
            for side, keys in ranked.items():
                for place, key in enumerate(keys, 1):
                    scores[key, side] += weigh(arm, side) / (RANK_CONSTANT + place)
        for document, share in _named(found).items():
            if document in scores:  # as if it were the first of two more arms
                scores[document] += _NAMED * share / (RANK_CONSTANT + 1)
        return scores

    def _by_score(
        self,
        found: Mapping[str, Searched],
        documents: Mapping[Document, Sequence[Hit]],
        query: str,
    ) -> dict[Document, float]:
        assert self.calibration is not None  # of this method
        by_side: dict[str, list[Document]] = {side: [] for side in self.calibration.modalities}
        for document, hits in documents.items():
            if document[1] not in by_side:
                raise DataError(
                    f"The document {str(hits[0].payload)[:60]!r} names no modality (found: "
                    f"{document[1]!r}). Store one of {', '.join(by_side)} in its metadata, name "
                    "the modality of the arm, or fuse by rank (fusion='rank')."
                )
            by_side[str(document[1])].append(document)
        words, named = _any_words(found), _named(found)
        scores: dict[Document, float] = {}
        for side, own in by_side.items():
            near = _Near(found, side)
            known = [_best(hit.similarity for hit in documents[each]) for each in own]
            # What only the words found is no nearer than what the vectors did not find.
            dense = [near.beyond[0] if s is None else s for s in known]
            places = near.places(dense)
            places[[s is None for s in known]] = near.beyond[1]
            lexical = [_share(each, found) or 0.0 for each in own] if words else None
            # What is named is as near as the first, and leads it.
            share = np.array([named.get(each, 0.0) for each in own])
            lifted = np.array(dense) + share * (near.nearest - np.array(dense))
            scored = _NAMED * share + self.calibration.scores(
                lifted, places ** (1 - share), lexical, query=query, document=side
            )
            scores |= zip(own, map(float, scored), strict=True)
        return scores


class _Near:
    """What the vectors found of a modality.

    Attributes:
        found: the similarity of each document.
        farthest: what they did not find is no nearer; None where they have found all.
        nearest: the similarity of the first; that of what they did not find, where they have none.
        beyond: the similarity and the place of what they did not find: at best, where there may be
            more; else behind all that they found, of any modality where they have none of this.
    """

    def __init__(self, found: Mapping[str, Searched], side: str) -> None:
        every: dict[Document, float] = {}
        for searched in found.values():
            for hit in searched.hits:
                if hit.similarity is not None:
                    before = every.get((hit.key, hit.modality), hit.similarity)
                    every[hit.key, hit.modality] = max(before, hit.similarity)
        self.found = [s for (_, modality), s in every.items() if modality == side]
        self._ascending = np.sort(_rounded([-s for s in self.found]))
        last = (each.further[side].similarity for each in found.values() if side in each.further)
        self.farthest = _best(last)
        self.beyond: tuple[float, int]
        if self.farthest is not None:
            self.beyond = (self.farthest, int(self.places([self.farthest])[0]))
        else:
            behind = self.found or list(every.values())
            self.beyond = (min(behind, default=0.0), 1 + len(behind))
        self.nearest = max(self.found, default=self.beyond[0])

    def places(self, similarities: Sequence[float]) -> NDArray[np.intp]:
        """Return the place of each similarity, from 1; equals share one."""
        return 1 + np.searchsorted(self._ascending, _rounded([-s for s in similarities]))


def _different(hits: Sequence[Hit], side: str) -> int:
    return len({hit.key for hit in hits if hit.modality == side})


def _rounded(values: Sequence[float]) -> NDArray[np.float64]:
    return np.round(np.array(values, np.float64) / _EQUAL) * _EQUAL


def _named(found: Mapping[str, Searched]) -> dict[Document, float]:
    """Return how much of what the query names each document names, by any arm."""
    every: dict[Document, float] = {}
    for searched in found.values():
        for document, share in searched.named.items():
            every[document] = max(share, every.get(document, 0.0))
    return every


def _any_words(found: Mapping[str, Searched]) -> bool:
    return any(hit.lexical is not None for searched in found.values() for hit in searched.hits)


def _share(document: Document, found: Mapping[str, Searched]) -> float | None:
    """Return the BM25 share of a document, whether or not it was among the first by words."""
    return _best(each.share_of(document) for each in found.values() if each.share_of is not None)


def _merged(hits: Sequence[Hit], score: float, found: Mapping[str, Searched]) -> Fused:
    return Fused(
        hits[0].payload,
        hits[0].modality,
        score,
        {hit.arm: hit.raw for hit in hits},
        _best(hit.similarity for hit in hits),
        _share((hits[0].key, hits[0].modality), found),
        _named(found).get((hits[0].key, hits[0].modality), 0.0),
    )


def _best(values: Iterable[float | None]) -> float | None:
    return max((v for v in values if v is not None), default=None)
