"""Fusion: what several searches found, as one list.

A hit is a document that one arm found; the same document may come from several arms and is merged
by its key. ``calibrated`` fusion orders by the log odds of :mod:`kakehashi.calibration`, which
read a hit's similarity, its modality and its BM25 score. ``rank`` fusion asks for none of that:
each arm gives a document ``weight / (60 + rank)``, the rank among those of its modality (Cormack,
Clarke and Büttcher, Reciprocal rank fusion outperforms Condorcet and individual rank learning
methods, SIGIR 2009). Where vectors and words are both searched, a calibration knows how to share
the weight of 1 between them; without one, or where weights are named, each counts by its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from .calibration import RANK_CONSTANT, Calibration
from .errors import DataError

Method = Literal["calibrated", "rank"]
METHODS = ("calibrated", "rank")


class Hit(NamedTuple):
    """A document that one arm found.

    Attributes:
        key: what is equal for the same document.
        payload: the document, as the framework has it.
        modality: of the document; None where it names none that is known.
        arm: which search found it.
        raw: the score that the store gave, if it gave one.
        similarity: inner product of unit vectors, of an arm that searches by vector.
        lexical: BM25 score as a share of the best of its modality, of an arm that searches by
            words.
    """

    key: str
    payload: Any
    modality: str | None
    arm: str
    raw: float | None = None
    similarity: float | None = None
    lexical: float | None = None


class Searched(NamedTuple):
    """What one arm found.

    Attributes:
        hits: the best first.
        further: where the arm may hold more documents of a modality, the last hit before them:
            they are no more similar, nor have they more words of the query.
    """

    hits: Sequence[Hit]
    further: Mapping[str, Hit]


@dataclass(frozen=True)
class Fused:
    """A document of the fused list.

    Attributes:
        payload: the document, as the first arm gave it.
        modality: of the document.
        score: log odds that it answers (``calibrated``), or the sum over the arms (``rank``).
        arms: the arms that found it, with the score of each store.
        similarity, lexical: as in :class:`Hit`; None where no arm of the kind found it.
    """

    payload: Any
    modality: str | None
    score: float
    arms: Mapping[str, float | None]
    similarity: float | None
    lexical: float | None

    def described(self, how: str) -> dict[str, Any]:
        """Return what a hit's metadata says of how it was found."""
        return {
            "modality": self.modality,
            "arms": dict(self.arms),
            "similarity": self.similarity,
            "lexical": self.lexical,
            "score": self.score,
            "fusion": how,
        }


def fuse(
    found: Mapping[str, Searched],
    *,
    query: str,
    method: Method = "calibrated",
    calibration: Calibration | None = None,
    weights: Mapping[str, float] | None = None,
    k: int | None = None,
) -> list[Fused]:
    """Merge what the arms found and put it in order, the best k of them first to last.

    Args:
        found: by name of the arm.
        query: the modality of the query.
        calibration: of the aligner; ``rank`` does without.
        weights: of the arms, for ``rank``; of some named, the others count 1.

    Raises:
        DataError: an unknown method; or calibrated fusion without a calibration, or of a hit
            without a modality.
    """
    if method not in METHODS:
        raise DataError(f"fusion={method!r} is not known; choose one of {', '.join(METHODS)}.")
    documents: dict[str, list[Hit]] = {}
    for searched in found.values():
        for hit in searched.hits:
            documents.setdefault(hit.key, []).append(hit)
    if method == "rank":
        scores = _by_rank(found, _Weights(found, query, calibration, weights or {}))
    else:
        scores = _by_score(found, documents, query, calibration)
    # By rank, each modality has its first: of equals, what is not of the query's own goes first,
    # the one that a single list buries. Then the order of the arms (Python's sort is stable).
    scores.sort(key=lambda scored: (-scored[1], documents[scored[0]][0].modality == query))
    return [_merged(documents[key], score) for key, score in scores[:k]]


def unfound(
    found: Mapping[str, Searched],
    *,
    query: str,
    method: Method = "calibrated",
    calibration: Calibration | None = None,
    weights: Mapping[str, float] | None = None,
) -> dict[str, float]:
    """Return by modality the most that a document can score which no arm has found.

    A modality is missing where all was found. Arguments are those of :func:`fuse`.
    """
    if method == "rank":
        weigh = _Weights(found, query, calibration, weights or {})
        most: dict[str, float] = {}
        for arm, searched in found.items():
            for side in searched.further:
                place = 1 + len({hit.key for hit in searched.hits if hit.modality == side})
                most[side] = most.get(side, 0.0) + weigh(arm, side) / (RANK_CONSTANT + place)
        return most
    assert calibration is not None  # or nothing was fused
    last: dict[str, list[Hit]] = {}
    for searched in found.values():
        for side, hit in searched.further.items():
            last.setdefault(side, []).append(hit)
    vectors = any(hit.similarity is not None for each in found.values() for hit in each.hits)
    words = any(hit.lexical is not None for each in found.values() for hit in each.hits)
    bounds = {}
    for side, hits in last.items():
        similarity = _best(hit.similarity for hit in hits)
        if similarity is None and vectors:
            continue  # the vectors have found all of it
        lexical = [_best(hit.lexical for hit in hits) or 0.0] if words else None
        rank = 1 + len({hit.key for each in found.values() for hit in _near(each, side)})
        bound = calibration.scores([similarity or 0.0], [rank], lexical, query=query, document=side)
        bounds[side] = float(bound[0])
    return bounds


