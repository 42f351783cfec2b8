"""LlamaIndex: an embedding model and a retriever for an index that exists."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from ...errors import DataError, MissingExtraError
from ...multi_aligner import load
from ...retrieval.fusion import Method, fusion_of
from ...retrieval.hybrid_search import (
    HybridResult,
    HybridSearch,
    OnError,
    check_k,
    check_searches,
    warn_of_failed,
)
from ...retrieval.query import AUTO
from ...types import Role
from .._aligner_field import (
    AlignerField,
    document_modality_of,
    index_may_need_moving,
    query_modality_of,
    with_encoders,
)

try:
    from llama_index.core.base.base_retriever import BaseRetriever
    from llama_index.core.base.embeddings.base import BaseEmbedding, Embedding
    from llama_index.core.indices import VectorStoreIndex
    from llama_index.core.schema import BaseNode, MetadataMode, NodeWithScore, QueryBundle
except ImportError as error:
    raise MissingExtraError("llama-index-core", "llama-index") from error

from pydantic import ConfigDict, Field, PrivateAttr

from .cache import CacheByKind
from .searches import BM25Search, VectorSearch, check_options, described, retriever_of

__all__ = ["AlignedEmbedding", "AlignedRetriever", "BM25Search", "VectorSearch"]

# Whose call it is (the object's id), and what it said: an encoder may itself be built on an
# AlignedEmbedding, which must not listen.
_role: ContextVar[tuple[int, Role] | None] = ContextVar("role", default=None)
_document_modality: ContextVar[tuple[int, str] | None] = ContextVar(
    "document_modality", default=None
)


@contextmanager
def _set(variable: ContextVar[Any], value: Any) -> Iterator[None]:
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


class AlignedEmbedding(BaseEmbedding):
    """Embeddings in the aligner's space: queries of one modality find nodes of another.

    Args:
        aligner: an ``Aligner``, a ``MultiAligner``, or the folder of a saved one. Pass encoders
            that it does not record (a LlamaIndex ``BaseEmbedding``, a callable) by
            ``aligner.with_encoders(source_encoder=...)``.
        query_modality: what queries are of: ``"source"`` by default; ``"auto"``, the default of a
            bridge, leaves it to the router.
        document_modality: what nodes are of: the target by default; ``"auto"`` leaves it to the
            router, text by text.
        modality_field: metadata field in which a node may name its own modality. It is read where
            nodes are embedded by calling this object, as an ``IngestionPipeline`` does; an index
            hands over bare texts and takes all for ``document_modality``.
        embeddings_cache: a LlamaIndex key-value store. Entries are kept apart by aligner,
            modality and role; LlamaIndex itself keeps one vector per text.
    """

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True, protected_namespaces=())

    # The base class names its own default "unknown"; the fingerprint is what tells maps apart in
    # traces, and what makes the cache of an IngestionPipeline notice another aligner.
    aligner: AlignerField
    query_modality: str = ""
    document_modality: str = ""
    modality_field: str = "modality"
    embed_batch_size: int = Field(default=32, gt=0, le=2048)
    embeddings_cache: Any = Field(default=None, exclude=True)
    _cache: Any = PrivateAttr(default=None)

    def __init__(self, **fields: Any) -> None:
        super().__init__(**fields)
        self.query_modality = query_modality_of(self.aligner, self.query_modality)
        self.document_modality = document_modality_of(self.aligner, self.document_modality)
        self.model_name = f"kakehashi-{self.aligner.fingerprint[:12]}"
        cache = self.embeddings_cache
        if cache is not None and not isinstance(cache, CacheByKind):
            self.embeddings_cache = CacheByKind(cache, self._kind)

    @classmethod
    def class_name(cls) -> str:
        """Return the name that LlamaIndex writes into a dump."""
        return "AlignedEmbedding"

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        source_encoder: Any = None,
        target_encoder: Any = None,
        **fields: Any,
    ) -> AlignedEmbedding:
        """Load a saved aligner; pass the encoders that it does not record.

        A multi aligner has encoders by modality:
        ``AlignedEmbedding(aligner=kakehashi.load(path).with_encoders(ja=...))``.
        """
        return cls(aligner=with_encoders(load(path), source_encoder, target_encoder), **fields)

    @classmethod
    def from_dict(
        cls,
        data: dict[str, Any],
        *,
        source_encoder: Any = None,
        target_encoder: Any = None,
        **fields: Any,
    ) -> AlignedEmbedding:
        """Rebuild from :meth:`to_dict`; pass the encoders that the aligner does not record."""
        made = cls(**{k: v for k, v in {**data, **fields}.items() if k != "class_name"})
        made.aligner = with_encoders(made.aligner, source_encoder, target_encoder)
        return made

    def __getstate__(self) -> dict[str, Any]:
        """Keep the fields; what cannot be pickled raises here instead of being dropped quietly."""
        skipped = ("callback_manager", "rate_limiter", "embeddings_cache")
        return {k: v for k, v in self.__dict__.items() if k not in skipped}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Build again from the fields."""
        # Fields that were left behind get their defaults, as in a new object of the same class.
        self.__init__(**state)  # type: ignore[misc]  # a subclass may take other arguments

    # Query and document are told apart here, above the cache of the base class.

    def get_query_embedding(self, query: str) -> Embedding:
        """Embed a query."""
        with _set(_role, (id(self), "query")):
            return super().get_query_embedding(query)

    async def aget_query_embedding(self, query: str) -> Embedding:
        """Embed a query without blocking the event loop."""
        with _set(_role, (id(self), "query")):
            return await super().aget_query_embedding(query)

    def __call__(self, nodes: Sequence[BaseNode], **kwargs: Any) -> Sequence[BaseNode]:
        """Embed nodes, each as the modality that its metadata names."""
        for side, texts, members in self._by_modality(nodes):
            with _set(_document_modality, (id(self), side)):
                vectors = self.get_text_embedding_batch(texts, **kwargs)
            for node, vector in zip(members, vectors, strict=True):
                node.embedding = vector
        return nodes

    async def acall(self, nodes: Sequence[BaseNode], **kwargs: Any) -> Sequence[BaseNode]:
        """Embed nodes without blocking the event loop."""
        for side, texts, members in self._by_modality(nodes):
            with _set(_document_modality, (id(self), side)):
                vectors = await self.aget_text_embedding_batch(texts, **kwargs)
            for node, vector in zip(members, vectors, strict=True):
                node.embedding = vector
        return nodes

    def _by_modality(
        self, nodes: Sequence[BaseNode]
    ) -> Iterator[tuple[str, list[str], list[BaseNode]]]:
        sides = [n.metadata.get(self.modality_field) or self.document_modality for n in nodes]
        allowed = self.aligner.modalities
        for node, side in zip(nodes, sides, strict=True):
            if side not in (*allowed, self.document_modality):
                raise DataError(
                    f"Node {node.node_id} has {self.modality_field}={side!r}; "
                    f"allowed are {', '.join(allowed)}."
                )
        for side in dict.fromkeys((*allowed, self.document_modality)):
            members = [n for n, s in zip(nodes, sides, strict=True) if s == side]
            if members:
                yield side, [self._content(node) for node in members], members

    def _content(self, node: BaseNode) -> str:
        """What LlamaIndex embeds of a node, without the name of its modality."""
        hidden = [*node.excluded_embed_metadata_keys, self.modality_field]
        bare = node.model_copy(update={"excluded_embed_metadata_keys": hidden})
        return str(bare.get_content(metadata_mode=MetadataMode.EMBED))

    def _kind(self) -> str:
        said = _role.get()
        role: Role = said[1] if said is not None and said[0] == id(self) else "document"
        side = self.query_modality if role == "query" else self._side()
        of = self.aligner.fingerprint
        if side == AUTO:  # another router may have another encoder read a text
            of = f"{of}/{self.aligner.router_fingerprint}"
        return f"{of}/{side}/{role}"

    def _side(self) -> str:
        said = _document_modality.get()
        return said[1] if said is not None and said[0] == id(self) else self.document_modality

    def _get_query_embedding(self, query: str) -> Embedding:
        found: Embedding = self.aligner.prepare_query(query, self.query_modality).vector.tolist()
        return found

    async def _aget_query_embedding(self, query: str) -> Embedding:
        return await asyncio.to_thread(self._get_query_embedding, query)

    def _get_text_embedding(self, text: str) -> Embedding:
        return self._get_text_embeddings([text])[0]

    async def _aget_text_embedding(self, text: str) -> Embedding:
        return await asyncio.to_thread(self._get_text_embedding, text)

    def _get_text_embeddings(self, texts: list[str]) -> list[Embedding]:
        found: list[Embedding] = self.aligner.embed_documents(texts, modality=self._side()).tolist()
        return found

    async def _aget_text_embeddings(self, texts: list[str]) -> list[Embedding]:
        return await asyncio.to_thread(self._get_text_embeddings, texts)


