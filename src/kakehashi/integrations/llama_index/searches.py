"""The arms of a mixed search in LlamaIndex: of a vector index, and of words."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from llama_index.core.indices import VectorStoreIndex
from llama_index.core.indices.vector_store.retrievers import VectorIndexRetriever
from llama_index.core.schema import BaseNode, MetadataMode, NodeWithScore, QueryBundle
from llama_index.core.vector_stores import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
)
from llama_index.core.vector_stores.utils import build_metadata_filter_fn

from ...errors import DataError
from ...retrieval.document_modality import DocumentModality, check_declared_modality, search_store
from ...retrieval.hits import Hit, SearchResult
from ...retrieval.lexical_search import LexicalSearch, key_of
from ...retrieval.merging import FusedDocument
from ...retrieval.query import Query
from ...retrieval.score_scales import ScoreScale
from .._aligner_field import index_may_need_moving

if TYPE_CHECKING:
    from . import AlignedEmbedding

_FLAT = ("SimpleVectorStore", "LanceDBVectorStore")
"""Stores that read no filter within a filter."""
_OURS = ("self", "index", "embed_model", "callback_manager", "object_map")
"""What a retriever of LlamaIndex takes and the caller does not give."""
_OF_A_STORE = ("where", "where_document", "qdrant_filters", "string_expr")
"""What restricts a search in the words of one store."""


@dataclass(frozen=True)
class VectorSearch:
    """Search a vector index that was filled through the aligner.

    Args:
        index: the index as it is; its own embed model is not used.
        name: what metadata and warnings call it; unique among the arms.
        modality: of all its nodes; without it each names its own in its metadata, under the
            ``modality_field`` of the embedding, or is of its ``document_modality``.
        split: where one modality may be buried by another, search the index again, once for each.
            With False, and where the store reads no filters (FAISS) or cannot add to those of the
            call, it is searched deeper.
        scores: what the store's scores are, one of ``SCALES`` in
            ``kakehashi.retrieval.score_scales``; found out from a
            few nodes by default.
        options: passed on to ``index.as_retriever``.
    """

    index: VectorStoreIndex
    name: str = "vectors"
    modality: str | None = None
    split: bool = True
    scores: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    _embedding: AlignedEmbedding | None = field(default=None, repr=False)
    _document_modality: DocumentModality | None = field(default=None, repr=False)
    _scale: ScoreScale | None = field(default=None, repr=False)

    def prepared(self, embedding: AlignedEmbedding, *, needs_similarity: bool) -> VectorSearch:
        """Return this arm for an embedding, whose vectors tell what the store's scores are."""
        check_declared_modality(self.name, self.modality, embedding.aligner)
        scale = ScoreScale(embedding.aligner, self.scores)
        document_modality = _document_modality(embedding, self.modality)
        return replace(
            self,
            _embedding=embedding,
            _document_modality=document_modality,
            _scale=scale if needs_similarity else None,
        )

    def find(
        self, query: Query, text: str, n: int, options: Mapping[str, Any], *, per_modality: bool
    ) -> SearchResult:
        """Return about n hits of each modality, the best first."""
        embedding, document_modality = self._embedding, self._document_modality
        assert embedding is not None
        assert document_modality is not None
        restricting = [self.options.get("filters"), options.get("filters")]
        parts = self._parts(embedding, document_modality, restricting) if per_modality else {}
        asked = {**self.options, **options}

        def searched(part: str | None, depth: int) -> list[Hit]:
            asked["similarity_top_k"] = depth
            asked["filters"] = _all_of([*restricting, None if part is None else parts[part]])
            # A bundle of its own: the vector is written into it.
            bundle = QueryBundle(text, embedding=query.vector.tolist())
            found = _retrieved(retriever_of(self.index, embedding, asked), bundle)
            hits = [
                Hit(
                    key_of(_text(row.node)),
                    row.node,
                    document_modality.of(row.node.metadata, partial(embedding._content, row.node)),
                    self.name,
                    row.score,
                )
                for row in found
            ]
            if self._scale is None:
                return hits
            return self._scale.with_similarities(query, hits, embedding._content, self.name)

        with index_may_need_moving(embedding.aligner, document_modality.possible[-1]):
            return search_store(
                searched, n, parts=list(parts), modalities=document_modality.possible
            )

    def _parts(
        self,
        embedding: AlignedEmbedding,
        document_modality: DocumentModality,
        restricting: Sequence[MetadataFilters | None],
    ) -> dict[str, MetadataFilters]:
        """Return what restricts the index to each part of its nodes; nothing if nothing can."""
        if self.modality is not None or not self.split or not self._can_add_to(restricting):
            return {}
        store = type(self.index.vector_store).__name__
        by_part = document_modality.parts(needs_similarity=self._scale is not None)
        named = [name for name in by_part.values() if name is not None]
        return {
            part: _is(embedding.modality_field, part)
            if name is not None
            else _is_none_of(embedding.modality_field, named, part, store)
            for part, name in by_part.items()
        }

    def _can_add_to(self, filters: Sequence[MetadataFilters | None]) -> bool:
        """Whether the store can read the filters with one more that has to hold."""
        store = type(self.index.vector_store).__name__
        if store == "FaissVectorStore":  # knows no metadata
            return False
        if store not in _FLAT:
            return True
        return all(each is None or _is_conjunction(each) for each in filters)


