"""LlamaIndex: a retriever over several searches, fused into one list."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.schema import BaseNode, NodeWithScore, QueryBundle

from ...retrieval.fusion import Method, fusion_of
from ...retrieval.hybrid_search import (
    HybridResult,
    HybridSearch,
    OnError,
    check_k,
    check_searches,
    warn_of_failed,
)
from .embedding import AlignedEmbedding
from .searches import BM25Search, VectorSearch, as_searches, check_options


class HybridRetriever(BaseRetriever):
    """Search indices and words, and fuse the results into one list.

    Each node has a metadata entry ``kakehashi``: its modality, the searches that found it with
    their raw scores, its similarity, its share of words, and its score. Nodes of one text are one
    node, and the first that was found stays: indices share no ids.

    Args:
        searches: :class:`VectorSearch` and :class:`BM25Search`; an index is taken for
            ``VectorSearch(index)``.
        embedding: embeds the query. An aligner, or the folder of a saved one, serves too.
        similarity_top_k: number of nodes.
        fusion: ``"calibrated"``, by scores that the aligner learned to compare; or ``"rank"``.
        weights: of the searches by name, for fusion by rank; the others count 1. Without any, words
            have the share beside vectors that the aligner learned.
        on_error: ``"raise"`` the error of a search that fails; or ``"degrade"`` to the other
            searches, with a ``DegradedWarning`` and a mark in the metadata.
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
        **options: Any,
    ) -> None:
        check_k(similarity_top_k, "similarity_top_k")
        check_options(options)
        self.embedding = AlignedEmbedding.of(embedding)
        listed = as_searches(searches)
        method = fusion_of(fusion, self.embedding.aligner.calibration, weights)
        check_searches(listed, method)
        self._hybrid_search = HybridSearch(method, on_error)
        self._searches = [
            search.prepared(
                self.embedding,
                without_modality=self.embedding.resolved_document_modality,
                needs_similarity=method.needs_similarity,
            )
            for search in listed
        ]
        self._k, self._fusion, self._options = similarity_top_k, fusion, options
        super().__init__()

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        text = query_bundle.query_str
        query = self.embedding.prepare_query(text)
        return self._nodes(
            self._hybrid_search.run(self._searches, query, text, self._k, self._options)
        )

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        text = query_bundle.query_str
        query = await asyncio.to_thread(self.embedding.prepare_query, text)
        return self._nodes(
            await self._hybrid_search.arun(self._searches, query, text, self._k, self._options)
        )

    def _nodes(self, result: HybridResult) -> list[NodeWithScore]:
        """Return copies of the nodes whose metadata explain their place.

        The entry is for programs: neither an encoder nor a generator reads it.
        """
        warn_of_failed(result.failed, stacklevel=3)
        rows = []
        for fused in result.documents:
            node: BaseNode = fused.payload
            explained = {"kakehashi": fused.described(self._fusion, result.failed)}
            hidden = {
                name: [*getattr(node, name), "kakehashi"]
                for name in ("excluded_embed_metadata_keys", "excluded_llm_metadata_keys")
            }
            update = {"metadata": {**node.metadata, **explained}, **hidden}
            rows.append(NodeWithScore(node=node.model_copy(update=update), score=fused.score))
        return rows
