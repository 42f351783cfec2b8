"""LlamaIndex: a retriever over one index.

For one index, the framework's own line does the same, without the checks::

    index.as_retriever(embed_model=embedding)
"""

from __future__ import annotations

from typing import Any

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.indices import VectorStoreIndex
from llama_index.core.schema import NodeWithScore, QueryBundle

from ...errors import DataError
from ...retrieval.answer_probability import MinScore
from ...retrieval.hybrid_search import check_k
from .._aligner_field import index_may_need_moving
from .embedding import AlignedEmbedding
from .hybrid_retriever import HybridRetriever
from .index import acheck, check
from .searches import VectorSearch, retriever_of


class AlignedRetriever(BaseRetriever):
    """Search one index with a projected query; the index keeps its own embed model.

    For several indices, an index of several modalities, or words beside vectors, take
    :class:`HybridRetriever`.

    Args:
        index: the index as it is.
        embedding: embeds the query. An aligner, or the folder of a saved one, serves too.
        similarity_top_k: number of nodes.
        min_score: as of :class:`HybridRetriever`, which then searches the index: scores of nodes
            are calibrated.
        options: passed on to ``index.as_retriever``: ``filters``, ``node_ids``,
            ``vector_store_query_mode``, ``vector_store_kwargs``, ...

    Raises:
        DataError: ``similarity_top_k`` is less than 1, an unknown option, or no index.
    """

    def __init__(
        self,
        index: VectorStoreIndex,
        embedding: AlignedEmbedding,
        *,
        similarity_top_k: int = 4,
        min_score: MinScore | None = None,
        **options: Any,
    ) -> None:
        check_k(similarity_top_k, "similarity_top_k")
        self.embedding = AlignedEmbedding.of(embedding)
        if not isinstance(index, VectorStoreIndex):
            raise DataError(
                f"index={index!r:.80} is no VectorStoreIndex; give one (of a vector store: "
                "VectorStoreIndex.from_vector_store(store, embed_model=embedding)). Several are "
                "searched together by HybridRetriever(searches=[...])."
            )
        self._above: HybridRetriever | None = None
        if min_score is not None:
            self._above = HybridRetriever(
                [VectorSearch(index, options=dict(options))],
                self.embedding,
                similarity_top_k=similarity_top_k,
                min_score=min_score,
            )
        options["similarity_top_k"] = similarity_top_k
        self._retriever = retriever_of(index, self.embedding, options)
        self._index = index
        self._modality = self.embedding.modality_of_documents()
        super().__init__(
            callback_manager=self._retriever.callback_manager,
            object_map=self._retriever.object_map,
        )

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        if self._above is not None:
            return self._above._retrieve(query_bundle)
        embedding = self.embedding
        with index_may_need_moving(embedding.aligner, embedding.resolved_document_modality):
            check(self._index, embedding, self._modality)
            rows: list[NodeWithScore] = self._retriever._retrieve(_without_vector(query_bundle))
        return rows

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        if self._above is not None:
            return await self._above._aretrieve(query_bundle)
        embedding, bundle = self.embedding, _without_vector(query_bundle)
        with index_may_need_moving(embedding.aligner, embedding.resolved_document_modality):
            await acheck(self._index, embedding, self._modality)
            rows: list[NodeWithScore] = await self._retriever._aretrieve(bundle)
        return rows


def _without_vector(bundle: QueryBundle) -> QueryBundle:
    """Return a copy of a bundle without its vector.

    A retriever of LlamaIndex writes its vector into the bundle that it is passed. Where several
    share a bundle, as in a ``QueryFusionRetriever``, the next would search with the vector of
    another embedding model.
    """
    return QueryBundle(bundle.query_str, custom_embedding_strs=bundle.custom_embedding_strs)
