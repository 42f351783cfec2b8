"""LangChain: embeddings and a retriever that put an aligner before a store that exists."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

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
from ...retrieval.query import AUTO, Query, modalities_of
from .._aligner_field import (
    AlignerField,
    document_modality_of,
    index_may_need_moving,
    query_modality_of,
    with_encoders,
)

try:
    from langchain_core.callbacks import (
        AsyncCallbackManagerForRetrieverRun,
        CallbackManagerForRetrieverRun,
    )
    from langchain_core.documents import Document
    from langchain_core.embeddings import Embeddings
    from langchain_core.retrievers import BaseRetriever, LangSmithRetrieverParams
    from langchain_core.runnables.config import run_in_executor
    from langchain_core.vectorstores import VectorStore
except ImportError as error:
    raise MissingExtraError("langchain-core", "langchain") from error

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, model_validator

from .searches import BM25Search, VectorSearch, described, scored_search

__all__ = ["AlignedEmbeddings", "AlignedRetriever", "BM25Search", "VectorSearch"]


_READ, _DOUBTED = 200, 0.1
"""Documents that are read before they are added, and the share of others that is warned of."""


@dataclass
class _Told:
    """Whose documents are being added, of which modality, and whether they were embedded so.

    An encoder may itself be built on an ``AlignedEmbeddings``, which must not listen.
    """

    owner: int
    modality: str
    heard: bool = False


_told: ContextVar[_Told | None] = ContextVar("told", default=None)


class AlignedEmbeddings(BaseModel, Embeddings):
    """Embeddings in the aligner's space: queries of one modality find documents of another.

    Args:
        aligner: an ``Aligner``, a ``MultiAligner``, or the folder of a saved one. Pass encoders
            that it does not record (a LangChain ``Embeddings``, a callable) by
            ``aligner.with_encoders(source_encoder=...)``.
        query_modality: what queries are of: ``"source"`` by default; ``"auto"``, the default of a
            bridge, leaves it to the router.
        document_modality: what documents are of: the target by default; ``"auto"`` leaves it to
            the router, text by text.
    """

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True, protected_namespaces=())

    aligner: AlignerField
    query_modality: str = ""
    document_modality: str = ""

    @model_validator(mode="after")
    def _modalities(self) -> AlignedEmbeddings:
        self.query_modality = query_modality_of(self.aligner, self.query_modality)
        self.document_modality = document_modality_of(self.aligner, self.document_modality)
        return self

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        source_encoder: Any = None,
        target_encoder: Any = None,
        **fields: Any,
    ) -> AlignedEmbeddings:
        """Load a saved aligner; pass the encoders that it does not record.

        A multi aligner has encoders by modality:
        ``AlignedEmbeddings(aligner=kakehashi.load(path).with_encoders(ja=...))``.
        """
        return cls(aligner=with_encoders(load(path), source_encoder, target_encoder), **fields)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Embed documents, all of a call in one batch."""
        modality, told = self.document_modality, _told.get()
        if told is not None and told.owner == id(self):
            modality, told.heard = told.modality, True
        if not texts:
            return []
        found: list[list[float]] = self.aligner.embed_documents(texts, modality=modality).tolist()
        return found

    def embed_query(self, text: str, *, modality: str | None = None) -> list[float]:
        """Embed one query, of this object's query modality unless another is named."""
        found: list[float] = self.ask(text, modality=modality).vector.tolist()
        return found

    def ask(self, text: str, *, modality: str | None = None) -> Query:
        """Embed one query, and say what it was read as."""
        return self.aligner.prepare_query(text, modality or self.query_modality)

    def add_documents(
        self, store: VectorStore, documents: list[Document], *, modality_field: str = "modality"
    ) -> list[str]:
        """Add documents to a store that embeds with this object, each as its own modality.

        A document's metadata names its modality under ``modality_field``; without it, it is of
        ``document_modality``, and is stored with that name in its metadata. Every name is checked
        before the first document is written.

        Returns:
            the ids, in the order of the documents.

        Raises:
            DataError: another modality; or a store that overwrites what it was given before.
        """
        sides = [d.metadata.get(modality_field) or self.document_modality for d in documents]
        allowed = self.aligner.modalities
        for row, side in enumerate(sides):
            if side not in (*allowed, self.document_modality):
                raise DataError(
                    f"Document {row} has {modality_field}={side!r}; allowed are "
                    f"{', '.join(allowed)}."
                )
        self._refuse_other_embeddings(store)
        self._doubt(documents, sides, modality_field)
        unnamed = [row for row, side in enumerate(sides) if side == AUTO]
        routed = modalities_of(self.aligner, [documents[row].page_content for row in unnamed])
        for row, side in zip(unnamed, routed, strict=True):
            sides[row] = side
        if len(set(sides)) > 1 and getattr(store, "mode", None) == "overwrite":  # LanceDB's default
            raise DataError(
                f"{type(store).__name__} was made with mode='overwrite', so that documents of one "
                "modality would overwrite those of the other; make it with mode='append'."
            )
        ids: dict[int, str] = {}
        for side in allowed:
            rows = [i for i, s in enumerate(sides) if s == side]
            if rows:
                own = [_named(documents[i], modality_field, side) for i in rows]
                with self._documents_as(side) as told:
                    added = store.add_documents(own)
                if not told.heard:
                    warnings.warn(
                        f"{type(store).__name__} stored {len(own)} document(s) of {side!r} without "
                        "having this object embed them in this thread. If it embeds in another "
                        "thread, they were taken for the document_modality of that object: remove "
                        "them, and add each modality through an object of its own.",
                        stacklevel=2,
                    )
                ids.update(zip(rows, added, strict=True))
        return [ids[i] for i in range(len(documents))]

    def _refuse_other_embeddings(self, store: VectorStore) -> None:
        """Raise DataError, before anything is written, where a store embeds with something else."""
        if type(store).embeddings is VectorStore.embeddings:  # it does not say
            return
        own = store.embeddings
        of = getattr(own, "underlying_embeddings", own)  # of a cache
        if not isinstance(of, AlignedEmbeddings):
            raise DataError(
                f"{type(store).__name__} was made with {type(own).__name__} to embed its "
                "documents, not with this object; open it with these embeddings (Chroma: "
                "embedding_function=embeddings)."
            )

    def _doubt(
        self, documents: Sequence[Document], sides: Sequence[str], modality_field: str
    ) -> None:
        """Warn where documents that name no modality are not read as what they are taken for."""
        rows = [i for i, d in enumerate(documents) if not d.metadata.get(modality_field)]
        rows = [i for i in rows[:_READ] if sides[i] != AUTO]
        if not rows or not self.aligner.routes:
            return
        read = self.aligner.route([documents[i].page_content for i in rows])
        others = sum(found not in (None, sides[i]) for i, found in zip(rows, read, strict=True))
        if others > _DOUBTED * len(rows):
            warnings.warn(
                f"{others} of {len(rows)} documents that name no modality do not read like "
                f"{sides[rows[0]]!r}, which they are taken for: name it in metadata["
                f"{modality_field!r}], or leave it to the router (document_modality='auto').",
                stacklevel=3,
            )

    @contextmanager
    def _documents_as(self, modality: str) -> Iterator[_Told]:
        told = _Told(id(self), modality)
        token = _told.set(told)
        try:
            yield told
        finally:
            _told.reset(token)