class AlignedRetriever(BaseRetriever):
    """Search indices with a projected query; they keep their own embed models.

    One index is searched as it is. Several, or one that holds nodes of both modalities, are
    ``searches``: what they find is fused into one list, each node with a metadata entry
    ``kakehashi`` that says its modality, the searches that found it with their raw scores, its
    similarity, its share of words and its score. Nodes of one text are one node, of which the
    first found stays: indices know no other name that they share.

    Args:
        index: the index as it is.
        embedding: what embeds the query.
        similarity_top_k: number of nodes.
        searches: what is searched in place of one index: :class:`VectorSearch`,
            :class:`BM25Search`.
        fusion: ``"calibrated"``, by scores that the aligner learned to compare; or ``"rank"``.
        weights: of the searches by name, for fusion by rank; those not named count 1. Without any,
            words have the share beside vectors that the aligner learned.
        on_error: what becomes of an arm that fails: ``"raise"``, or ``"degrade"``: the others
            answer, with a ``DegradedWarning`` and a mark in the metadata.
        options: passed on to ``index.as_retriever``, or to every arm: ``filters``, ``node_ids``,
            ``vector_store_query_mode``, ``vector_store_kwargs``, ...

    Raises:
        DataError: ``similarity_top_k`` is less than 1; both an index and searches, or neither; two
            searches of one name.
    """

    def __init__(
        self,
        index: VectorStoreIndex | None = None,
        embedding: AlignedEmbedding | None = None,
        *,
        similarity_top_k: int = 4,
        searches: Sequence[VectorSearch | BM25Search] = (),
        fusion: Method = "calibrated",
        weights: Mapping[str, float] | None = None,
        on_error: OnError = "raise",
        **options: Any,
    ) -> None:
        check_k(similarity_top_k, "similarity_top_k")
        searches = list(searches)
        if embedding is None:
            raise DataError("embedding= is missing; give the AlignedEmbedding of the query.")
        if not isinstance(embedding, AlignedEmbedding):
            raise DataError(f"embedding={embedding!r:.60} is no AlignedEmbedding.")
        if (index is None) == (not searches):
            raise DataError("give either index=, one index as it is, or searches=.")
        self.embedding, self._k, self._fusion = embedding, similarity_top_k, fusion
        self._searches: list[Any] = []
        self._retriever: Any = None
        if index is not None:
            asked = {**options, "similarity_top_k": similarity_top_k}
            self._retriever = retriever_of(index, embedding, asked)
            super().__init__(
                callback_manager=self._retriever.callback_manager,
                object_map=self._retriever.object_map,
            )
            return
        fused = fusion_of(fusion, embedding.aligner.calibration, weights or {})
        self._plan = HybridSearch(fused, on_error)
        check_searches(searches, fused)
        check_options(options)
        self._options = options
        self._searches = [
            arm.prepared(embedding, needs_similarity=fused.needs_similarity) for arm in searches
        ]
        super().__init__()

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        if self._searches:
            text = query_bundle.query_str
            asked = self.embedding.aligner.prepare_query(text, self.embedding.query_modality)
            return self._answer(self._plan.run(self._searches, asked, text, self._k, self._options))
        with index_may_need_moving(self.embedding.aligner, self.embedding.document_modality):
            found: list[NodeWithScore] = self._retriever._retrieve(_fresh(query_bundle))
        return found

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        if self._searches:
            text, embedding = query_bundle.query_str, self.embedding
            asked = await asyncio.to_thread(
                embedding.aligner.prepare_query, text, embedding.query_modality
            )
            return self._answer(
                await self._plan.arun(self._searches, asked, text, self._k, self._options)
            )
        with index_may_need_moving(self.embedding.aligner, self.embedding.document_modality):
            found: list[NodeWithScore] = await self._retriever._aretrieve(_fresh(query_bundle))
        return found

    def _answer(self, found: HybridResult) -> list[NodeWithScore]:
        warn_of_failed(found.failed, stacklevel=3)
        return list(described(found.documents, self._fusion, found.failed))


def _fresh(bundle: QueryBundle) -> QueryBundle:
    """Copy the texts of a bundle without its vector.

    LlamaIndex writes a retriever's vector into the bundle that it was handed. Where several
    retrievers share one, as in a ``QueryFusionRetriever``, the next would search with the vector
    of another embedding model.
    """
    return QueryBundle(bundle.query_str, custom_embedding_strs=bundle.custom_embedding_strs)
