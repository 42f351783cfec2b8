"""LangChain: a retriever over one vector store.

A store that was opened with :class:`AlignedEmbeddings` needs no retriever of ours. The framework's
own line searches it, without rescoring::

    Chroma("notes", embedding_function=embeddings).as_retriever()
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from typing import Annotated, Any, Literal

from langchain_core.documents import Document
from langchain_core.runnables.config import run_in_executor
from langchain_core.vectorstores import VectorStore
from pydantic import BeforeValidator, PrivateAttr, model_validator

from ...errors import DataError
from ...retrieval.answer_probability import MinScore
from ...retrieval.document_modality import DocumentModality
from ...retrieval.fusion import fusion_of
from ...retrieval.hits import Hit
from ...retrieval.hybrid_search import HybridResult, HybridSearch, check_searches
from ...retrieval.query import Query
from ...retrieval.rescore import Rescorer
from ...retrieval.scores_by_place import with_scores_by_place
from ...retrieval.search import SearchRequest
from ...retrieval.second_model.model import SecondModel
from ...retrieval.second_model.stage import SecondStage, check_options_of_second
from .._aligner_field import index_may_need_moving
from .filters import joined
from .index import acheck, check
from .projecting_retriever import ProjectingRetriever
from .searches import (
    RescoreField,
    Row,
    VectorSearch,
    arows_of,
    asynchronous,
    rescorer_of,
    rows_of,
    scored_search,
)
from .store_options import check_options
from .stored_documents import second_stage
from .vectorstore import AlignedVectorStore


def _as_store(value: Any) -> VectorStore:
    if isinstance(value, VectorStore):
        return value.vectorstore if isinstance(value, AlignedVectorStore) else value
    raise DataError(
        f"vectorstore={value!r:.80} is no vector store of LangChain; give one. Several are "
        "searched together by HybridRetriever(searches=[...])."
    )


class AlignedRetriever(ProjectingRetriever):
    """Search one vector store of any kind with a projected query.

    The store's own embedding function is not used, so the store may have been made with another.
    For several stores, a store of several modalities, or words beside vectors, take
    :class:`HybridRetriever`.

    Args:
        vectorstore: the store as it is.
        embeddings: embeds the query. An aligner, or the folder of a saved one, serves too.
        k: number of documents.
        search_type: ``"similarity"``, or ``"mmr"`` where the store has it.
        score_threshold: least relevance score, for stores that give scores by vector.
        min_score: as of :class:`HybridRetriever`: the least probability that a document answers.
        rescore: as of :class:`VectorSearch`: order the first hits again, where the aligner can.
            ``score_threshold`` is then the least inner product of the second map, for every store;
            a document of another modality has the score of its place among those of the target.
            Not with ``"mmr"``, which chooses by the stored vectors.
        rescore_with: a :class:`kakehashi.SecondModel`: a better or newer encoder, which orders the
            first of them once more. The index stays as it is. Its scores are on a scale of their
            own, so it goes with neither ``"mmr"`` nor a threshold.
        search_kwargs: passed on to the store: ``filter``, ``fetch_k``, ... (not ``k``). A
            ``filter`` that is a dictionary in the way of Chroma is translated for every store that
            :class:`VectorSearch` knows. An option that such a store does not know is refused.

    A call may give ``k``, ``modality`` (of this query) and options of the store:
    ``retriever.invoke(text, k=2, modality="target")``.
    """

    vectorstore: Annotated[VectorStore, BeforeValidator(_as_store)]
    search_type: Literal["similarity", "mmr"] = "similarity"
    score_threshold: float | None = None
    min_score: MinScore | None = None
    rescore: RescoreField = True
    rescore_with: SecondModel | None = None
    _rescorer: tuple[Any, Rescorer] | None = PrivateAttr(None)
    _by_probability: tuple[Any, HybridSearch, VectorSearch] | None = PrivateAttr(None)

    @model_validator(mode="after")
    def _check(self) -> AlignedRetriever:
        if self.search_type == "mmr" and self.score_threshold is not None:
            raise DataError("score_threshold has no meaning with search_type='mmr'; drop one.")
        if self.search_type == "mmr" and not isinstance(self.rescore, bool):
            raise DataError(
                f"rescore={self.rescore} has no meaning with search_type='mmr'; drop one."
            )
        if self.rescore_with is not None:
            by_score = self.score_threshold is not None or self.min_score is not None
            check_options_of_second(
                self.rescore_with, by_score=by_score, mmr=self.search_type == "mmr"
            )
        self._options({})
        self._prepared_rescorer()
        if self.min_score is not None:
            if self.search_type == "mmr" or self.score_threshold is not None:
                raise DataError(
                    "min_score goes with search_type='similarity' and without score_threshold."
                )
            self._prepared_by_probability(self.min_score)
        return self

    def _search(self, request: SearchRequest) -> list[Document]:
        if self.min_score is not None:
            hybrid, search = self._prepared_by_probability(self.min_score)
            return _found(hybrid.run([search], request))
        query, n, options = request.query, request.k, dict(request.options)
        vector, n_hits = query.vector.tolist(), self._n_hits(query, n)
        second = second_stage(self.vectorstore, self.rescore_with, {})
        space, store = self.embeddings.aligner, self.vectorstore
        with index_may_need_moving(space, self.embeddings.resolved_document_modality):
            check(store, space, self._modality())
            if self.search_type == "mmr":
                return store.max_marginal_relevance_search_by_vector(vector, k=n, **options)
            if n_hits or second is not None or self.score_threshold is not None:
                wanted, depth = bool(n_hits), max(n_hits, second.n_hits(n) if second else n)
                rows = rows_of(store, vector, depth, options, with_vectors=wanted)
                return self._ordered(request, rows, second)[:n]
            return store.similarity_search_by_vector(vector, k=n, **options)

    async def _asearch(self, request: SearchRequest) -> list[Document]:
        if self.min_score is not None:
            hybrid, search = self._prepared_by_probability(self.min_score)
            return _found(await hybrid.arun([search], request))
        query, n, options = request.query, request.k, dict(request.options)
        vector, n_hits = query.vector.tolist(), self._n_hits(query, n)
        second = second_stage(self.vectorstore, self.rescore_with, {})
        space, store = self.embeddings.aligner, self.vectorstore
        with index_may_need_moving(space, self.embeddings.resolved_document_modality):
            await acheck(store, space, self._modality())
            if self.search_type == "mmr":
                mmr = asynchronous(store, "max_marginal_relevance_search_by_vector")
                return await mmr(vector, k=n, **options)
            if n_hits or second is not None or self.score_threshold is not None:
                wanted, depth = bool(n_hits), max(n_hits, second.n_hits(n) if second else n)
                rows = await arows_of(store, vector, depth, options, with_vectors=wanted)
                ordered = partial(self._ordered, request, rows, second)
                return (await run_in_executor(None, ordered))[:n]
            return await asynchronous(store, "similarity_search_by_vector")(vector, k=n, **options)

    def _modality(self) -> DocumentModality:
        return self.embeddings.modality_of_documents()

    def _options(self, of_call: dict[str, Any]) -> dict[str, Any]:
        """Return the options of the store's search, with a ``filter`` in the form of the store."""
        options = {**self.search_kwargs, **of_call}
        check_options(self.vectorstore, options)
        return joined(self.vectorstore, options)

    def _ordered(
        self, request: SearchRequest, rows: Sequence[Row], second: SecondStage | None
    ) -> list[Document]:
        """Return documents in their new order, those below the threshold left out."""
        query, modality, keys = request.query, self._modality(), map(str, count())

        def as_hit(document: Document, raw: float | None = None, stored: Any = None) -> Hit:
            told = modality.of(document.metadata, partial(str, document.page_content))
            return Hit(next(keys), document, told, "", raw, vector=stored)

        hits = [as_hit(*row) for row in rows]
        if self._n_hits(query, 1):
            hits = with_scores_by_place(self._prepared_rescorer().rescored(query, hits) or hits)
        elif self.score_threshold is not None and scored_search(self.vectorstore) is None:
            raise DataError(
                f"{type(self.vectorstore).__name__} gives no scores by vector; leave "
                "score_threshold out."
            )
        if second is not None:
            by_map = partial(self._prepared_rescorer().similarities, query)
            hits = second.ordered(request, hits, as_hit, by_map, wanted=request.k) or hits
        if self.score_threshold is not None:
            relevance = _relevance(self.vectorstore)
            hits = [hit for hit in hits if _score(hit, relevance) >= self.score_threshold]
        return [hit.payload for hit in hits]

    def _n_hits(self, query: Query, n: int) -> int:
        return 0 if self.search_type == "mmr" else self._prepared_rescorer().n_hits(query, n)

    def _prepared_rescorer(self) -> Rescorer:
        """Return what orders hits again; a new one where ``model_copy`` changed what it is of."""
        space = self.embeddings.aligner
        made_from = self.vectorstore, space, str(self.rescore)
        if self._rescorer is None or self._rescorer[0] != made_from:
            rescorer = rescorer_of(self.vectorstore, space, self.rescore, "vectors")
            self._rescorer = made_from, rescorer
        return self._rescorer[1]

    def _prepared_by_probability(self, min_score: MinScore) -> tuple[HybridSearch, VectorSearch]:
        """Return a hybrid search and its one search; new ones where ``model_copy`` changed them."""
        space, modality = self.embeddings.aligner, self.embeddings.resolved_document_modality
        made_from = self.vectorstore, space, modality, min_score, str(self.rescore)
        if self._by_probability is None or self._by_probability[0] != made_from:
            hybrid = HybridSearch(
                fusion_of("calibrated", space.calibration), "raise", min_score=min_score
            )
            searched = VectorSearch(vectorstore=self.vectorstore, rescore=self.rescore)
            search = searched.prepared(self.embeddings, needs_similarity=True, merge="identity")
            check_searches([search], hybrid)
            self._by_probability = made_from, hybrid, search
        return self._by_probability[1:]

    def _stores(self) -> Sequence[VectorStore]:
        return [self.vectorstore]


def _found(result: HybridResult) -> list[Document]:
    return [fused.payload for fused in result.documents]


def _score(hit: Hit, relevance: Callable[[float], float]) -> float:
    """Return the similarity of a hit that was rescored, and the relevance of any other."""
    return relevance(hit.raw or 0.0) if hit.similarity is None else hit.similarity


def _relevance(store: Any) -> Callable[[float], float]:
    """Return the store's own function from its scores to relevance."""
    try:
        relevance: Callable[[float], float] = store._select_relevance_score_fn()
    except NotImplementedError:  # the base class's answer for a store that has none
        return float  # the scores of the in-memory store, say, are similarities
    return relevance