def _named(document: Document, field: str, side: str) -> Document:
    """Return a copy whose metadata name the modality."""
    return document.model_copy(update={"metadata": {**document.metadata, field: side}})


def _relevance(store: Any) -> Callable[[float], float]:
    """Return what turns a store's score into relevance, by the store's own account."""
    try:
        relevance: Callable[[float], float] = store._select_relevance_score_fn()
    except NotImplementedError:  # the base class's answer for a store that gives no account
        return float  # the in-memory store, say, scores by similarity: relevance as it is
    return relevance


class AlignedRetriever(BaseRetriever):
    """Search vector stores of any kind with a projected query.

    One store (``vectorstore``) is searched as it is. Several, or one that holds documents of both
    modalities, are ``searches``: what they find is fused into one list of k documents, each with a
    metadata field ``kakehashi`` that says its modality, the searches that found it with their raw
    scores, its similarity, its share of words and its score. Documents of one text are one
    document, of which the first found stays: stores know no other name that they share.

    Args:
        vectorstore: the store as it is; its own embedding function is not used.
        embeddings: what embeds the query.
        k: number of documents.
        search_type: ``"similarity"``, or ``"mmr"`` where the store has it.
        score_threshold: least relevance score, for stores that give scores by vector.
        search_kwargs: passed on to the store, or to every arm: ``filter``, ``fetch_k``, ... (not
            ``k``). Arms read a ``filter`` in the way of Chroma, whichever stores they search.
        searches: what is searched in place of one store: :class:`VectorSearch`,
            :class:`BM25Search`.
        fusion: ``"calibrated"``, by scores that the aligner learned to compare; or ``"rank"``.
        weights: of the searches by name, for fusion by rank; those not named count 1. Without any,
            words have the share beside vectors that the aligner learned.
        on_error: what becomes of an arm that fails: ``"raise"``, or ``"degrade"``: the others
            answer, with a ``DegradedWarning`` and a mark in the metadata.
    """

    vectorstore: VectorStore | None = None
    embeddings: AlignedEmbeddings
    k: int = Field(default=4, ge=1)
    search_type: Literal["similarity", "mmr"] = "similarity"
    score_threshold: float | None = None
    search_kwargs: dict[str, Any] = Field(default_factory=dict)
    searches: list[VectorSearch | BM25Search] = Field(default_factory=list)
    fusion: Method = "calibrated"
    weights: dict[str, float] = Field(default_factory=dict)
    on_error: OnError = "raise"
    _bound: tuple[list[Any], list[Any]] = PrivateAttr(default=([], []))

    @model_validator(mode="after")
    def _check(self) -> AlignedRetriever:
        if self.search_type == "mmr" and self.score_threshold is not None:
            raise ValueError("score_threshold has no meaning with search_type='mmr'; drop one.")
        if "k" in self.search_kwargs:
            raise ValueError("search_kwargs holds k; give k= to the retriever itself.")
        if (self.vectorstore is None) == (not self.searches):
            raise ValueError("give either vectorstore=, one store as it is, or searches=.")
        if self.searches:
            if self.search_type == "mmr" or self.score_threshold is not None:
                raise ValueError("search_type='mmr' and score_threshold are of one vectorstore=.")
            check_searches(self.searches, self._plan().fusion)
            self._prepared_searches()
        return self

    def _prepared_searches(self) -> list[Any]:
        """Return the searches, prepared anew where a copy was given others."""
        space, unnamed = self.embeddings.aligner, self.embeddings.document_modality
        made_of: list[Any] = [*self.searches, space, unnamed, self.fusion]
        before, bound = self._bound
        if len(before) != len(made_of) or any(
            a is not b for a, b in zip(before, made_of, strict=True)
        ):
            needs_similarity = self._plan().fusion.needs_similarity
            bound = [
                arm.prepared(space, without_modality=unnamed, needs_similarity=needs_similarity)
                for arm in self.searches
            ]
            self._bound = (made_of, bound)
        return bound

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,
        k: int | None = None,
        modality: str | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        if not self.searches:
            return self._search(query, k, modality, kwargs)
        asked = self.embeddings.ask(query, modality=modality)
        options = {**self.search_kwargs, **kwargs}
        found = self._plan().run(self._prepared_searches(), asked, query, self._k(k), options)
        return self._answer(found)

    async def _aget_relevant_documents(
        self,
        query: str,
        *,
        run_manager: AsyncCallbackManagerForRetrieverRun,
        k: int | None = None,
        modality: str | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        if not self.searches:
            return await run_in_executor(None, self._search, query, k, modality, kwargs)
        asked = await run_in_executor(None, partial(self.embeddings.ask, query, modality=modality))
        options = {**self.search_kwargs, **kwargs}
        found = await self._plan().arun(
            self._prepared_searches(), asked, query, self._k(k), options
        )
        return self._answer(found)

    def _plan(self) -> HybridSearch:
        calibration = self.embeddings.aligner.calibration
        return HybridSearch(fusion_of(self.fusion, calibration, self.weights), self.on_error)

    def _answer(self, found: HybridResult) -> list[Document]:
        warn_of_failed(found.failed, stacklevel=3)
        return list(described(found.documents, self.fusion, found.failed))

    def _k(self, k: int | None) -> int:
        return check_k(self.k if k is None else k)

    def _search(
        self, query: str, k: int | None, modality: str | None, kwargs: dict[str, Any]
    ) -> list[Document]:
        k = self._k(k)
        vector = self.embeddings.embed_query(query, modality=modality)
        options = {**self.search_kwargs, **kwargs}
        store: Any = self.vectorstore
        with index_may_need_moving(self.embeddings.aligner, self.embeddings.document_modality):
            if self.search_type == "mmr":
                found = store.max_marginal_relevance_search_by_vector(vector, k=k, **options)
            elif self.score_threshold is not None:
                found = self._above_threshold(store, vector, k, options)
            else:
                found = store.similarity_search_by_vector(vector, k=k, **options)
        documents: list[Document] = found
        return documents

    def _above_threshold(
        self, store: Any, vector: list[float], k: int, options: dict[str, Any]
    ) -> list[Document]:
        search = scored_search(store)
        if search is None:
            raise DataError(
                f"{type(store).__name__} gives no scores by vector; leave score_threshold out."
            )
        assert self.score_threshold is not None
        relevance = _relevance(store)
        scored = search(vector, k=k, **options)
        # An older in-memory store gives the stored vector, too.
        return [row[0] for row in scored if relevance(row[1]) >= self.score_threshold]

    def _get_ls_params(self, **kwargs: Any) -> LangSmithRetrieverParams:
        params = super()._get_ls_params(**kwargs)
        stores = [self.vectorstore, *(getattr(arm, "vectorstore", None) for arm in self.searches)]
        names = dict.fromkeys(type(store).__name__ for store in stores if store is not None)
        if names:
            params["ls_vector_store_provider"] = "+".join(names)
        params["ls_embedding_provider"] = type(self.embeddings).__name__
        params["ls_embedding_model"] = f"kakehashi-{self.embeddings.aligner.fingerprint[:12]}"
        return params
