"""The searches of a hybrid search in LlamaIndex: over a vector index, and over words."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, ClassVar

from llama_index.core.indices import VectorStoreIndex
from llama_index.core.indices.vector_store.retrievers import VectorIndexRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle
from llama_index.core.vector_stores import MetadataFilters
from llama_index.core.vector_stores.types import VectorStoreQueryMode

from ...data.arguments import check_choice
from ...errors import DataError
from ...retrieval.document_key import MergeParts
from ...retrieval.document_modality import DocumentModality
from ...retrieval.hits import Hit, SearchResult
from ...retrieval.rescore import Rescore, Rescorer
from ...retrieval.score_scales import SCALES, ScoreScale
from ...retrieval.search import SearchRequest
from ...retrieval.second_model.model import SecondModel
from ...retrieval.second_model.stage import check_fusion, check_options_of_second
from ...retrieval.second_similarity import RescoringSpace, SecondSimilarity
from ...retrieval.store_search import StoreSearch
from .._aligner_field import index_may_need_moving
from .bm25_search import BM25Search, check_texts, key_of_node
from .embedding import AlignedEmbedding
from .filters import all_of, can_be_joined, equals, equals_none_of, is_conjunction
from .index import check, scale_of
from .postgres import WithVectors
from .stored_nodes import second_stage
from .stored_vectors import stored_vectors

_SET_BY_US = ("self", "index", "embed_model", "callback_manager", "object_map")
"""Parameters of LlamaIndex's retriever that the caller does not pass."""


def rescorer_of(
    index: VectorStoreIndex,
    embedding: AlignedEmbedding,
    rescore: Any,
    search: str,
    space: RescoringSpace | None = None,
) -> Rescorer:
    """Return what orders the hits of a search of an index again.

    Args:
        space: whose second map does; by default the embedding's aligner.
    """
    similarity = SecondSimilarity(
        space or embedding.aligner,
        partial(stored_vectors, index),
        embedding.text_of,
        search=search,
        store=type(index.vector_store).__name__,
    )
    return Rescorer(similarity, rescore)


def can_be_rescored(options: Mapping[str, Any]) -> bool:
    """Whether an index is searched by similarity alone, and not by MMR or by words of its own."""
    mode = options.get("vector_store_query_mode", VectorStoreQueryMode.DEFAULT)
    return bool(mode == VectorStoreQueryMode.DEFAULT)


@dataclass(frozen=True)
class VectorSearch:
    """Search a vector index that was filled through the aligner.

    Args:
        index: the index as it is; its own embed model is not used.
        name: its name in metadata and warnings; unique among the searches.
        modality: the modality of all its nodes. Without it, the metadata of each node name one,
            under the ``modality_field`` of the embedding; a node without a modality is of its
            ``document_modality``.
        split: where one modality may be buried by another, search the index again, once for each
            modality. With False, and where the store reads no filters (FAISS) or cannot join one
            to those of the call, the index is searched deeper.
        scores: the scale of the store's scores, one of ``SCALES`` in
            ``kakehashi.retrieval.score_scales``. By default a few nodes show it.
        rescore: order the first hits again by their stored vectors, where the aligner can: True
            for as many as the fit chose, or a number. The list then ends with them, or with
            ``similarity_top_k``. Not where ``vector_store_query_mode`` is another than the default.
        rescore_with: a :class:`kakehashi.SecondModel`, which orders the first of them once more.
            The list then ends with its hits. Needs ``fusion="rank"``.
        options: passed on to ``index.as_retriever`` (not ``similarity_top_k``).

    Raises:
        DataError: no index, or an option that LlamaIndex would pass over.
    """

    by_vector: ClassVar[bool] = True

    index: VectorStoreIndex
    name: str = "vectors"
    modality: str | None = None
    split: bool = True
    scores: str | None = None
    rescore: Rescore = True
    rescore_with: SecondModel | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    _prepared: tuple[AlignedEmbedding, StoreSearch] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Refuse what is no index, and options that LlamaIndex's retriever would pass over."""
        check_texts(name=self.name, modality=self.modality, scores=self.scores)
        if not isinstance(self.index, VectorStoreIndex):
            raise DataError(
                f"index={self.index!r:.80} is no VectorStoreIndex; give one (of a vector store: "
                "VectorStoreIndex.from_vector_store(store, embed_model=embedding)). A list of "
                "nodes is searched by words with BM25Search(nodes)."
            )
        if self.scores is not None:
            check_choice("scores", self.scores, SCALES)
        if not isinstance(self.split, bool):
            raise DataError(f"split={self.split!r:.80}; give True or False.")
        if not isinstance(self.options, Mapping):
            raise DataError(f"options={self.options!r:.80}; give a dictionary.")
        check_options(self.options)
        if self.rescore_with is not None:
            mmr = not can_be_rescored(self.options)
            check_options_of_second(self.rescore_with, by_score=False, mmr=mmr)
        if "similarity_top_k" in self.options:
            raise DataError("options hold similarity_top_k; give it to the retriever itself.")

    @property
    def not_rescored(self) -> bool:
        """Whether ``rescore=False`` turns off what the aligner can do."""
        return self._prepared is not None and self._prepared[1].rescorer.turned_off

    def prepared(
        self,
        embedding: AlignedEmbedding,
        *,
        needs_similarity: bool,
        merge: MergeParts,
    ) -> VectorSearch:
        """Return this search for an embedding, whose vectors show the scale of the store's scores.

        Args:
            needs_similarity: whether hits need a similarity.
            merge: which hits are one document.
        """
        scale = ScoreScale(embedding.aligner, self.scores, partial(scale_of, self.index, embedding))
        used = scale if needs_similarity else None
        modality = embedding.modality_of_documents(self.name, self.modality)
        rescorer = rescorer_of(self.index, embedding, self.rescore, self.name)
        check_fusion(self.rescore_with, calibrated=needs_similarity)
        second = second_stage(self.index, embedding, self.rescore_with, self.options)
        search = StoreSearch(self.name, modality, used, merge, rescorer, embedding.text_of, second)
        return replace(self, _prepared=(embedding, search))

    def find(self, request: SearchRequest, n: int, *, per_modality: bool) -> SearchResult:
        """Return about n hits of each modality, the best first."""
        assert self._prepared is not None
        embedding, search = self._prepared
        options = {**self.options, **request.options}
        filters = [self.options.get("filters"), request.options.get("filters")]
        # Of many hits, only the first need their vectors.
        few = 2 * search.rescorer.n_hits(request.query, search.n_ordered(request.k))

        def as_hit(node: Any, raw: float | None = None) -> Hit:
            modality = search.modality.of(node.metadata, partial(embedding.text_of, node))
            return Hit(key_of_node(node, search.merge), node, modality, self.name, raw)

        def read(restriction: MetadataFilters | None, depth: int) -> list[Hit]:
            chosen = {"similarity_top_k": depth, "filters": all_of([*filters, restriction])}
            retriever = retriever_of(
                self.index, embedding, {**options, **chosen}, with_vectors=depth <= few
            )
            # Each retriever writes its vector into the bundle, so each has its own bundle.
            bundle = QueryBundle(request.text, embedding=request.query.vector.tolist())
            return [as_hit(row.node, row.score) for row in _retrieve(retriever, bundle)]

        parts = partial(self._parts, embedding.modality_field, search, filters)
        with index_may_need_moving(embedding.aligner, search.modality.possible[-1]):
            self._check(embedding, search.modality)
            rescore = can_be_rescored(options)
            return search.find(
                request,
                n,
                read,
                parts,
                as_hit=as_hit,
                per_modality=per_modality,
                rescore=rescore,
            )

    def _check(self, embedding: AlignedEmbedding, modality: DocumentModality) -> None:
        """Refuse an index whose vectors the embedding's aligner did not make."""
        check(self.index, embedding, modality)

    def _parts(
        self,
        modality_field: str,
        search: StoreSearch,
        filters: Sequence[MetadataFilters | None],
    ) -> dict[str, MetadataFilters]:
        """Return what restricts the index to each part of its nodes; nothing if nothing can."""
        store = type(self.index.vector_store).__name__
        if self.modality is not None or not self.split or not can_be_joined(filters, store):
            return {}
        parts = search.modality.parts(needs_similarity=search.scale is not None)
        named = [name for name in parts.values() if name is not None]
        return {
            part: equals_none_of(modality_field, named, without=part, store=store)
            if name is None
            else equals(modality_field, name)
            for part, name in parts.items()
        }


