"""The second map of an aligner, for queries of every modality.

An aligner by itself rescores queries of its source alone. Beside vectors that its second map has
moved, those of the target are rescored, too: one map then scores all documents.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...projection.rescoring import Rescoring
from ...vectors import Float32Array


class EveryQuery:
    """An aligner whose second map rescores all queries.

    Args:
        space: an aligner of mode ``keep`` with a second map.
    """

    def __init__(self, space: Any) -> None:
        self._space = space
        self.modalities: tuple[str, ...] = space.modalities
        self.output_dimension: int = space.output_dimension

    def rescoring_of(self, modality: str) -> Rescoring | None:
        """Return the second map."""
        rescoring: Rescoring | None = self._space.rescoring
        return rescoring

    def route(self, texts: Sequence[str]) -> Sequence[str | None]:
        """Return the modality of each text; None where it is unsure."""
        told: Sequence[str | None] = self._space.route(texts)
        return told

    def embed_queries(self, texts: Sequence[str], *, modality: str) -> Float32Array:
        """Return (n, d_out) vectors of queries of a modality."""
        vectors: Float32Array = self._space.embed_queries(texts, modality=modality)
        return vectors

    def embed_documents(self, texts: Sequence[str], *, modality: str) -> Float32Array:
        """Return (n, d_out) vectors of documents of a modality."""
        vectors: Float32Array = self._space.embed_documents(texts, modality=modality)
        return vectors
