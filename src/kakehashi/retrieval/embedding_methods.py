"""The methods of an aligner and a multi aligner that embed texts, each beside its async twin.

A twin awaits the encoder, and gives the same vectors. The rest of a query, its router and its
projection, takes microseconds and runs inline.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from ..data.arguments import encodable_texts
from ..types import Role
from ..vectors import Float32Array
from .encoded_query import EncodedQuery
from .query import AUTO, Query, QueryVectors, rows_by_modality, told_modality


class EmbeddingMethods(ABC):
    """Methods that embed queries and documents of a named or of a routed modality."""

    default_query_modality: ClassVar[str]
    """The modality of queries of which the caller names none."""

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
    def _embed_as(self, modality: str, texts: list[str], role: Role) -> Float32Array:
        """Encode and project n texts of a modality: (n, d_out) float32."""

    @abstractmethod
    async def _aembed_as(self, modality: str, texts: list[str], role: Role) -> Float32Array:
        """Do the same; the encoder is awaited."""

    @abstractmethod
    def _query_as(self, modality: str, text: str, encoded: EncodedQuery) -> QueryVectors:
        """Encode one query once: (d_out,) by the projection, and by the rescoring or None."""

    @abstractmethod
    async def _aquery_as(self, modality: str, text: str, encoded: EncodedQuery) -> QueryVectors:
        """Do the same; the encoder is awaited."""

    def embed_query(self, text: str, *, modality: str | None = None) -> Float32Array:
        """Encode and project one query: (d_out,) float32; see :meth:`embed_queries`."""
        vector: Float32Array
        [vector] = self.embed_queries([text], modality=modality)
        return vector

    async def aembed_query(self, text: str, *, modality: str | None = None) -> Float32Array:
        """Do the same; the encoder is awaited."""
        vector: Float32Array
        [vector] = await self.aembed_queries([text], modality=modality)
        return vector

    def embed_queries(self, texts: Sequence[str], *, modality: str | None = None) -> Float32Array:
        """Encode and project n queries: (n, d_out) float32.

        Args:
            modality: one of :attr:`modalities`, for all texts; or ``"auto"``: the router decides
                for each text. Where it is unsure, the target encoder embeds the text. By default
                ``"source"``; of a multi aligner ``"auto"``.

        Raises:
            DataError: not a list, tuple, array or column of strings; an unknown modality; or
                ``"auto"`` without a router.
            EncoderError: no encoder is at hand.
            EncoderMismatchError: the encoder is not that of the training.
        """
        return self._embed(texts, self._of_queries(modality), "query")

    async def aembed_queries(
        self, texts: Sequence[str], *, modality: str | None = None
    ) -> Float32Array:
        """Do the same; the encoder is awaited."""
        return await self._aembed(texts, self._of_queries(modality), "query")

    def embed_documents(self, texts: Sequence[str], *, modality: str | None = None) -> Float32Array:
        """Encode and project n documents: (n, d_out) float32.

        Args:
            modality: as for :meth:`embed_queries`; by default the target.
        """
        return self._embed(texts, self._of_documents(modality), "document")

    async def aembed_documents(
        self, texts: Sequence[str], *, modality: str | None = None
    ) -> Float32Array:
        """Do the same; the encoder is awaited."""
        return await self._aembed(texts, self._of_documents(modality), "document")

    def prepare_query(
        self, text: str, modality: str = AUTO, *, encoded: EncodedQuery | None = None
    ) -> Query:
        """Encode one query, project it with both maps, and tell its modality.

        Args:
            modality: as for :meth:`embed_queries`.
            encoded: what encoders have made of this text, for another aligner; it is added to.

        Raises:
            DataError: another modality; or ``"auto"`` and there is no router.
            EncoderError, EncoderMismatchError: as :meth:`embed_queries`.
        """
        encodable_texts([text])
        modality, how = told_modality(self, text, modality)
        vector, rescoring = self._query_as(modality, text, encoded or EncodedQuery())
        return Query(vector, modality, how, rescoring)

    async def aprepare_query(
        self, text: str, modality: str = AUTO, *, encoded: EncodedQuery | None = None
    ) -> Query:
        """Do the same; the encoder is awaited."""
        encodable_texts([text])
        modality, how = told_modality(self, text, modality)
        vector, rescoring = await self._aquery_as(modality, text, encoded or EncodedQuery())
        return Query(vector, modality, how, rescoring)

    def _of_queries(self, modality: str | None) -> str:
        return self.default_query_modality if modality is None else modality

    def _of_documents(self, modality: str | None) -> str:
        return self.modalities[-1] if modality is None else modality

    def _embed(self, texts: Sequence[str], modality: str, role: Role) -> Float32Array:
        listed = encodable_texts(texts)
        if modality != AUTO:
            return self._embed_as(modality, listed, role)
        vectors = np.empty((len(listed), self.output_dimension), np.float32)
        for each, rows in rows_by_modality(self, listed).items():
            vectors[rows] = self._embed_as(each, [listed[row] for row in rows], role)
        return vectors

    async def _aembed(self, texts: Sequence[str], modality: str, role: Role) -> Float32Array:
        listed = encodable_texts(texts)
        if modality != AUTO:
            return await self._aembed_as(modality, listed, role)
        vectors = np.empty((len(listed), self.output_dimension), np.float32)
        for each, rows in rows_by_modality(self, listed).items():
            vectors[rows] = await self._aembed_as(each, [listed[row] for row in rows], role)
        return vectors
