"""LangChain: a part of an index, which lies in a vector store and has an aligner of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from langchain_core.documents import Document
from pydantic import PrivateAttr

from ...retrieval.document_key import MergeParts
from ...retrieval.document_modality import DocumentModality
from ...retrieval.index_check import check_index
from ...retrieval.move_note import NOTE_KEY
from ...retrieval.parts.every_query import EveryQuery
from ...retrieval.stored_index import StoredDocument, StoredIndex
from .._modalities import Space
from ..stores.filtered import FilteredIndex
from .bm25_search import key_of_document
from .embeddings import EmbeddingsField
from .filters import joined
from .index import index_of
from .searches import VectorSearch, rescorer_of, rows_of
from .stored_documents import documents_by_ids, id_of
from .stored_vectors import stored_vectors


class Part(VectorSearch):
    """A part of an index: a vector store, or what a filter finds in one, and its aligner.

    Args:
        embeddings: embeds the query. An aligner, or the folder of a saved one, serves too. Of
            vectors that a migration has moved: ``aligner.as_shared()``.
        name: by default that of the collection, else its number.

    The other fields are those of :class:`VectorSearch`. A ``filter`` in ``search_kwargs`` tells
    parts of one store apart.
    """

    embeddings: EmbeddingsField
    name: str = ""
    _was_checked: Any = PrivateAttr(None)

    @property
    def space(self) -> Space:
        """Its aligner or multi aligner."""
        return self.embeddings.aligner

    @property
    def query_modality(self) -> str:
        """The modality of queries of which the caller names none."""
        return self.embeddings.resolved_query_modality

    @property
    def rescored(self) -> bool:
        """Whether a second map orders its first hits again."""
        rescorer = rescorer_of(self.vectorstore, self.space, self.rescore, self.name)
        return rescorer.active

    def search(self, *, moved: bool, needs_similarity: bool, merge: MergeParts) -> Part:
        """Return the search of it.

        Args:
            moved: another part holds vectors of the second map, so every query is rescored.
            needs_similarity: whether hits need a similarity.
            merge: which hits are one document.
        """
        search = self.prepared(self.embeddings, needs_similarity=needs_similarity, merge=merge)
        assert isinstance(search, Part)
        assert search._prepared is not None
        space, stored = search._prepared
        if moved:
            again = EveryQuery(space)
            rescorer = rescorer_of(self.vectorstore, again, self.rescore, self.name)
            search._prepared = space, replace(stored, rescorer=rescorer)
        return search

    def holds(self, payloads: Sequence[Document]) -> Sequence[bool]:
        """Say of each document whether the store holds it, with this text and metadata."""
        ids = [id_of(document) for document in payloads]
        found = documents_by_ids(self.vectorstore, [i for i in ids if i is not None], {})
        held = {id_of(each): key_of_document(each, "identity") for each in found}
        return [
            name is not None and held.get(name) == key_of_document(document, "identity")
            for name, document in zip(ids, payloads, strict=True)
        ]

    def collection(self) -> str | None:
        """Return its name in the store; None where the store tells none."""
        return self._index().collection

    def identity(self) -> str | None:
        """Return the id that its store gave the collection; None where the store gives none."""
        return self._index().identity()

    def note(self) -> str | None:
        """Return the note that its store keeps, as it is now."""
        return self._index().kept(NOTE_KEY)

    def _index(self) -> StoredIndex:
        return index_of(self.vectorstore, self.space.output_dimension)

    def _check(self, space: Space, modality: DocumentModality) -> None:
        if "filter" not in self.search_kwargs:
            super()._check(space, modality)
            return
        key = space.fingerprint, modality.key
        if self._was_checked != key:
            part = FilteredIndex(self._index(), self._sample, space.output_dimension)
            if check_index(space, part, modality):
                self._was_checked = key

    def _sample(self, vector: list[float], n: int) -> Sequence[StoredDocument]:
        options = joined(self.vectorstore, self.search_kwargs)
        rows = rows_of(self.vectorstore, vector, n, options, with_vectors=True)
        vectors = [row[2] for row in rows]
        if any(vector is None for vector in vectors):
            vectors = list(stored_vectors(self.vectorstore, [row[0] for row in rows]))
        return [
            StoredDocument(
                document.page_content,
                document.metadata,
                None if stored is None else np.asarray(stored, np.float32),
            )
            for (document, _, _), stored in zip(rows, vectors, strict=True)
        ]
