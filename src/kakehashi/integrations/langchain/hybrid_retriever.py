"""LangChain: a retriever over several searches, fused into one list."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any

from langchain_core.callbacks import (
    AsyncCallbackManagerForRetrieverRun,
    CallbackManagerForRetrieverRun,
)
from langchain_core.documents import Document
from langchain_core.runnables.config import run_in_executor
from langchain_core.vectorstores import VectorStore
from pydantic import BeforeValidator, Field, PrivateAttr, model_validator

from ...retrieval.fusion import Method, fusion_of
from ...retrieval.hybrid_search import (
    HybridResult,
    HybridSearch,
    OnError,
    Search,
    check_searches,
    warn_of_failed,
)
from .retriever import ProjectingRetriever
from .searches import BM25Search, VectorSearch, as_searches


class HybridRetriever(ProjectingRetriever):
    """Search vector stores and words, and fuse the results into one list of k documents.

    Each document has a metadata field ``kakehashi``: its modality, the searches that found it with
    their raw scores, its similarity, its share of words, and its score. Documents of one text are
    one document, and the first that was found stays: stores share no ids.

    Args:
        searches: :class:`VectorSearch` and :class:`BM25Search`; a vector store is taken for
            ``VectorSearch(vectorstore=store)``.
        embeddings: embeds the query. An aligner, or the folder of a saved one, serves too.
        k: number of documents.
        fusion: ``"calibrated"``, by scores that the aligner learned to compare; or ``"rank"``.
        weights: of the searches by name, for fusion by rank; the others count 1. Without any, words
            have the share beside vectors that the aligner learned.
        on_error: ``"raise"`` the error of a search that fails; or ``"degrade"`` to the other
            searches, with a ``DegradedWarning`` and a mark in the metadata.
        search_kwargs: passed on to every search: ``filter``, ... (not ``k``). Searches read a
            ``filter`` in the way of Chroma, whichever stores they search.
    """

    searches: Annotated[list[VectorSearch | BM25Search], BeforeValidator(as_searches)]
    fusion: Method = "calibrated"
    weights: dict[str, float] = Field(default_factory=dict)
    on_error: OnError = "raise"
    _prepared_from: list[Any] = PrivateAttr(default_factory=list)
    _prepared: list[Search] = PrivateAttr(default_factory=list)

    @model_validator(mode="after")
    def _check(self) -> HybridRetriever:
        check_searches(self.searches, self._hybrid_search().fusion)
        self._prepared_searches()
        return self

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,
        k: int | None = None,
        modality: str | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        n, options = self._number(k), {**self.search_kwargs, **kwargs}
        prepared = self.embeddings.prepare_query(query, modality=modality)
        return self._documents(
            self._hybrid_search().run(self._prepared_searches(), prepared, query, n, options)
        )

    async def _aget_relevant_documents(
        self,
        query: str,
        *,
        run_manager: AsyncCallbackManagerForRetrieverRun,
        k: int | None = None,
        modality: str | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        n, options = self._number(k), {**self.search_kwargs, **kwargs}
        prepare = partial(self.embeddings.prepare_query, query, modality=modality)
        prepared = await run_in_executor(None, prepare)
        return self._documents(
            await self._hybrid_search().arun(self._prepared_searches(), prepared, query, n, options)
        )

    def _hybrid_search(self) -> HybridSearch:
        calibration = self.embeddings.aligner.calibration
        return HybridSearch(fusion_of(self.fusion, calibration, self.weights), self.on_error)

    def _prepared_searches(self) -> list[Search]:
        """Return the searches prepared for the aligner: again where ``model_copy`` changed them."""
        space, modality = self.embeddings.aligner, self.embeddings.resolved_document_modality
        prepared_from = [*self.searches, space, modality, self.fusion]
        if [*map(id, prepared_from)] != [*map(id, self._prepared_from)]:
            needs_similarity = self._hybrid_search().fusion.needs_similarity
            self._prepared = [
                search.prepared(space, without_modality=modality, needs_similarity=needs_similarity)
                for search in self.searches
            ]
            self._prepared_from = prepared_from
        return self._prepared

    def _documents(self, result: HybridResult) -> list[Document]:
        """Return copies of the documents whose metadata explain their place."""
        warn_of_failed(result.failed, stacklevel=3)
        documents = []
        for fused in result.documents:
            document: Document = fused.payload
            explained = {"kakehashi": fused.described(self.fusion, result.failed)}
            documents.append(
                document.model_copy(update={"metadata": {**document.metadata, **explained}})
            )
        return documents

    def _stores(self) -> Sequence[VectorStore]:
        return [s.vectorstore for s in self.searches if isinstance(s, VectorSearch)]
