"""LlamaIndex: a retriever over one index.

For one index, the framework's own line does the same, without the checks and without rescoring::

    index.as_retriever(embed_model=embedding)
"""

from __future__ import annotations

import asyncio
from functools import partial
from itertools import count
from typing import Any

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.indices import VectorStoreIndex
from llama_index.core.schema import BaseNode, NodeWithScore, QueryBundle

from ...errors import DataError
from ...retrieval.answer_probability import MinScore
from ...retrieval.hits import Hit
from ...retrieval.query import Query
from ...retrieval.rescore import Rescore
from ...retrieval.scores_by_place import with_scores_by_place
from ...retrieval.search import SearchRequest, check_k
from ...retrieval.second_model.model import SecondModel
from ...retrieval.second_model.stage import check_options_of_second
from .._aligner_field import index_may_need_moving
from .embedding import AlignedEmbedding
from .hybrid_retriever import HybridRetriever
from .index import acheck, check
from .searches import VectorSearch, can_be_rescored, rescorer_of, retriever_of
from .stored_nodes import second_stage


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
        rescore: as of :class:`VectorSearch`: order the first hits again, where the aligner can. The
            scores of their nodes are then inner products of the second map; a node of another
            modality has the score of its place among them.
        rescore_with: a :class:`kakehashi.SecondModel`: a better or newer encoder, which orders the
            first of them once more. The index stays as it is. The scores of nodes are then those of
            that order: its cosines, or their mean with the second map's similarities. Where it
            fails, they are those of the order before.
        options: passed on to ``index.as_retriever``: ``filters``, ``node_ids``,
            ``vector_store_query_mode``, ``vector_store_kwargs``, ... LlamaIndex's stores of Chroma,
            FAISS and LanceDB pass over ``node_ids``; Chroma takes
            ``vector_store_kwargs={"ids": [...]}``.

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
        rescore: Rescore = True,
        rescore_with: SecondModel | None = None,
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
        if rescore_with is not None:
            mmr = not can_be_rescored(options)
            check_options_of_second(rescore_with, by_score=min_score is not None, mmr=mmr)
        self._above: HybridRetriever | None = None
        if min_score is not None:
            self._above = HybridRetriever(
                [VectorSearch(index, rescore=rescore, options=dict(options))],
                self.embedding,
                similarity_top_k=similarity_top_k,
                min_score=min_score,
            )
        options["similarity_top_k"] = similarity_top_k
        self._retriever = retriever_of(index, self.embedding, options)
        self._index, self._k, self._options = index, similarity_top_k, options
        self._rescorer = rescorer_of(index, self.embedding, rescore, "vectors")
        if not can_be_rescored(options):
            if not isinstance(rescore, bool):
                raise DataError(
                    f"rescore={rescore} goes with vector_store_query_mode='default' alone; "
                    "drop one."
                )
            self._rescorer = rescorer_of(index, self.embedding, False, "vectors")
        self._modality = self.embedding.modality_of_documents()
        self._second = second_stage(index, self.embedding, rescore_with, options)
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
            if not self._rescorer.active and self._second is None:
                rows: list[NodeWithScore] = self._retriever._retrieve(_without_vector(query_bundle))
                return rows
            query = embedding.prepare_bundle(query_bundle)
            rows = self._deeper(query)._retrieve(_with(query, query_bundle))
            return self._ordered(query, query_bundle.query_str, rows)

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        if self._above is not None:
            return await self._above._aretrieve(query_bundle)
        embedding = self.embedding
        with index_may_need_moving(embedding.aligner, embedding.resolved_document_modality):
            await acheck(self._index, embedding, self._modality)
            if not self._rescorer.active and self._second is None:
                bundle = _without_vector(query_bundle)
                rows: list[NodeWithScore] = await self._retriever._aretrieve(bundle)
                return rows
            query = await embedding.aprepare_bundle(query_bundle)
            rows = await self._deeper(query)._aretrieve(_with(query, query_bundle))
            return await asyncio.to_thread(self._ordered, query, query_bundle.query_str, rows)

    def _deeper(self, query: Query) -> Any:
        """Return a retriever of as many nodes as are ordered again."""
        n = max(self._k, self._rescorer.n_hits(query, self._k))
        n = n if self._second is None else max(n, self._second.n_hits(self._k))
        deeper, wanted = {**self._options, "similarity_top_k": n}, self._rescorer.active
        return retriever_of(self._index, self.embedding, deeper, with_vectors=wanted)

    def _ordered(self, query: Query, text: str, rows: list[NodeWithScore]) -> list[NodeWithScore]:
        """Return the first nodes in their new order, with their new scores."""
        keys, rescored = map(str, count()), self._rescorer.n_hits(query, self._k)

        def as_hit(node: BaseNode, score: float | None = None) -> Hit:
            return Hit(next(keys), node, self._modality_of(node), "", score)

        hits = [as_hit(row.node, row.score) for row in rows]
        if rescored:
            hits = with_scores_by_place(self._rescorer.rescored(query, hits) or hits)
        if self._second is not None:
            request = SearchRequest(query, text, self._k)
            by_map = partial(self._rescorer.similarities, query)
            ordered = self._second.ordered(request, hits, as_hit, by_map, wanted=self._k)
            hits = with_scores_by_place(ordered or hits)
        return [NodeWithScore(node=hit.payload, score=_score(hit)) for hit in hits[: self._k]]

    def _modality_of(self, node: BaseNode) -> str | None:
        return self._modality.of(node.metadata, partial(self.embedding.text_of, node))


def _score(hit: Hit) -> float | None:
    """Return the score of the second map; the store's where no node was rescored."""
    return hit.raw if hit.similarity is None else hit.similarity


def _with(query: Query, bundle: QueryBundle) -> QueryBundle:
    """Return a bundle of its own for a retriever, with the vector of a query."""
    return QueryBundle(bundle.query_str, embedding=query.vector.tolist())


def _without_vector(bundle: QueryBundle) -> QueryBundle:
    """Return a copy of a bundle without its vector.

    A retriever of LlamaIndex writes its vector into the bundle that it is passed. Where several
    share a bundle, as in a ``QueryFusionRetriever``, the next would search with the vector of
    another embedding model.
    """
    return QueryBundle(bundle.query_str, custom_embedding_strs=bundle.custom_embedding_strs)
