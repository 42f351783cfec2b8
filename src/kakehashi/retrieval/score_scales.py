"""Score scales: convert the scores of a store to inner products of unit vectors.

Stores call their numbers score, similarity, distance or relevance. Each of them is a monotone
function of the inner product s of unit vectors: the cosine distance is 1 - s, the squared L2
distance is 2 - 2 s.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..data.arguments import check_choice
from ..errors import DataError, EncoderError, EncoderMismatchError
from ..vectors import unit_rows
from .hits import Hit
from .query import EmbeddingSpace, Query

_TINY = 1e-30
"""A floor for logarithms and reciprocals (its reciprocal can be squared). A score of 0 then gives
a value that is far off, and no error."""

SCALES: Mapping[str, Callable[[float], float]] = {
    "similarity": lambda s: s,
    "negative similarity": lambda s: -s,
    "cosine distance": lambda d: 1 - d,
    "squared l2": lambda d: 1 - d / 2,
    "l2": lambda d: 1 - d * d / 2,
    "(1 + cosine) / 2": lambda s: 2 * s - 1,
    "exp(-cosine distance)": lambda s: 1 + np.log(max(s, _TINY)),
    "exp(-squared l2)": lambda s: 1 + np.log(max(s, _TINY)) / 2,
    "1 / (1 + squared l2)": lambda s: 1 - (1 / max(s, _TINY) - 1) / 2,
    "1 / (1 + l2)": lambda s: 1 - (1 / max(s, _TINY) - 1) ** 2 / 2,
}
"""By name of the scale, the function from a score to the inner product of unit vectors."""

_PROBES = 3
"""Hits of each modality that are embedded to detect a scale."""
_TOLERANCE = 0.02
"""Largest error of a converted score: stores round, and some keep eight bits."""


def detect_scale(raw_scores: Sequence[float], similarities: Sequence[float]) -> str | None:
    """Return the name of the scale that fits best; None where no scale fits.

    Args:
        raw_scores: n scores of a store.
        similarities: the n inner products that they stand for.
    """
    errors = {name: _error(name, raw_scores, similarities) for name in SCALES}
    best = min(errors, key=lambda name: errors[name])
    return best if errors[best] <= _TOLERANCE else None


def is_only_scale(name: str, raw_scores: Sequence[float], similarities: Sequence[float]) -> bool:
    """Say whether no other scale fits: near an inner product of 1, several agree."""
    others = (other for other in SCALES if other != name)
    return all(_error(other, raw_scores, similarities) > _TOLERANCE for other in others)


def _error(name: str, raw_scores: Sequence[float], similarities: Sequence[float]) -> float:
    """Return the error that more than half of the scores stay below.

    A document that was edited after it was embedded has any error, and must not decide.
    """
    converted = [float(SCALES[name](float(raw))) for raw in raw_scores]
    errors = sorted(abs(value - s) for value, s in zip(converted, similarities, strict=True))
    return errors[len(errors) // 2]


class ScoreScale:
    """Adds similarities to the hits of one store, whose scale it detects.

    A scale that the caller names, or that the store declares, is used, and nothing is embedded.
    To detect the scale of any other store, a query embeds up to three hits of each modality as
    documents, and compares their inner products with the scores. Once the scores fit one scale
    only, usually at the first query, that scale is kept and nothing more is embedded.

    Args:
        space: the aligner or multi aligner that embedded the documents of the store.
        name: one of :data:`SCALES`; None to detect it.
        declared: returns the scale that the store declares, or None; called once, and only where
            there is no name.

    Raises:
        DataError: an unknown name.
    """

    def __init__(
        self,
        space: EmbeddingSpace,
        name: str | None,
        declared: Callable[[], str | None] = lambda: None,
    ) -> None:
        if name is not None:
            check_choice("scores", name, SCALES)
        self._space, self._name, self._declared = space, name, declared
        self._asked = False

    def with_similarities(
        self, query: Query, hits: Sequence[Hit], text_of: Callable[[Any], str], search: str
    ) -> list[Hit]:
        """Return the hits with their similarity, the inner product of unit vectors.

        Args:
            text_of: returns the embedded text of a hit's payload.
            search: name of the search, for messages.

        Raises:
            DataError: the store gives no scores, or scores of an unknown scale.
        """
        if not hits:
            return []
        _check_scores(hits, search)
        if self._name is None and not self._asked:
            self._name, self._asked = self._declared(), True
        name = self._name
        if name is None:
            raw_scores, similarities = self._probe(query, hits, text_of, search)
            name = self._decide(raw_scores, similarities, search)
        convert = SCALES[name]
        return [hit._replace(similarity=float(convert(_raw(hit)))) for hit in hits]

    def _probe(
        self, query: Query, hits: Sequence[Hit], text_of: Callable[[Any], str], search: str
    ) -> tuple[list[float], list[float]]:
        """Embed the first hits of each modality; return their scores and their inner products.

        Every modality is probed, because documents of one may have been embedded as another. A
        modality without an encoder at hand is passed over.
        """
        raw_scores: list[float] = []
        similarities: list[float] = []
        missing_encoder: EncoderError | None = None
        for modality in self._space.modalities:
            probes = [hit for hit in hits if hit.modality == modality][:_PROBES]
            if not probes:
                continue
            try:
                similarities += self._similarities(query, probes, text_of, modality)
            except EncoderMismatchError:
                raise
            except EncoderError as error:
                missing_encoder = error
            else:
                raw_scores += map(_raw, probes)
        if raw_scores:
            return raw_scores, similarities
        if missing_encoder is not None:
            raise DataError(
                f"The scale of the scores of the search {search!r} cannot be detected without an "
                f"encoder of its documents; name it: scores= one of {', '.join(SCALES)}. "
                f"({missing_encoder})"
            ) from missing_encoder
        raise DataError(
            f"No document of the search {search!r} names a modality that is known. Store one of "
            f"{', '.join(self._space.modalities)} in the metadata, name the modality of the "
            "search, or fuse by rank (fusion='rank')."
        )

    def _similarities(
        self, query: Query, hits: Sequence[Hit], text_of: Callable[[Any], str], modality: str
    ) -> list[float]:
        """Embed hits of one modality; return their inner products with the query at unit length."""
        texts = [text_of(hit.payload) for hit in hits]
        vectors = unit_rows(self._space.embed_documents(texts, modality=modality))
        return list(map(float, vectors @ unit_rows(query.vector[None])[0]))

    def _decide(
        self, raw_scores: Sequence[float], similarities: Sequence[float], search: str
    ) -> str:
        """Return the scale that fits the probes; keep it where no other scale fits."""
        name = detect_scale(raw_scores, similarities)
        if name is None:
            raise DataError(
                f"The scores of the search {search!r} "
                f"({', '.join(f'{raw:.3f}' for raw in raw_scores)}) are not those of this "
                "aligner's vectors, whose inner products at unit length are "
                f"{', '.join(f'{s:.3f}' for s in similarities)}. Fill the store through this "
                "aligner, each document as its own modality: in LangChain "
                "embeddings.add_documents(store, documents), in LlamaIndex VectorStoreIndex("
                "embedding(nodes), embed_model=embedding), or document_modality='auto'. "
                "If it was filled so, and holds other texts than were embedded, or vectors of "
                f"other lengths by cosine, name its scores: scores= one of {', '.join(SCALES)}."
            )
        if is_only_scale(name, raw_scores, similarities):
            self._name = name
        return name


def _raw(hit: Hit) -> float:
    return float(hit.raw or 0.0)


def _check_scores(hits: Sequence[Hit], search: str) -> None:
    if any(hit.raw is None for hit in hits):
        raise DataError(
            f"The store of the search {search!r} gives no scores, which calibrated fusion needs; "
            "fuse by rank (fusion='rank')."
        )
    if not all(math.isfinite(_raw(hit)) for hit in hits):
        raise DataError(
            f"The store of the search {search!r} gives scores that are not finite; look for empty "
            "or broken vectors in it."
        )
