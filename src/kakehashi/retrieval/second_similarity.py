"""The similarity of a query and a hit by the second map, from the vector that the store holds.

Where the store gives none, the target encoder embeds the text of the hit. What was projected once
is kept (:mod:`.projected_documents`).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from ..errors import DegradedWarning, EncoderError, EncoderMismatchError
from ..projection.rescoring import Rescoring
from ..vectors import Float32Array
from .hits import Hit
from .projected_documents import PROJECTED, keys_of
from .query import EmbeddingSpace, Query

StoredVectors = Callable[[Sequence[Any]], Sequence[Any]]
"""Returns the stored vector of each payload of a search; None where the store gives none."""


class RescoringSpace(EmbeddingSpace, Protocol):
    """An aligner or a multi aligner, with its second maps."""

    def rescoring_of(self, modality: str) -> Rescoring | None:
        """Return the rescoring of queries of a modality, if there is one."""
        ...


class SecondSimilarity:
    """Inner products of a query with the hits of one search, of the target, by the second map.

    Args:
        space: the aligner or multi aligner.
        vectors_of: see :data:`StoredVectors`; asked for hits that hold no vector themselves.
        text_of: returns the embedded text of a payload.
        search: name of the search, for messages.
        store: name of the store, for messages.

    Attributes:
        target: the modality of the hits.
        can: False once a hit had no stored vector, and there was no encoder to make one.
    """

    def __init__(
        self,
        space: RescoringSpace,
        vectors_of: StoredVectors,
        text_of: Callable[[Any], str],
        *,
        search: str,
        store: str,
    ) -> None:
        self.space, self.target = space, space.modalities[-1]
        self._vectors_of, self._text_of = vectors_of, text_of
        self._search, self._store = search, store
        self.can = True

    def of(self, query: Query, hits: Sequence[Hit]) -> Float32Array | None:
        """Return the inner products of n hits with the query, (n,) float32; None if unknown."""
        if not hits:
            return np.empty(0, np.float32)
        rescoring = self.space.rescoring_of(query.modality)
        assert rescoring is not None
        assert query.rescoring is not None
        vectors = self._stored(hits)
        reads = rescoring.reads("target")
        texts = [  # a framework takes its time to tell one
            self._text_of(hit.payload) if reads or vector is None else ""
            for hit, vector in zip(hits, vectors, strict=True)
        ]
        keys = keys_of(rescoring.fingerprint, texts, vectors)
        known = PROJECTED.get(keys)
        new = {key: row for row, key in enumerate(keys) if key not in known}
        if new:
            rows = list(new.values())
            given = self._complete([vectors[row] for row in rows], [texts[row] for row in rows])
            if given is None:
                return None
            of_new = [texts[row] for row in rows] if reads else None
            projected = rescoring.documents(given, texts=of_new)
            made = dict(zip(new, projected, strict=True))
            PROJECTED.put(made)
            known |= made
        similarities: Float32Array = np.stack([known[key] for key in keys]) @ query.rescoring
        return similarities

    def _stored(self, hits: Sequence[Hit]) -> list[Float32Array | None]:
        """Return the stored vector of each hit; None where it has none that can be projected."""
        vectors: list[Any] = [hit.vector for hit in hits]
        missing = [row for row, vector in enumerate(vectors) if vector is None]
        if missing:
            found = self._vectors_of([hits[row].payload for row in missing])
            for row, vector in zip(missing, found, strict=True):
                vectors[row] = vector
        arrays = [None if v is None else np.asarray(v, np.float32) for v in vectors]
        return [v if v is not None and 0 < float(v @ v) < np.inf else None for v in arrays]

    def _complete(
        self, vectors: Sequence[Float32Array | None], texts: Sequence[str]
    ) -> Float32Array | None:
        """Return (n, d) vectors, of the target encoder where the store gives none."""
        filled = list(vectors)
        if missing := [row for row, vector in enumerate(vectors) if vector is None]:
            of_missing = [texts[row] for row in missing]
            try:
                embedded = self.space.embed_documents(of_missing, modality=self.target)
            except EncoderMismatchError:
                raise
            except Exception as error:  # of any service; the first order is an answer, too
                self._warn(error)
                self.can = not isinstance(error, EncoderError)
                return None
            for row, vector in zip(missing, embedded, strict=True):
                filled[row] = vector
        return np.stack([vector for vector in filled if vector is not None])

    def _warn(self, error: Exception) -> None:
        reason = "there is no target encoder to make them"
        if not isinstance(error, EncoderError):
            reason = "the target encoder failed to make them"
        warnings.warn(
            f"The search {self._search!r} is not rescored: {self._store} gives no stored vectors "
            f"of its hits, and {reason}. Give the aligner one that does, "
            "aligner.with_encoders(target_encoder=...); or say rescore=False. "
            f"({type(error).__name__}: {error})",
            DegradedWarning,
            stacklevel=2,
        )
