"""The arms of a mixed search in LangChain: of a vector store, and of words."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from langchain_core.documents import Document
from langchain_core.vectorstores import VectorStore
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from ..asking import Query
from ..errors import DataError
from ..fusion import Hit
from ._arms import Scale, Words, as_shares, check_declared, modality_of
from ._field import Space, index_may_need_moving
from .langchain_filters import joined, kind_of, permits, words_filter

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


class VectorArm(BaseModel):
    """Search a vector store that was filled through the aligner.

    Args:
        vectorstore: the store as it is; its own embedding function is not used.
        name: what metadata and warnings call it; unique among the arms.
        modality: of all its documents; without it each names its own in its metadata.
        modality_field: the metadata field in which it does.
        split: what restricts a search to one modality, as keyword arguments of the store's search
            (``lambda side: {"filter": {"modality": side}}``). A store of both modalities is then
            searched once for each, so that neither can bury the other (a document that names none
            is then not found). ``"auto"`` knows Chroma,
            FAISS, Qdrant, LanceDB, Milvus and the in-memory store; another is searched once,
            deeper.
        scores: what the store's scores are, one of ``kakehashi.fusion.SCALES``; found out from a
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
    _bound: tuple[Space, Scale, bool] | None = PrivateAttr(default=None)

    def bound(self, space: Space, *, scored: bool) -> VectorArm:
        """Return this arm for an aligner, whose vectors tell what the store's scores are."""
        check_declared(self.name, self.modality, space)
        if self.split not in ("auto", None) and not callable(self.split):
            raise DataError(f"split={self.split!r}; give a function, 'auto' or None.")
        arm = self.model_copy()
        arm._bound = (space, Scale(space, self.scores), scored)
        return arm

    def search(self, query: Query, text: str, n: int, options: Mapping[str, Any]) -> list[Hit]:
        """Return at most n hits of each modality, the best first."""
        assert self._bound is not None
        space, scale, scored = self._bound
        names = space.modalities
        split = self._split() if self.modality is None else None
        parts: list[dict[str, Any]] = [{}] if split is None else [split(name) for name in names]
        depth = n * 5 if split is None and self.modality is None else n
        found: list[tuple[Document, float | None]] = []
        with index_may_need_moving(space, self.modality or names[-1]):
            for part in parts:
                asked = joined(self.vectorstore, self.search_kwargs, options, part)
                found += self._searched(query.vector.tolist(), depth, asked)
            if split is not None and not found:  # perhaps no document names its modality
                asked = joined(self.vectorstore, self.search_kwargs, options)
                found = self._searched(query.vector.tolist(), depth, asked)
        hits = [
            Hit(
                key_of(document),
                document,
                modality_of(document.metadata, self.modality_field, self.modality, names),
                self.name,
                raw,
            )
            for document, raw in found
        ]
        if scored:
            hits = scale.similarities(query, hits, lambda d: str(d.page_content), self.name)
            hits.sort(key=lambda hit: -(hit.similarity or 0.0))
        return hits

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
        return [(row[0], float(row[1])) for row in search(vector, k=n, **options)]

    def _split(self) -> Callable[[str], dict[str, Any]] | None:
        if self.split != "auto":
            return self.split if callable(self.split) else None
        if kind_of(self.vectorstore) is None:
            return None
        return lambda side: {"filter": {self.modality_field: side}}


class LexicalArm(BaseModel):
    """Search documents by their words (BM25): part numbers and error codes cross no embedding.

    Args:
        documents: what is searched; the same that the stores hold.
        name, modality, modality_field: as of a :class:`VectorArm`.

    A ``filter`` of the call restricts it, too: a dictionary in the way of Chroma, which every arm
    reads, or a function of a document. Another restriction is refused, for a search by words
    cannot read a store's own.
    """

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    documents: list[Document] = Field(repr=False)
    name: str = "words"
    modality: str | None = None
    modality_field: str = "modality"
    _bound: tuple[Words, list[str | None]] | None = PrivateAttr(default=None)

    def bound(self, space: Space, *, scored: bool) -> LexicalArm:
        """Return this arm with its index."""
        check_declared(self.name, self.modality, space)
        sides = [
            modality_of(each.metadata, self.modality_field, self.modality, space.modalities)
            for each in self.documents
        ]
        if self._bound is None or self._bound[1] != sides:
            words = Words([document.page_content for document in self.documents], sides)
            self._bound = (words, sides)
        return self

    def search(self, query: Query, text: str, n: int, options: Mapping[str, Any]) -> list[Hit]:
        """Return at most n documents of each modality that share a word, the best first."""
        assert self._bound is not None
        words, sides = self._bound
        allowed = None
        if (given := words_filter(options)) is not None:
            allowed = [permits(given, document) for document in self.documents]
        hits = []
        for row, score in words.best(text, n, allowed):
            document = self.documents[row]
            hits.append(Hit(key_of(document), document, sides[row], self.name, score))
        return as_shares(hits)


def key_of(document: Document) -> str:
    """Return what is equal for one document in several stores: a hash of its text.

    Ids are of no use: a store gives its own to a document that the next store, or a list of
    documents, knows without.
    """
    return hashlib.sha256(document.page_content.encode("utf-8", "replace")).hexdigest()


def described(documents: Sequence[Any], how: str, failed: Mapping[str, str]) -> Iterator[Document]:
    """Yield copies of the documents whose metadata say how they were found."""
    for fused in documents:
        said = fused.described(how) | ({"failed": dict(failed)} if failed else {})
        document: Document = fused.payload
        yield document.model_copy(update={"metadata": {**document.metadata, "kakehashi": said}})
