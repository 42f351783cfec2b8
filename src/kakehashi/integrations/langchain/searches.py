"""The arms of a mixed search in LangChain: of a vector store, and of words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from langchain_core.documents import Document
from langchain_core.vectorstores import VectorStore
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from ...errors import DataError
from ...retrieval.document_modality import DocumentModality, check_declared_modality, search_store
from ...retrieval.filters import lexical_filter
from ...retrieval.hits import Hit, SearchResult
from ...retrieval.lexical_search import LexicalSearch, key_of
from ...retrieval.query import Query
from ...retrieval.score_scales import ScoreScale
from .._aligner_field import Space, index_may_need_moving
from .filters import joined, kind_of

_SCORED = (
    "similarity_search_by_vector_with_relevance_scores",  # Chroma: scores are distances
    "similarity_search_with_score_by_vector",  # FAISS, Qdrant, Milvus, the in-memory store
    "_similarity_search_with_score_by_vector",  # an older in-memory store
)
Search = Callable[..., list[Any]]


def scored_search(store: Any) -> Search | None:
    """Return the store's search by vector that tells scores, if it has one."""
    if kind_of(store) == "LanceDB":
        # Its search with relevance scores drops the filter.
        return partial(store.similarity_search_by_vector, score=True)
    return next((getattr(store, name) for name in _SCORED if hasattr(store, name)), None)


def _filtered_deep_enough(store: Any, search: Search) -> Search:
    """FAISS filters what it has found: look deeper until enough is left, or all was seen."""

    def searched(vector: list[float], k: int, **options: Any) -> list[Any]:
        deep = 4 * k
        while True:
            found = search(vector, k=k, fetch_k=deep, **options)
            if len(found) >= k or deep >= store.index.ntotal:
                return found
            deep *= 4

    return searched


class VectorSearch(BaseModel):
    """Search a vector store that was filled through the aligner.

    Args:
        vectorstore: the store as it is; its own embedding function is not used.
        name: what metadata and warnings call it; unique among the arms.
        modality: of all its documents; without it each names its own in its metadata, or is of
            the ``document_modality`` of the embeddings.
        modality_field: the metadata field in which it does.
        split: what restricts a search to one modality, as keyword arguments of the store's search
            (``lambda side: {"filter": {"modality": side}}``). Where one modality may be buried by
            another, a store is searched again, once for each (a document that names none is then
            not found). ``"auto"`` knows Chroma, FAISS, Qdrant, LanceDB, Milvus and the in-memory
            store, and finds what names no modality, too; another store is searched deeper.
        scores: what the store's scores are, one of ``SCALES`` in
            ``kakehashi.retrieval.score_scales``; found out from a
            few documents by default.
        search_kwargs: passed on to the store. A ``filter`` that is a dictionary in the way of
            Chroma is said to those stores in their own words; any other is passed on as it is.
    """

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    vectorstore: VectorStore
    name: str = "vectors"
    modality: str | None = None
    modality_field: str = "modality"
    split: Callable[[str], dict[str, Any]] | str | None = "auto"
    scores: str | None = None
    search_kwargs: dict[str, Any] = {}
    _bound: tuple[Space, DocumentModality, ScoreScale | None] | None = PrivateAttr(default=None)

    def prepared(
        self, space: Space, *, without_modality: str, needs_similarity: bool
    ) -> VectorSearch:
        """Return this arm for an aligner, whose vectors tell what the store's scores are.

        Args:
            without_modality: what documents are of that name no modality.
            needs_similarity: whether scores are needed.
        """
        check_declared_modality(self.name, self.modality, space)
        if self.split not in ("auto", None) and not callable(self.split):
            raise DataError(f"split={self.split!r}; give a function, 'auto' or None.")
        scale = ScoreScale(space, self.scores)
        document_modality = DocumentModality(
            space, self.modality, self.modality_field, without_modality
        )
        arm = self.model_copy()
        arm._bound = (space, document_modality, scale if needs_similarity else None)
        return arm

    def find(
        self, query: Query, text: str, n: int, options: Mapping[str, Any], *, per_modality: bool
    ) -> SearchResult:
        """Return about n hits of each modality, the best first."""
        assert self._bound is not None
        space, document_modality, scale = self._bound
        vector = query.vector.tolist()
        parts = (
            self._parts(document_modality, needs_similarity=scale is not None)
            if per_modality
            else {}
        )

        def searched(part: str | None, depth: int) -> list[Hit]:
            restriction = {} if part is None else parts[part]
            asked = joined(self.vectorstore, self.search_kwargs, options, restriction)
            hits = [
                Hit(
                    key_of(str(document.page_content)),
                    document,
                    document_modality.of(document.metadata, partial(str, document.page_content)),
                    self.name,
                    raw,
                )
                for document, raw in self._searched(vector, depth, asked)
            ]
            if scale is None:
                return hits
            return scale.with_similarities(query, hits, lambda d: str(d.page_content), self.name)

        with index_may_need_moving(space, document_modality.possible[-1]):
            return search_store(
                searched, n, parts=list(parts), modalities=document_modality.possible
            )

    def _parts(
        self, document_modality: DocumentModality, *, needs_similarity: bool
    ) -> dict[str, dict[str, Any]]:
        """Return what restricts the store to each part of its documents; nothing if nothing can."""
        if self.modality is not None or self.split is None:
            return {}
        if callable(self.split):
            return {name: self.split(name) for name in document_modality.modalities}
        if kind_of(self.vectorstore) is None:
            return {}
        parts = document_modality.parts(needs_similarity)
        named = [name for name in parts.values() if name is not None]
        return {
            part: {"filter": {self.modality_field: {"$nin": named} if name is None else name}}
            for part, name in parts.items()
        }

    def _searched(
        self, vector: list[float], n: int, options: dict[str, Any]
    ) -> list[tuple[Document, float | None]]:
        store: Any = self.vectorstore
        search = scored_search(store)
        if search is None:
            return [(d, None) for d in store.similarity_search_by_vector(vector, k=n, **options)]
        if kind_of(store) == "FAISS" and "filter" in options and "fetch_k" not in options:
            search = _filtered_deep_enough(store, search)
        # An older in-memory store gives the stored vector, too.
        found = search(vector, k=n, **options)
        return [(row[0], None if row[1] is None else float(row[1])) for row in found]