@dataclass(frozen=True)
class BM25Search:
    """Search nodes by their words (BM25): part numbers and error codes cross no embedding.

    Args:
        nodes: what is searched; the same that the indices hold.
        name, modality: as of a :class:`VectorSearch`.

    ``filters``, ``node_ids`` and ``doc_ids`` of the retriever restrict it, too.
    """

    nodes: Sequence[BaseNode] = field(repr=False)
    name: str = "words"
    modality: str | None = None
    _words: LexicalSearch | None = field(default=None, repr=False)

    def prepared(self, embedding: AlignedEmbedding, *, needs_similarity: bool) -> BM25Search:
        """Return this arm with an index of its nodes, as they are now."""
        check_declared_modality(self.name, self.modality, embedding.aligner)
        document_modality, nodes = _document_modality(embedding, self.modality), list(self.nodes)
        texts = [_text(node) for node in nodes]
        words = LexicalSearch(
            self.name,
            nodes,
            texts=texts,
            keys=[key_of(text) for text in texts],
            modalities=[
                document_modality.of(node.metadata, partial(embedding._content, node))
                for node in nodes
            ],
        )
        return replace(self, nodes=nodes, _words=words)

    def find(
        self, query: Query, text: str, n: int, options: Mapping[str, Any], *, per_modality: bool
    ) -> SearchResult:
        """Return at most n nodes of each modality that share a word, the best first."""
        assert self._words is not None
        return self._words.find(text, n, self._allowed(options))

    def _allowed(self, options: Mapping[str, Any]) -> list[bool] | None:
        """Say which nodes may be found, by the options of the retriever; None for all.

        Raises:
            DataError: a restriction that only a store can read. Ignoring it would let through what
                the caller shut out.
        """
        given = options.get("vector_store_kwargs") or {}
        if said := [name for name in _OF_A_STORE if given.get(name) is not None]:
            raise DataError(
                f"A search by words cannot read vector_store_kwargs[{said[0]!r}]; give filters= "
                "llama_index's MetadataFilters, which every search reads, or put it into the "
                "options of the search of that store."
            )
        filters, names = options.get("filters"), {"node_ids": "node_id", "doc_ids": "ref_doc_id"}
        ids = {mine: set(options[name]) for name, mine in names.items() if options.get(name)}
        if filters is None and not ids:
            return None
        return [
            (filters is None or _permits(filters, node))
            and all(getattr(node, mine) in wanted for mine, wanted in ids.items())
            for node in self.nodes
        ]


def _document_modality(embedding: AlignedEmbedding, declared: str | None) -> DocumentModality:
    by_field, unnamed = embedding.modality_field, embedding.document_modality
    return DocumentModality(embedding.aligner, declared, by_field, unnamed)


def retriever_of(
    index: VectorStoreIndex, embedding: AlignedEmbedding, options: Mapping[str, Any]
) -> Any:
    """Return ``index.as_retriever(...)``; with ``node_ids``, which that does not take, as well.

    Raises:
        DataError: an option that it would pass over, or filters of another kind.
    """
    check_options(options)
    if options.get("node_ids") is None:
        given = {name: value for name, value in options.items() if name != "node_ids"}
        return index.as_retriever(embed_model=embedding, **given)
    return VectorIndexRetriever(
        index,
        embed_model=embedding,
        callback_manager=index._callback_manager,
        object_map=index._object_map,
        **options,
    )


