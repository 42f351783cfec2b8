"""LangChain: what the retrievers of one store and of several share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from langchain_core.callbacks import (
    AsyncCallbackManagerForRetrieverRun,
    CallbackManagerForRetrieverRun,
)
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever, LangSmithRetrieverParams
from langchain_core.vectorstores import VectorStore
from pydantic import ConfigDict, Field, field_validator

from ...retrieval.search import SearchRequest, check_k
from .embeddings import EmbeddingsField
from .searches import without_k


class ProjectingRetriever(BaseRetriever):
    """A retriever that embeds its queries itself, and searches stores by vector."""

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    embeddings: EmbeddingsField
    k: int = Field(default=4, ge=1)
    search_kwargs: dict[str, Any] = Field(default_factory=dict)

    @field_validator("search_kwargs")
    @classmethod
    def _without_k(cls, search_kwargs: dict[str, Any]) -> dict[str, Any]:
        return without_k(search_kwargs)

    @abstractmethod
    def _options(self, of_call: dict[str, Any]) -> dict[str, Any]:
        """Return the options of a search: those of the retriever, and over them those of a call."""

    @abstractmethod
    def _search(self, request: SearchRequest) -> list[Document]:
        """Return the documents of a request."""

    @abstractmethod
    async def _asearch(self, request: SearchRequest) -> list[Document]:
        """Do the same without blocking the event loop."""

    @abstractmethod
    def _stores(self) -> Sequence[VectorStore]:
        """Return the stores that are searched."""

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,
        k: int | None = None,
        modality: str | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        n, options = check_k(self.k if k is None else k), self._options(kwargs)
        prepared = self.embeddings.prepare_query(query, modality=modality)
        return self._search(SearchRequest(prepared, query, n, options))

    async def _aget_relevant_documents(
        self,
        query: str,
        *,
        run_manager: AsyncCallbackManagerForRetrieverRun,
        k: int | None = None,
        modality: str | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        n, options = check_k(self.k if k is None else k), self._options(kwargs)
        prepared = await self.embeddings.aprepare_query(query, modality=modality)
        return await self._asearch(SearchRequest(prepared, query, n, options))

    def _get_ls_params(self, **kwargs: Any) -> LangSmithRetrieverParams:
        params = super()._get_ls_params(**kwargs)
        if names := dict.fromkeys(type(store).__name__ for store in self._stores()):
            params["ls_vector_store_provider"] = "+".join(names)
        params["ls_embedding_provider"] = type(self.embeddings).__name__
        params["ls_embedding_model"] = f"kakehashi-{self.embeddings.aligner.fingerprint[:12]}"
        return params