class BM25Search(BaseModel):
    """Search documents by their words (BM25): part numbers and error codes cross no embedding.

    Args:
        documents: what is searched; the same that the stores hold.
        name, modality, modality_field: as of a :class:`VectorSearch`.

    A ``filter`` of the call restricts it, too: a dictionary in the way of Chroma, which every arm
    reads, or a function of a document. Another restriction is refused, for a search by words
    cannot read a store's own.
    """

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    documents: list[Document] = Field(repr=False)
    name: str = "words"
    modality: str | None = None
    modality_field: str = "modality"
    _bound: tuple[LexicalSearch, list[Document]] | None = PrivateAttr(default=None)

    def prepared(
        self, space: Space, *, without_modality: str, needs_similarity: bool
    ) -> BM25Search:
        """Return this arm with an index of its documents, as they are now."""
        check_declared_modality(self.name, self.modality, space)
        document_modality = DocumentModality(
            space, self.modality, self.modality_field, without_modality
        )
        documents = list(self.documents)
        texts = [str(document.page_content) for document in documents]
        words = LexicalSearch(
            self.name,
            documents,
            texts=texts,
            keys=[key_of(text) for text in texts],
            modalities=[
                document_modality.of(document.metadata, partial(str, text))
                for document, text in zip(documents, texts, strict=True)
            ],
        )
        arm = self.model_copy()
        arm._bound = (words, documents)
        return arm

    def find(
        self, query: Query, text: str, n: int, options: Mapping[str, Any], *, per_modality: bool
    ) -> SearchResult:
        """Return at most n documents of each modality that share a word, the best first."""
        assert self._bound is not None
        words, documents = self._bound
        lets_through = lexical_filter(options)
        allowed = None if lets_through is None else [lets_through(each) for each in documents]
        return words.find(text, n, allowed)


def described(documents: Sequence[Any], how: str, failed: Mapping[str, str]) -> Iterator[Document]:
    """Yield copies of the documents whose metadata say how they were found."""
    for fused in documents:
        said = fused.described(how, failed)
        document: Document = fused.payload
        yield document.model_copy(update={"metadata": {**document.metadata, "kakehashi": said}})