def check_options(options: Mapping[str, Any]) -> None:
    """Raise DataError for what a retriever of LlamaIndex would swallow: it takes any keyword."""
    known = inspect.signature(VectorIndexRetriever.__init__).parameters
    allowed = [n for n, p in known.items() if p.kind is not p.VAR_KEYWORD and n not in _OURS]
    allowed.append("vector_store_kwargs")  # which it takes from those that it does not name
    for name in options:
        if name not in allowed:
            raise DataError(
                f"{name}={options[name]!r:.80} is no option of a retriever of LlamaIndex, which "
                f"would pass over it; options are {', '.join(allowed)} (filters= takes "
                "MetadataFilters)."
            )
    if options.get("filters") is not None:
        _is_conjunction(options["filters"])


def _retrieved(retriever: Any, bundle: QueryBundle) -> list[NodeWithScore]:
    try:
        found: list[NodeWithScore] = retriever._retrieve(bundle)
    except Warning as nothing:
        # LanceDB's store raises a bare Warning where it finds nothing: of one modality, say.
        if type(nothing) is Warning and "empty" in str(nothing):
            return []
        raise
    return found


def _text(node: BaseNode) -> str:
    return str(node.get_content(metadata_mode=MetadataMode.NONE))


def _is(name: str, side: str) -> MetadataFilters:
    return MetadataFilters(filters=[MetadataFilter(key=name, value=side)])


def _is_none_of(field: str, named: Sequence[str], unnamed: str, store: str) -> MetadataFilters:
    """Let through what names none of the modalities, or another."""
    if store == "LanceDBVectorStore":  # cannot say it, and has every node name what one names
        return _is(field, unnamed)
    none_of = MetadataFilter(key=field, value=list(named), operator=FilterOperator.NIN)
    if store != "QdrantVectorStore":
        return MetadataFilters(filters=[none_of])
    # Qdrant's "except" asks for a value.
    nothing = MetadataFilter(key=field, value=None, operator=FilterOperator.IS_EMPTY)
    return MetadataFilters(filters=[none_of, nothing], condition=FilterCondition.OR)


def _all_of(filters: Sequence[MetadataFilters | None]) -> MetadataFilters | None:
    given = [each for each in filters if each is not None]
    if len(given) < 2:
        return given[0] if given else None
    plain: list[Any] = []
    for each in given:
        plain += each.filters if _is_conjunction(each) else [each]
    return MetadataFilters(filters=plain, condition=FilterCondition.AND)


def _is_conjunction(filters: Any) -> bool:
    if not isinstance(filters, MetadataFilters):
        raise DataError(f"filters={filters!r}; give llama_index's MetadataFilters.")
    return filters.condition in (None, FilterCondition.AND)


def _permits(filters: Any, node: BaseNode) -> bool:
    """Say whether filters let a node through; LlamaIndex's own reading knows no nested ones."""
    conjunction = _is_conjunction(filters) or not filters.filters
    each = [
        _permits(part, node)
        if isinstance(part, MetadataFilters)
        else bool(
            build_metadata_filter_fn(lambda _: node.metadata, MetadataFilters(filters=[part]))("")
        )
        for part in filters.filters
    ]
    if conjunction:
        return all(each)
    if filters.condition == FilterCondition.NOT:
        return not any(each)
    return any(each)


def described(
    documents: Sequence[FusedDocument], how: str, failed: Mapping[str, str]
) -> Iterator[NodeWithScore]:
    """Yield copies of the nodes whose metadata say how they were found.

    What is said is for programs: neither an encoder nor a generator reads it.
    """
    for fused in documents:
        said = fused.described(how, failed)
        node: BaseNode = fused.payload
        copy = node.model_copy(
            update={
                "metadata": {**node.metadata, "kakehashi": said},
                "excluded_embed_metadata_keys": [*node.excluded_embed_metadata_keys, "kakehashi"],
                "excluded_llm_metadata_keys": [*node.excluded_llm_metadata_keys, "kakehashi"],
            }
        )
        yield NodeWithScore(node=copy, score=fused.score)
