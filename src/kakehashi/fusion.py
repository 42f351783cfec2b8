"""Fusion: what several searches found, as one list.

A hit is a document that one arm found; the same document may come from several arms and is merged
by its key. ``calibrated`` fusion orders by the log odds of :mod:`kakehashi.calibration`, which
read a hit's similarity, its modality and its BM25 score. ``rank`` fusion asks for none of that:
each arm gives a document ``weight / (60 + rank)``, the rank among those of its modality (Cormack,
Clarke and Büttcher, Reciprocal rank fusion outperforms Condorcet and individual rank learning
methods, SIGIR 2009).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from .calibration import Calibration
from .errors import DataError

Method = Literal["calibrated", "rank"]
METHODS = ("calibrated", "rank")
_RANK_CONSTANT = 60


@dataclass(frozen=True)
class Hit:
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
    found: Mapping[str, Sequence[Hit]],
    *,
    query: str,
    method: Method = "calibrated",
    calibration: Calibration | None = None,
    weights: Mapping[str, float] | None = None,
) -> list[Fused]:
    """Merge what the arms found and put it in order, the best first.

    Args:
        found: by name of the arm, its hits, the best first.
        query: the modality of the query.
        calibration: of the aligner; for ``calibrated``.
        weights: of the arms, 1 unless named; for ``rank``.

    Raises:
        DataError: an unknown method; or calibrated fusion without a calibration, of a hit without
            a modality, or of hits that were found by words alone.
    """
    if method not in METHODS:
        raise DataError(f"fusion={method!r} is not known; choose one of {', '.join(METHODS)}.")
    documents: dict[str, list[Hit]] = {}
    for hits in found.values():
        for hit in hits:
            documents.setdefault(hit.key, []).append(hit)
    if method == "rank":
        scores = _by_rank(found, weights or {})
    else:
        scores = _by_odds(documents, query, calibration)
    # By rank, each modality has its first: of equals, what is not of the query's own goes first,
    # the one that a single list buries. Then the order of the arms (Python's sort is stable).
    scores.sort(key=lambda scored: (-scored[1], documents[scored[0]][0].modality == query))
    return [_merged(documents[key], score) for key, score in scores]


def _by_rank(
    found: Mapping[str, Sequence[Hit]], weights: Mapping[str, float]
) -> list[tuple[str, float]]:
    scores: dict[str, float] = {}
    for arm, hits in found.items():
        # Each modality is ranked by itself: in one list the query's own buries the other.
        ranked: dict[str | None, dict[str, None]] = {}
        for hit in hits:  # an index may hold a document twice
            ranked.setdefault(hit.modality, {})[hit.key] = None
        for keys in ranked.values():
            for rank, key in enumerate(keys, 1):
                scores[key] = scores.get(key, 0.0) + weights.get(arm, 1.0) / (_RANK_CONSTANT + rank)
    return list(scores.items())


def _by_odds(
    documents: Mapping[str, list[Hit]], query: str, calibration: Calibration | None
) -> list[tuple[str, float]]:
    if calibration is None:
        raise DataError(
            "There is no calibration of scores: an aligner was fitted on too few held-out pairs, "
            "or saved by an earlier kakehashi. Fit it again, or fuse by rank (fusion='rank')."
        )
    similarity = {key: _best(hit.similarity for hit in hits) for key, hits in documents.items()}
    by_words = {
        key: _best(hit.lexical for hit in hits)
        for key, hits in documents.items()
        if any(hit.lexical is not None for hit in hits)
    }
    modality = {key: hits[0].modality for key, hits in documents.items()}
    for key, side in modality.items():
        if side not in calibration.modalities:
            raise DataError(
                f"The document {_quoted(documents[key][0])} names no modality (found: {side!r}). "
                f"Store one of {', '.join(calibration.modalities)} in its metadata, name the "
                "modality of the arm, or fuse by rank (fusion='rank')."
            )
    scores: list[tuple[str, float]] = []
    for side in calibration.modalities:
        keys = [key for key in documents if modality[key] == side]
        known = [s for key in keys if (s := similarity[key]) is not None]
        if not keys:
            continue
        # What only the words found is farther than all that the vectors found.
        every = [s for s in similarity.values() if s is not None]
        floor = min(known or every, default=0.0)
        dense = [floor if (s := similarity[key]) is None else s for key in keys]
        lexical = [by_words.get(key) or 0.0 for key in keys] if by_words else None
        odds = calibration.log_odds(dense, lexical, query=query, document=side)
        scores += zip(keys, map(float, odds), strict=True)
    order = {key: place for place, key in enumerate(documents)}
    return sorted(scores, key=lambda scored: order[scored[0]])


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