class _Weights:
    """What an arm counts in fusion by rank, for documents of a modality."""

    def __init__(
        self,
        found: Mapping[str, Searched],
        query: str,
        calibration: Calibration | None,
        named: Mapping[str, float],
    ) -> None:
        words = {a for a, each in found.items() if any(h.lexical is not None for h in each.hits)}
        both = 0 < len(words) < len(found)
        self._words, self._query, self._named = words, query, named
        self._shares = calibration.words_by_rank if calibration and both and not named else {}

    def __call__(self, arm: str, side: str | None) -> float:
        if side is None or not self._shares:
            return self._named.get(arm, 1.0)
        share = self._shares[self._query, side]
        return share if arm in self._words else 1 - share


def _by_rank(found: Mapping[str, Searched], weigh: _Weights) -> list[tuple[str, float]]:
    scores: dict[str, float] = {}
    for arm, searched in found.items():
        # Each modality is ranked by itself: in one list the query's own buries the other.
        ranked: dict[str | None, dict[str, None]] = {}
        for hit in searched.hits:  # an index may hold a document twice
            ranked.setdefault(hit.modality, {})[hit.key] = None
        for side, keys in ranked.items():
            for place, key in enumerate(keys, 1):
                added = weigh(arm, side) / (RANK_CONSTANT + place)
                scores[key] = scores.get(key, 0.0) + added
    return list(scores.items())


def _by_score(
    found: Mapping[str, Searched],
    documents: Mapping[str, list[Hit]],
    query: str,
    calibration: Calibration | None,
) -> list[tuple[str, float]]:
    if calibration is None:
        raise DataError(
            "There is no calibration of scores: an aligner was fitted on too few held-out pairs, "
            "or saved by an earlier kakehashi. Fit it again, or fuse by rank (fusion='rank')."
        )
    modality = {key: hits[0].modality for key, hits in documents.items()}
    known = calibration.modalities
    for key, side in modality.items():
        if side not in known:
            raise DataError(
                f"The document {_quoted(documents[key][0])} names no modality (found: {side!r}). "
                f"Store one of {', '.join(known)} in its metadata, name the "
                "modality of the arm, or fuse by rank (fusion='rank')."
            )
    words = any(hit.lexical is not None for hits in documents.values() for hit in hits)
    scores: list[tuple[str, float]] = []
    for side in known:
        keys = [key for key in documents if modality[key] == side]
        if not keys:
            continue
        farthest = _farthest(found, side)
        similarity = [_best(hit.similarity for hit in documents[key]) for key in keys]
        dense = np.array([farthest if s is None else s for s in similarity])
        # Equals share a place; what the vectors did not find comes after all that they found.
        near_first = np.sort([-s for s in similarity if s is not None])
        rank = 1 + np.searchsorted(near_first, -dense)
        rank[[s is None for s in similarity]] = 1 + len(near_first)
        lexical = None
        if words:
            lexical = [_best(hit.lexical for hit in documents[key]) or 0.0 for key in keys]
        scored = calibration.scores(dense, rank, lexical, query=query, document=side)
        scores += zip(keys, map(float, scored), strict=True)
    order = {key: place for place, key in enumerate(documents)}
    return sorted(scores, key=lambda scored: order[scored[0]])


def _farthest(found: Mapping[str, Searched], side: str) -> float:
    """Return the similarity of what only the words found: no more than all that vectors found."""
    last = _best(s.further[side].similarity for s in found.values() if side in s.further)
    if last is not None:
        return last
    of_side = [hit.similarity for each in found.values() for hit in _near(each, side)]
    every = [hit.similarity for each in found.values() for hit in each.hits]
    return min((s for s in of_side or every if s is not None), default=0.0)


def _near(searched: Searched, side: str) -> list[Hit]:
    """Return the hits of a modality that an arm found by their vectors."""
    return [h for h in searched.hits if h.similarity is not None and h.modality == side]


def _merged(hits: Sequence[Hit], score: float) -> Fused:
    return Fused(
        hits[0].payload,
        hits[0].modality,
        score,
        {hit.arm: hit.raw for hit in hits},
        _best(hit.similarity for hit in hits),
        _best(hit.lexical for hit in hits),
    )


def _best(values: Iterable[float | None]) -> float | None:
    return max((v for v in values if v is not None), default=None)


def _quoted(hit: Hit) -> str:
    return repr(str(hit.payload)[:60])


_TINY = 1e-30
"""What a score that a scale does not know (a negative similarity) counts as; its reciprocal can be
squared."""

SCALES: Mapping[str, Callable[[float], float]] = {
    "similarity": lambda s: s,
    "cosine distance": lambda d: 1 - d,
    "squared l2": lambda d: 1 - d / 2,
    "l2": lambda d: 1 - d * d / 2,
    "(1 + cosine) / 2": lambda s: 2 * s - 1,
    "exp(-cosine distance)": lambda s: 1 + np.log(max(s, _TINY)),
    "exp(-squared l2)": lambda s: 1 + np.log(max(s, _TINY)) / 2,
    "1 / (1 + squared l2)": lambda s: 1 - (1 / max(s, _TINY) - 1) / 2,
    "1 / (1 + l2)": lambda s: 1 - (1 / max(s, _TINY) - 1) ** 2 / 2,
}
"""The scores that stores give of unit vectors, and how to have the inner product back."""

_NEAR = 0.02
"""How far a converted score may lie off: stores round, and some keep eight bits."""


def scale_of(raw: Sequence[float], true: Sequence[float]) -> str | None:
    """Find out what a store's scores are, from a few whose inner product is known.

    Stores call them score, similarity and distance, and mean many things.

    Returns:
        the name of one of :data:`SCALES`, or None where none fits.
    """
    errors = {
        name: max(abs(float(convert(float(r))) - t) for r, t in zip(raw, true, strict=True))
        for name, convert in SCALES.items()
    }
    best = min(errors, key=lambda name: errors[name])
    return best if errors[best] <= _NEAR else None
