"""LlamaIndex: a retriever over several searches, fused into one list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle

from ...data.arguments import check_choice
from ...retrieval.answer_probability import MinScore
from ...retrieval.document_key import Merge
from ...retrieval.fusion import Method, fusion_of
from ...retrieval.hybrid_search import (
    HybridResult,
    HybridSearch,
    OnError,
    check_searches,
)
from ...retrieval.search import SearchRequest, check_k
from .bm25_search import BM25Search
from .embedding import AlignedEmbedding
from .found import nodes_with_scores
from .searches import VectorSearch, as_searches, check_options


class HybridRetriever(BaseRetriever):
    """Search indices and words, and fuse the results into one list.

    A node is returned as it is stored, so that components which compare nodes find it again. Where
    a :class:`BM25Search` holds it, that copy is returned: indices may share no ids.

    Args:
        searches: :class:`VectorSearch` and :class:`BM25Search`; an index is taken for
            ``VectorSearch(index)``.
        embedding: embeds the query. An aligner, or the folder of a saved one, serves too.
        similarity_top_k: number of nodes.
        fusion: ``"calibrated"``, by scores that the aligner learned to compare; or ``"rank"``.
        weights: of the searches by name, for fusion by rank; the others count 1. Without any, words
            have the share beside vectors that the aligner learned.
        on_error: ``"raise"`` the error of a search that fails; or ``"degrade"`` to the other
            searches, with a ``DegradedWarning``. What the caller did wrong is raised in any case.
        timeout: seconds for each search, after which it has failed.
        min_score: the least probability, 0 to 1, that a node answers the query; or
            ``"recommended"``, the one that the fit learned: nine of ten right first nodes reach
            it. Of the best nodes, those below are left out, so there may be none. A node that holds
            the part numbers of the query is kept. Needs ``fusion="calibrated"``.
        merge: ``"text"`` takes nodes of one text for one; ``"identity"`` those of one text and one
            metadata, so that a sentence on two pages is two nodes.
        explain: give each node a metadata entry ``kakehashi``: its modality, the searches that
            found it with their raw scores, its similarity, its share of words, its score, the
            probability that it answers, and the searches that failed. These change with the query,
            and so the node's hash does.
        options: passed on to every search: ``filters``, ``node_ids``, ``vector_store_kwargs``, ...

    Raises:
        DataError: ``similarity_top_k`` is less than 1; no searches; two of one name.
    """

    def __init__(
        self,
        searches: Sequence[VectorSearch | BM25Search],
        embedding: AlignedEmbedding,
        *,
        similarity_top_k: int = 4,
        fusion: Method = "calibrated",
        weights: Mapping[str, float] | None = None,
        on_error: OnError = "raise",
        timeout: float | None = None,
        min_score: MinScore | None = None,
        merge: Merge = "text",
        explain: bool = False,
        **options: Any,
    ) -> None:
        check_k(similarity_top_k, "similarity_top_k")
        check_options(options)
        check_choice("merge", merge, get_args(Merge))
        self.embedding = AlignedEmbedding.of(embedding)
        listed = as_searches(searches)
        method = fusion_of(fusion, self.embedding.aligner.calibration, weights)
        self._hybrid_search = HybridSearch(method, on_error, timeout, min_score)
        self._searches = [
            search.prepared(self.embedding, needs_similarity=method.needs_similarity, merge=merge)
            for search in listed
        ]
        check_searches(self._searches, self._hybrid_search)
        self._k, self._fusion, self._options = similarity_top_k, fusion, options
        self._explain = explain
        indices = [search.index for search in listed if isinstance(search, VectorSearch)]
        super().__init__(
            callback_manager=indices[0]._callback_manager if indices else None,
            object_map={key: node for index in indices for key, node in index._object_map.items()},
        )

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        query = self.embedding.prepare_bundle(query_bundle)
        request = SearchRequest(query, query_bundle.query_str, self._k, self._options)
        return self._nodes(self._hybrid_search.run(self._searches, request))

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        query = await self.embedding.aprepare_bundle(query_bundle)
        request = SearchRequest(query, query_bundle.query_str, self._k, self._options)
        return self._nodes(await self._hybrid_search.arun(self._searches, request))

    def _nodes(self, result: HybridResult) -> list[NodeWithScore]:
        return nodes_with_scores(result, self._fusion, explain=self._explain)
