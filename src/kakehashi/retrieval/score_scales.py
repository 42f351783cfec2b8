"""Scales: what a store's scores are, and how to have the inner product of unit vectors back.

Stores call them score, similarity, distance and relevance, and mean many things.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import DataError, EncoderError, EncoderMismatchError
from ..vectors import unit_rows
from .hits import Hit
from .query import EmbeddingSpace, Query

_TINY = 1e-30
"""A floor for what has no logarithm and no reciprocal, so that a scale is far off and does not
fail. (Its reciprocal can be squared.)"""

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

_PROBED = 3
_NEAR = 0.02
"""How far a converted score may lie off: stores round, and some keep eight bits."""


def scale_of(raw: Sequence[float], true: Sequence[float]) -> str | None:
    """Find out what a store's scores are, from a few whose inner product is known.

    Returns:
        the name of one of :data:`SCALES`, or None where none fits.
    """
    read = {name: [float(convert(float(r))) for r in raw] for name, convert in SCALES.items()}
    errors = {name: _apart(values, true) for name, values in read.items()}
    best = min(errors, key=lambda name: errors[name])
    return best if errors[best] <= _NEAR else None


def tells_apart(name: str, raw: Sequence[float], true: Sequence[float]) -> bool:
    """Say whether scores fit this scale alone: at a cosine of 1, many agree."""
    others = (convert for other, convert in SCALES.items() if other != name)
    return all(_apart([convert(float(r)) for r in raw], true) > _NEAR for convert in others)


def _apart(values: Sequence[float], true: Sequence[float]) -> float:
    return max(abs(float(value) - t) for value, t in zip(values, true, strict=True))


class ScaleFinder:
    """What the scores of a store are; found out from documents whose vectors are known.

    Once they fit one scale alone, it is remembered.
    """

    def __init__(self, space: EmbeddingSpace, name: str | None) -> None:
        if name is not None and name not in SCALES:
            raise DataError(f"scores={name!r} is not known; choose one of {', '.join(SCALES)}.")
        self._space, self._name = space, name

    def similarities(
        self,
        query: Query,
        hits: Sequence[Hit],
        text_of: Callable[[Any], str],
        arm: str,
    ) -> list[Hit]:
        """Return the hits with their similarity, the inner product of unit vectors.

        Raises:
            DataError: the store gives no scores, or they are none that is known.
        """
        if not hits:
            return []
        if any(hit.raw is None for hit in hits):
            raise DataError(
                f"The store of the arm {arm!r} gives no scores, which calibrated fusion needs; "
                "fuse by rank (fusion='rank')."
            )
        if not all(math.isfinite(hit.raw or 0.0) for hit in hits):
            raise DataError(
                f"The store of the arm {arm!r} gives scores that are not finite; look for empty "
                "or broken vectors in it."
            )
        convert = SCALES[self._name or self._found_out(query, hits, text_of, arm)]
        return [hit._replace(similarity=float(convert(float(hit.raw or 0.0)))) for hit in hits]

    def _found_out(
        self, query: Query, hits: Sequence[Hit], text_of: Callable[[Any], str], arm: str
    ) -> str:
        raw: list[float] = []
        true: list[float] = []
        missing: EncoderError | None = None
        # Of each modality: documents of one may have been embedded as the other.
        for side in self._space.modalities:
            probed = [hit for hit in hits if hit.modality == side][:_PROBED]
            texts = [text_of(hit.payload) for hit in probed]
            if not probed:
                continue
            try:
                vectors = self._space.embed_documents(texts, modality=side)
            except EncoderMismatchError:
                raise
            except EncoderError as error:  # not at hand; the other modality tells, too
                missing = error
                continue
            raw += [float(hit.raw or 0.0) for hit in probed]
            true += map(float, unit_rows(vectors) @ unit_rows(query.vector[None])[0])
        if missing is not None and not raw:
            raise DataError(
                f"What the scores of the arm {arm!r} are cannot be found out without an encoder "
                f"of its documents; name them: scores= one of {', '.join(SCALES)}. ({missing})"
            ) from missing
        if not raw:
            raise DataError(
                f"No document of the arm {arm!r} names a modality that is known. Store one of "
                f"{', '.join(self._space.modalities)} in the metadata, name the modality of the "
                "arm, or fuse by rank (fusion='rank')."
            )
        name = scale_of(raw, true)
        if name is not None:
            if tells_apart(name, raw, true):  # else these hits are read alike; the next may not be
                self._name = name
            return name
        raise DataError(
            f"The scores of the arm {arm!r} ({', '.join(f'{r:.3f}' for r in raw)}) are not those "
            f"of this aligner's vectors, whose inner products at unit length are "
            f"{', '.join(f'{t:.3f}' for t in true)}. Fill the store through this aligner, each "
            "document as its own modality: in LangChain embeddings.add_documents(store, "
            "documents), in LlamaIndex nodes = embedding(nodes) before the index is made of them, "
            "or document_modality='auto'. If it was filled so, and holds other texts than were "
            "embedded, or vectors of other lengths by cosine, name its scores: scores= one of "
            f"{', '.join(SCALES)}."
        )
