"""LangChain: a retriever over several searches, fused into one list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from langchain_core.documents import Document
from langchain_core.vectorstores import VectorStore
from pydantic import BeforeValidator, Field, PrivateAttr, model_validator

from ...retrieval.answer_probability import MinScore
from ...retrieval.document_key import Merge
from ...retrieval.fusion import Method, fusion_of
from ...retrieval.hybrid_search import (
    HybridResult,
    HybridSearch,
    OnError,
    check_searches,
)
from ...retrieval.search import Search, SearchRequest
from .bm25_search import BM25Search
from .found import documents_of
from .projecting_retriever import ProjectingRetriever
from .searches import VectorSearch, as_searches


class HybridRetriever(ProjectingRetriever):
    """Search vector stores and words, and fuse the results into one list of k documents.

    A document is returned as it is stored, so that components which compare documents find it
    again. Where a :class:`BM25Search` holds it, that copy is returned: stores share no ids.

    Args:
        searches: :class:`VectorSearch` and :class:`BM25Search`; a vector store is taken for
            ``VectorSearch(vectorstore=store)``.
        embeddings: embeds the query. An aligner, or the folder of a saved one, serves too.
        k: number of documents.
        fusion: ``"calibrated"``, by scores that the aligner learned to compare; or ``"rank"``.
        weights: of the searches by name, for fusion by rank; the others count 1. Without any, words
            have the share beside vectors that the aligner learned.
        on_error: ``"raise"`` the error of a search that fails; or ``"degrade"`` to the other
            searches, with a ``DegradedWarning``. What the caller did wrong is raised in any case.
        timeout: seconds for each search, after which it has failed.
        min_score: the least probability, 0 to 1, that a document answers the query; or
            ``"recommended"``, the one that the fit learned: nine of ten right first documents reach
            it. Of the best k, those below are left out, so there may be none. A document that
            holds the part numbers of the query is kept. Needs ``fusion="calibrated"``.
        merge: ``"text"`` takes documents of one text for one; ``"identity"`` those of one text and
            one metadata, so that a sentence on two pages is two documents.
        explain: give each document a metadata field ``kakehashi``: its modality, the searches that
            found it with their raw scores, its similarity, its share of words, its score, the
            probability that it answers, and the searches that failed. These change with the query,
            and so the document does.
        search_kwargs: passed on to every search: ``filter``, ... (not ``k``). Searches read a
            ``filter`` in the way of Chroma, whichever stores they search.
    """

    searches: Annotated[list[VectorSearch | BM25Search], BeforeValidator(as_searches)]
    fusion: Method = "calibrated"
    weights: dict[str, float] = Field(default_factory=dict)
    on_error: OnError = "raise"
    timeout: float | None = None
    min_score: MinScore | None = None
    merge: Merge = "text"
    explain: bool = False
    _prepared_from: list[Any] = PrivateAttr(default_factory=list)
    _prepared: list[Search] = PrivateAttr(default_factory=list)

    @model_validator(mode="after")
    def _check(self) -> HybridRetriever:
        check_searches(self._prepared_searches(), self._hybrid_search())
        self._options({})
        return self

    def _search(self, request: SearchRequest) -> list[Document]:
        return self._documents(self._hybrid_search().run(self._prepared_searches(), request))

    async def _asearch(self, request: SearchRequest) -> list[Document]:
        return self._documents(await self._hybrid_search().arun(self._prepared_searches(), request))

    def _options(self, of_call: dict[str, Any]) -> dict[str, Any]:
        """Return the options for every search; a search that cannot read one refuses it."""
        options = {**self.search_kwargs, **of_call}
        for search in self.searches:
            search.check_options(options)
        return options

    def _hybrid_search(self) -> HybridSearch:
        calibration = self.embeddings.aligner.calibration
        fusion = fusion_of(self.fusion, calibration, self.weights)
        return HybridSearch(fusion, self.on_error, self.timeout, self.min_score)

    def _prepared_searches(self) -> list[Search]:
        """Return the searches prepared for the aligner: again where ``model_copy`` changed them."""
        space, modality = self.embeddings.aligner, self.embeddings.resolved_document_modality
        field = self.embeddings.modality_field
        prepared_from = [*self.searches, space, modality, field, self.fusion, self.merge]
        if [*map(id, prepared_from)] != [*map(id, self._prepared_from)]:
            needs_similarity = self._hybrid_search().fusion.needs_similarity
            self._prepared = [
                search.prepared(
                    self.embeddings, needs_similarity=needs_similarity, merge=self.merge
                )
                for search in self.searches
            ]
            self._prepared_from = prepared_from
        return self._prepared

    def _documents(self, result: HybridResult) -> list[Document]:
        return documents_of(result, self.fusion, explain=self.explain)

    def _stores(self) -> Sequence[VectorStore]:
        return [s.vectorstore for s in self.searches if isinstance(s, VectorSearch)]