def as_searches(values: Any) -> list[VectorSearch | BM25Search]:
    """Return a list of searches; each index of the list becomes a :class:`VectorSearch`.

    Raises:
        DataError: no list, or a value that is neither.
    """
    single = (str, VectorStoreIndex, VectorSearch, BM25Search)
    if isinstance(values, single) or not isinstance(values, Iterable):
        raise DataError(f"searches={values!r:.80}; give a list, such as [index, BM25Search(...)].")
    searches = [VectorSearch(v) if isinstance(v, VectorStoreIndex) else v for v in values]
    for search in searches:
        if not isinstance(search, (VectorSearch, BM25Search)):
            raise DataError(
                f"searches hold {search!r:.80}; give VectorSearch(index), BM25Search(nodes), or a "
                "VectorStoreIndex. A list of nodes is searched by words with BM25Search(nodes)."
            )
    return searches


def retriever_of(
    index: VectorStoreIndex,
    embedding: AlignedEmbedding,
    options: Mapping[str, Any],
    *,
    with_vectors: bool = False,
) -> Any:
    """Return ``index.as_retriever(...)``; with ``node_ids``, which that does not take, as well.

    Args:
        with_vectors: whether its nodes have their vectors, where the store's search gives them.

    Raises:
        DataError: an option that it would pass over, or filters of another kind.
    """
    check_options(options)
    if options.get("node_ids") is None:
        others = {name: value for name, value in options.items() if name != "node_ids"}
        retriever: Any = index.as_retriever(embed_model=embedding, **others)
    else:
        retriever = VectorIndexRetriever(
            index,
            embed_model=embedding,
            callback_manager=index._callback_manager,
            object_map=index._object_map,
            **options,
        )
    if with_vectors:
        retriever._vector_store = WithVectors.of(retriever._vector_store)
    return retriever


def check_options(options: Mapping[str, Any]) -> None:
    """Raise DataError for an option that LlamaIndex's retriever would take and pass over."""
    parameters = inspect.signature(VectorIndexRetriever.__init__).parameters
    allowed = [n for n, p in parameters.items() if p.kind is not p.VAR_KEYWORD]
    allowed = [name for name in allowed if name not in _SET_BY_US]
    allowed.append("vector_store_kwargs")  # which it takes from those that it does not name
    for name in options:
        if name not in allowed:
            raise DataError(
                f"{name}={options[name]!r:.80} is no option of a retriever of LlamaIndex, which "
                f"would pass over it; options are {', '.join(allowed)} (filters= takes "
                "MetadataFilters)."
            )
    if options.get("filters") is not None:
        is_conjunction(options["filters"])


def _retrieve(retriever: Any, bundle: QueryBundle) -> list[NodeWithScore]:
    try:
        rows: list[NodeWithScore] = retriever._retrieve(bundle)
    except Warning as warning:
        # LanceDB's store raises a bare Warning where it returns nothing: of one modality, say.
        if type(warning) is Warning and "empty" in str(warning):
            return []
        raise
    return rows
