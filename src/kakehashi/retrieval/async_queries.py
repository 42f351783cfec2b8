"""The async methods of an aligner and a multi aligner: the encoder is awaited.

The rest of a query, its router and its projection, takes microseconds and runs inline.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from ..data.arguments import in_order
from ..types import Role
from ..vectors import Float32Array
from .query import AUTO, Query, QueryVectors, rows_by_modality, told_modality


class AsyncEmbedding(ABC):
    """Async twins of the methods that embed texts; they give the same vectors."""

    _default_query_modality: ClassVar[str]

    @property
    @abstractmethod
    def modalities(self) -> tuple[str, ...]:
        """The modalities; the last is the target."""

    @property
    @abstractmethod
    def output_dimension(self) -> int:
        """The dimension of projected vectors."""

    @abstractmethod
    def route(self, texts: Sequence[str]) -> Sequence[str | None]:
        """Return the modality of each text; None where it is unsure."""

    @abstractmethod
    async def _aembed_as(self, modality: str, texts: Sequence[str], role: Role) -> Float32Array:
        """Encode and project n texts of a modality: (n, d_out) float32."""

    @abstractmethod
    async def _aquery_as(self, modality: str, text: str) -> QueryVectors:
        """Encode one query once: (d_out,) by the projection, and by the rescoring or None."""

    async def aembed_query(self, text: str, *, modality: str | None = None) -> Float32Array:
        """Encode and project one query: (d_out,) float32, as ``embed_query`` does."""
        vector: Float32Array
        [vector] = await self.aembed_queries([text], modality=modality)
        return vector

    async def aembed_queries(
        self, texts: Sequence[str], *, modality: str | None = None
    ) -> Float32Array:
        """Encode and project n queries: (n, d_out) float32, as ``embed_queries`` does."""
        return await self._aembed(texts, modality or self._default_query_modality, "query")

    async def aembed_documents(
        self, texts: Sequence[str], *, modality: str | None = None
    ) -> Float32Array:
        """Encode and project n documents: (n, d_out) float32, as ``embed_documents`` does."""
        return await self._aembed(texts, modality or self.modalities[-1], "document")

    async def aprepare_query(self, text: str, modality: str = AUTO) -> Query:
        """Encode and project one query, and tell its modality, as ``prepare_query`` does."""
        modality, how = told_modality(self, text, modality)
        vector, rescoring = await self._aquery_as(modality, text)
        return Query(vector, modality, how, rescoring)

    async def _aembed(self, texts: Sequence[str], modality: str, role: Role) -> Float32Array:
        if modality != AUTO:
            return await self._aembed_as(modality, texts, role)
        listed = in_order(texts, "texts")
        vectors = np.empty((len(listed), self.output_dimension), np.float32)
        for each, rows in rows_by_modality(self, listed).items():
            vectors[rows] = await self._aembed_as(each, [listed[row] for row in rows], role)
        return vectors
