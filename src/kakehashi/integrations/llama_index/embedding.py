"""LlamaIndex: an embedding model in the space of an aligner."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np

from ...errors import MissingExtraError
from ...retrieval.query import AUTO, How, Query, told_modality
from ...types import Role
from ...vectors import Float32Array, unit_rows
from .._aligner_field import AlignedModel, with_encoders
from .._call_value import CallValue
from .._modalities import modalities_in_metadata
from ..stores.node_text import text_without

try:
    from llama_index.core.base.embeddings.base import BaseEmbedding, Embedding
    from llama_index.core.indices import VectorStoreIndex
    from llama_index.core.schema import BaseNode, MetadataMode, QueryBundle
except ImportError as error:
    raise MissingExtraError("llama-index-core", "llama-index") from error

from pydantic import Field

from .cache import CacheByKind
from .index import acheck_caller, anote_filling, check_caller, note_filling, record
from .metadata_header import split_modality

_role: CallValue[Role | Literal["rescoring"]] = CallValue("role")
_declared_modality: CallValue[str] = CallValue("declared_modality")
_made: CallValue[dict[str, Query]] = CallValue("made")


class AlignedEmbedding(AlignedModel, BaseEmbedding):
    """Embeddings in the space of an aligner: queries of one modality find nodes of another.

    Args:
        aligner: an ``Aligner``, a ``MultiAligner``, or the folder of a saved one. Pass encoders
            that it does not record (a LlamaIndex ``BaseEmbedding``, a callable) by
            ``aligner.with_encoders(source_encoder=...)``.
        query_modality: the modality of queries. By default ``"source"``; for a multi aligner
            ``"auto"``, which lets the router read each query.
        document_modality: the modality of nodes. By default the target; ``"auto"`` lets the router
            read each text.
        modality_field: metadata field in which a node may name its modality. Its line is read, and
            not embedded. A node that names none, or hides it from what is embedded
            (``excluded_embed_metadata_keys``), is of ``document_modality``. Where this object is
            called with nodes, as an ``IngestionPipeline`` does, it reads hidden metadata, too.
        embeddings_cache: a LlamaIndex key-value store. Each aligner, modality and role has entries
            of its own; LlamaIndex itself keeps one vector for each text.
    """

    embed_batch_size: int = Field(default=32, gt=0, le=2048)
    embeddings_cache: Any = Field(default=None, exclude=True)

    def model_post_init(self, context: Any, /) -> None:
        """Name the model by its aligner, and give each kind of vector a cache of its own."""
        super().model_post_init(context)
        # The base class names its default "unknown". The fingerprint tells maps apart in traces,
        # and makes the cache of an IngestionPipeline notice another aligner.
        self.model_name = f"kakehashi-{self.aligner.fingerprint[:12]}"
        cache = self.embeddings_cache
        if cache is not None and not isinstance(cache, CacheByKind):
            self.embeddings_cache = CacheByKind(cache, self._kind)

    @classmethod
    def class_name(cls) -> str:
        """Return the name that LlamaIndex writes into a dump."""
        return "AlignedEmbedding"

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
        """Return the fields; where one cannot be pickled, pickle raises and drops nothing."""
        skipped = ("callback_manager", "rate_limiter", "embeddings_cache")
        return {k: v for k, v in self.__dict__.items() if k not in skipped}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Build again from the fields."""
        # Fields that were skipped get their defaults, as in a new object of the same class.
        self.__init__(**state)  # type: ignore[misc]  # a subclass may take other arguments

    def record(self, index: VectorStoreIndex) -> bool:
        """Write into an index that this aligner made its vectors; say whether it can hold that.

        It is kept in the store's metadata (Chroma, Qdrant) or in the index store, which is
        persisted with the index. A first search then compares fingerprints, and no vectors.
        """
        return record(index, self)

    def prepare_query(self, text: str) -> Query:
        """Embed one query; return the vector with the modality that the query was read as."""
        return self.aligner.prepare_query(text, self.resolved_query_modality)

    async def aprepare_query(self, text: str) -> Query:
        """Do the same; the encoder is awaited."""
        return await self.aligner.aprepare_query(text, self.resolved_query_modality)

    def prepare_bundle(self, bundle: QueryBundle) -> Query:
        """Embed the texts that a bundle gives for its query, as an index of LlamaIndex does.

        This goes through the cache and the events of the base class. Of several texts (HyDE's), the
        vector is the mean. The modality is that of the query itself.
        """
        texts = bundle.embedding_strs or [bundle.query_str]
        made: dict[str, Query] = {}
        with _made.set(self, made):
            vectors = [self.get_query_embedding(text) for text in texts]
        again = []
        for text in self._to_rescore(bundle, texts):
            kept = None if text in made else self._kept_again(text)
            if kept is None:
                kept = self._keep_again(text, made.get(text) or self.prepare_query(text))
            again.append(kept)
        return self._query_of(bundle, vectors, again)

    async def aprepare_bundle(self, bundle: QueryBundle) -> Query:
        """Do the same; the encoder is awaited."""
        texts = bundle.embedding_strs or [bundle.query_str]
        made: dict[str, Query] = {}
        with _made.set(self, made):
            vectors = await asyncio.gather(*(self.aget_query_embedding(text) for text in texts))
        again = []
        for text in self._to_rescore(bundle, texts):
            kept = None if text in made else await asyncio.to_thread(self._kept_again, text)
            if kept is None:
                query = made.get(text) or await self.aprepare_query(text)
                kept = await asyncio.to_thread(self._keep_again, text, query)
            again.append(kept)
        return self._query_of(bundle, vectors, again)

    def _to_rescore(self, bundle: QueryBundle, texts: list[str]) -> list[str]:
        """Return the texts of a query if one map rescores them all, else none."""
        modalities = {self._told(text)[0] for text in (bundle.query_str, *texts)}
        maps = [self.aligner.rescoring_of(modality) for modality in modalities]
        return texts if maps[0] is not None and all(each is maps[0] for each in maps) else []

    def _kept_again(self, text: str) -> Embedding | None:
        """Return what the second map makes of a query whose vector the cache held, if it has it."""
        if self.embeddings_cache is None:
            return None
        with _role.set(self, "rescoring"):
            kept = self.embeddings_cache.get(text, "embeddings")
        return None if kept is None else kept["vector"]

    def _keep_again(self, text: str, query: Query) -> Embedding:
        assert query.rescoring is not None
        vector: Embedding = query.rescoring.tolist()
        if self.embeddings_cache is not None:
            with _role.set(self, "rescoring"):
                self.embeddings_cache.put(text, {"vector": vector}, "embeddings")
        return vector

    def _query_of(
        self, bundle: QueryBundle, vectors: Sequence[Embedding], again: Sequence[Embedding]
    ) -> Query:
        modality, how = self._told(bundle.query_str)
        return Query(_unit_mean(vectors), modality, how, _unit_mean(again) if again else None)

    def _told(self, text: str) -> tuple[str, How]:
        return told_modality(self.aligner, text, self.resolved_query_modality)

    # The role is set here, above the cache of the base class.

    def get_query_embedding(self, query: str) -> Embedding:
        """Embed a query.

        Raises:
            AlignerMismatchError: an index calls for it, and holds vectors of another aligner.
        """
        check_caller(self, self.modality_of_documents())
        with _role.set(self, "query"):
            return super().get_query_embedding(query)

    async def aget_query_embedding(self, query: str) -> Embedding:
        """Embed a query without blocking the event loop."""
        await acheck_caller(self, self.modality_of_documents())
        with _role.set(self, "query"):
            return await super().aget_query_embedding(query)

    def get_text_embedding_batch(self, texts: list[str], **options: Any) -> list[Embedding]:
        """Embed texts.

        Raises:
            AlignerMismatchError: an index calls for them, and holds vectors of another aligner, or
                its nodes bring some.
            DataError: an index calls for them, and a node of it names an unknown modality.
        """
        note_filling(self, self.modality_of_documents())
        vectors: list[Embedding] = super().get_text_embedding_batch(texts, **options)
        return vectors

    async def aget_text_embedding_batch(self, texts: list[str], **options: Any) -> list[Embedding]:
        """Embed texts without blocking the event loop."""
        # Here, as the base class makes a task of each batch, and a task knows no caller.
        await anote_filling(self, self.modality_of_documents())
        vectors: list[Embedding] = await super().aget_text_embedding_batch(texts, **options)
        return vectors

    def __call__(self, nodes: Sequence[BaseNode], **kwargs: Any) -> Sequence[BaseNode]:
        """Embed nodes, each as the modality that its metadata name."""
        for modality, members in self._by_modality(nodes):
            texts = [self.text_of(node) for node in members]
            with _declared_modality.set(self, modality):
                vectors = self.get_text_embedding_batch(texts, **kwargs)
            for node, vector in zip(members, vectors, strict=True):
                node.embedding = vector
        return nodes

    async def acall(self, nodes: Sequence[BaseNode], **kwargs: Any) -> Sequence[BaseNode]:
        """Embed nodes without blocking the event loop."""
        for modality, members in self._by_modality(nodes):
            texts = [self.text_of(node) for node in members]
            with _declared_modality.set(self, modality):
                vectors = await self.aget_text_embedding_batch(texts, **kwargs)
            for node, vector in zip(members, vectors, strict=True):
                node.embedding = vector
        return nodes

    def _by_modality(self, nodes: Sequence[BaseNode]) -> Iterator[tuple[str, list[BaseNode]]]:
        """Yield each modality with its nodes; every name is checked before the first."""
        metadata = [node.metadata for node in nodes]
        default = self.resolved_document_modality
        names = modalities_in_metadata(self.aligner, metadata, self.modality_field, default)
        for modality in dict.fromkeys(names):
            yield modality, [n for n, name in zip(nodes, names, strict=True) if name == modality]

    def text_of(self, node: BaseNode) -> str:
        """Return the text that LlamaIndex embeds of a node, without the name of its modality."""
        text = str(node.get_content(metadata_mode=MetadataMode.EMBED))
        modality, text = split_modality(text, self.modality_field, self.aligner.modalities)
        if modality is not None or self.modality_field not in node.metadata:
            return text
        # A template of the node's own writes it in another way.
        return text_without(node, self.modality_field)

    def _kind(self) -> str:
        """Return the kind of the vectors of the current call, for the cache."""
        role = _role.get(self) or "document"
        modality = self.resolved_query_modality
        if role == "document":
            modality = _declared_modality.get(self) or self.resolved_document_modality
        space = self.aligner.fingerprint
        if modality == AUTO:  # another router may have another encoder read a text
            space = f"{space}/{self.aligner.router_fingerprint}"
        if role == "rescoring":
            maps = map(self.aligner.rescoring_of, self.aligner.modalities)
            space += "".join(f"/{m.fingerprint[:16]}" for m in maps if m is not None)
        return f"{space}/{modality}/{role}"

    def _get_query_embedding(self, query: str) -> Embedding:
        return self._noted(query, self.prepare_query(query))

    async def _aget_query_embedding(self, query: str) -> Embedding:
        return self._noted(query, await self.aprepare_query(query))

    def _noted(self, text: str, query: Query) -> Embedding:
        """Return the vector of a query; note the query for the search that asks for it."""
        made = _made.get(self)
        if made is not None:
            made[text] = query
        vector: Embedding = query.vector.tolist()
        return vector

    def _get_text_embedding(self, text: str) -> Embedding:
        return self._get_text_embeddings([text])[0]

    async def _aget_text_embedding(self, text: str) -> Embedding:
        return (await self._aget_text_embeddings([text]))[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[Embedding]:
        vectors: list[Any] = [None] * len(texts)
        for modality, rows, members in self._by_header(texts):
            embedded = self.aligner.embed_documents(members, modality=modality)
            for row, vector in zip(rows, embedded.tolist(), strict=True):
                vectors[row] = vector
        return vectors

    async def _aget_text_embeddings(self, texts: list[str]) -> list[Embedding]:
        vectors: list[Any] = [None] * len(texts)
        for modality, rows, members in self._by_header(texts):
            embedded = await self.aligner.aembed_documents(members, modality=modality)
            for row, vector in zip(rows, embedded.tolist(), strict=True):
                vectors[row] = vector
        return vectors

    def _by_header(self, texts: Sequence[str]) -> Iterator[tuple[str, list[int], list[str]]]:
        """Yield each modality with the rows of its texts, and the texts as they are embedded.

        The nodes of a call of this object name it; else the metadata before a text do.
        """
        declared, default = _declared_modality.get(self), self.resolved_document_modality
        if declared is not None:
            yield declared, list(range(len(texts))), list(texts)
            return
        field, modalities = self.modality_field, self.aligner.modalities
        split = [split_modality(text, field, modalities) for text in texts]
        for modality in dict.fromkeys(name or default for name, _ in split):
            rows = [row for row, (name, _) in enumerate(split) if (name or default) == modality]
            yield modality, rows, [split[row][1] for row in rows]


def _unit_mean(vectors: Sequence[Embedding]) -> Float32Array:
    """Return one vector as it is, and the mean of several at unit length."""
    rows: Float32Array = np.array(vectors, np.float32)
    if len(rows) > 1:
        rows = unit_rows(rows.mean(axis=0, keepdims=True))
    vector: Float32Array = rows[0]
    return vector
