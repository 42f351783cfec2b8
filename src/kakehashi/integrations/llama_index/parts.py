"""LlamaIndex: a part of an index, which lies in a store and has an aligner of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from llama_index.core.schema import BaseNode, QueryBundle

from ...retrieval.document_key import MergeParts
from ...retrieval.document_modality import DocumentModality
from ...retrieval.index_check import check_index
from ...retrieval.move_note import NOTE_KEY
from ...retrieval.parts.every_query import EveryQuery
from ...retrieval.stored_index import StoredDocument, StoredIndex
from .._modalities import Space
from ..stores.filtered import FilteredIndex
from .bm25_search import key_of_node
from .embedding import AlignedEmbedding
from .index import index_of
from .searches import VectorSearch, can_be_rescored, rescorer_of, retriever_of
from .stored_nodes import nodes_by_ids
from .stored_vectors import stored_vectors


@dataclass(frozen=True)
class Part(VectorSearch):
    """A part of an index: a vector index, or what a filter finds in one, and its aligner.

    Args:
        index: as it is; its own embed model is not used.
        embedding: embeds the query. An aligner, or the folder of a saved one, serves too. Of
            vectors that a migration has moved: ``aligner.as_shared()``.
        name: by default that of the collection, else its number.

    The other fields are those of :class:`VectorSearch`. ``filters`` in ``options`` tell parts of
    one store apart.
    """

    name: str = ""
    embedding: Any = field(kw_only=True)
    _checked_for: set[Any] = field(default_factory=set, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Make the embedding of an aligner, and check the rest."""
        object.__setattr__(self, "embedding", AlignedEmbedding.of(self.embedding))
        super().__post_init__()

    @property
    def space(self) -> Space:
        """Its aligner or multi aligner."""
        aligner: Space = self.embedding.aligner
        return aligner

    @property
    def query_modality(self) -> str:
        """The modality of queries of which the caller names none."""
        modality: str = self.embedding.resolved_query_modality
        return modality

    @property
    def rescored(self) -> bool:
        """Whether a second map orders its first hits again."""
        rescorer = rescorer_of(self.index, self.embedding, self.rescore, self.name)
        return rescorer.active and can_be_rescored(self.options)

    def search(self, *, moved: bool, needs_similarity: bool, merge: MergeParts) -> Part:
        """Return the search of it.

        Args:
            moved: another part holds vectors of the second map, so every query is rescored.
            needs_similarity: whether hits need a similarity.
            merge: which hits are one document.
        """
        search = self.prepared(self.embedding, needs_similarity=needs_similarity, merge=merge)
        assert isinstance(search, Part)
        if not moved or search._prepared is None:
            return search
        embedding, stored = search._prepared
        again = EveryQuery(self.space)
        rescorer = rescorer_of(self.index, embedding, self.rescore, self.name, again)
        return replace(search, _prepared=(embedding, replace(stored, rescorer=rescorer)))

    def holds(self, payloads: Sequence[BaseNode]) -> Sequence[bool]:
        """Say of each node whether the index holds it, with this text and metadata."""
        found = nodes_by_ids(self.index, [node.node_id for node in payloads], {})
        held = {node.node_id: key_of_node(node, "identity") for node in found}
        return [held.get(node.node_id) == key_of_node(node, "identity") for node in payloads]

    def collection(self) -> str | None:
        """Return its name in the store; None where the store tells none."""
        return self._stored().collection

    def identity(self) -> str | None:
        """Return the id that its store gave the collection; None where the store gives none."""
        return self._stored().identity()

    def note(self) -> str | None:
        """Return the note that its store keeps, as it is now."""
        return self._stored().kept(NOTE_KEY)

    def _stored(self) -> StoredIndex:
        return index_of(self.index, self.embedding.text_of, self.space.output_dimension)

    def _check(self, embedding: AlignedEmbedding, modality: DocumentModality) -> None:
        if self.options.get("filters") is None:
            super()._check(embedding, modality)
            return
        key = self.space.fingerprint, modality.key
        if key not in self._checked_for:
            part = FilteredIndex(self._stored(), self._sample, self.space.output_dimension)
            if check_index(self.space, part, modality):
                self._checked_for.add(key)

    def _sample(self, vector: list[float], n: int) -> Sequence[StoredDocument]:
        chosen = {**self.options, "similarity_top_k": n}
        retriever = retriever_of(self.index, self.embedding, chosen, with_vectors=True)
        nodes = [row.node for row in retriever._retrieve(QueryBundle("", embedding=vector))]
        return [
            StoredDocument(
                self.embedding.text_of(node),
                node.metadata,
                None if stored is None else np.asarray(stored, np.float32),
            )
            for node, stored in zip(nodes, stored_vectors(self.index, nodes), strict=True)
        ]
