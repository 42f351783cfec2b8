"""The searches of a hybrid search in LangChain: over a vector store, and over words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import Annotated, Any, ClassVar

from langchain_core.documents import Document
from langchain_core.runnables.config import run_in_executor
from langchain_core.vectorstores import VectorStore
from pydantic import BaseModel, BeforeValidator, ConfigDict, PrivateAttr, field_validator

from ...errors import DataError
from ...retrieval.document_key import MergeParts
from ...retrieval.document_modality import DocumentModality
from ...retrieval.hits import Hit, SearchResult
from ...retrieval.rescore import Rescore, Rescorer, check_rescore
from ...retrieval.score_scales import ScoreScale
from ...retrieval.search import SearchRequest
from ...retrieval.second_model.model import SecondModel
from ...retrieval.second_model.stage import check_fusion
from ...retrieval.second_similarity import RescoringSpace, SecondSimilarity
from ...retrieval.store_search import StoreSearch
from .._aligner_field import index_may_need_moving
from .._modalities import Space
from .bm25_search import BM25Search, key_of_document
from .embeddings import AlignedEmbeddings
from .filters import joined, kind_of
from .index import check, scale_of
from .store_options import check_options
from .stored_documents import id_of, second_stage
from .stored_vectors import search_with_vectors, stored_vectors
from .vectorstore import AlignedVectorStore

_SCORED = (
    "similarity_search_by_vector_with_relevance_scores",  # Chroma: scores are distances
    "similarity_search_with_score_by_vector",  # FAISS, Qdrant, Milvus, the in-memory store
)
_BY_OURS = ("LanceDB", "PGVectorStore")
"""LanceDB's search with relevance scores drops the filter. That of PGVectorStore mixes in a search
by words, where an earlier question left its words in the configuration."""
RescoreField = Annotated[Rescore, BeforeValidator(check_rescore)]
SearchByVector = Callable[..., list[Any]]
Row = tuple[Document, float | None, Any]
"""A document, the store's score, and the stored vector, as far as the search gives them."""


def without_k(search_kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a store; refuse ``k``, which the retriever passes to it.

    Raises:
        DataError: the options hold k.
    """
    if "k" in search_kwargs:
        raise DataError("search_kwargs holds k; give k= to the retriever itself.")
    return search_kwargs


def scored_search(store: Any) -> SearchByVector | None:
    """Return the store's search by vector that returns scores, if it has one.

    A row is (document, score), and the stored vector where that comes with it.
    """
    if kind_of(store) in _BY_OURS and (ours := search_with_vectors(store)) is not None:
        return ours
    return next((getattr(store, name) for name in _SCORED if hasattr(store, name)), None)


def _deep_enough_for_filter(store: Any, search: SearchByVector) -> SearchByVector:
    """FAISS filters after it has searched: search deeper until k are left, or all were seen."""

    def search_deeper(vector: list[float], k: int, **options: Any) -> list[Any]:
        depth = 4 * k
        while True:
            rows = search(vector, k=k, fetch_k=depth, **options)
            if len(rows) >= k or depth >= store.index.ntotal:
                return rows
            depth *= 4

    return search_deeper


def rows_of(
    store: Any, vector: list[float], n: int, options: dict[str, Any], *, with_vectors: bool = False
) -> list[Row]:
    """Return n documents of a store, each with its score and its vector as far as it gives them.

    Args:
        with_vectors: ask for the vectors in the same call, where the store can.
    """
    search = (search_with_vectors(store) if with_vectors else None) or scored_search(store)
    if search is None:
        found = store.similarity_search_by_vector(vector, k=n, **options)
        return [(document, None, None) for document in found]
    if kind_of(store) == "FAISS" and "filter" in options and "fetch_k" not in options:
        search = _deep_enough_for_filter(store, search)
    rows = search(vector, k=n, **options)
    return [
        (row[0], None if row[1] is None else float(row[1]), row[2] if len(row) > 2 else None)
        for row in rows
    ]


async def arows_of(
    store: VectorStore,
    vector: list[float],
    n: int,
    options: dict[str, Any],
    *,
    with_vectors: bool = False,
) -> list[Row]:
    """Do the same without blocking the event loop: an unknown store may be async only."""
    if kind_of(store) is not None or scored_search(store) is not None:
        rows = partial(rows_of, store, vector, n, options, with_vectors=with_vectors)
        return await run_in_executor(None, rows)
    found = await store.asimilarity_search_by_vector(vector, k=n, **options)
    return [(document, None, None) for document in found]


def asynchronous(store: Any, search: str) -> Callable[..., Awaitable[list[Document]]]:
    """Return a search of a store that can be awaited.

    A PGVector has one engine. With a synchronous one its own asynchronous searches fail.
    """
    if kind_of(store) == "PGVector":
        return partial(run_in_executor, None, getattr(store, search))
    found: Callable[..., Awaitable[list[Document]]] = getattr(store, f"a{search}")
    return found


def text_of(document: Document) -> str:
    """Return the text that is embedded of a document."""
    return str(document.page_content)


def rescorer_of(store: VectorStore, space: RescoringSpace, rescore: Any, search: str) -> Rescorer:
    """Return what orders the hits of a search of a store again."""
    similarity = SecondSimilarity(
        space,
        partial(stored_vectors, store),
        text_of,
        search=search,
        store=type(store).__name__,
    )
    return Rescorer(similarity, rescore)


class VectorSearch(BaseModel):
    """Search a vector store that was filled through the aligner.

    Args:
        vectorstore: the store as it is; its own embedding function is not used.
        name: its name in metadata and warnings; unique among the searches.
        modality: the modality of all its documents. Without it, the metadata of each document name
            one; a document without a modality is of the ``document_modality`` of the embeddings.
        modality_field: the metadata field that names it; by default that of the embeddings.
        split: how to restrict a search to one modality: a function that returns keyword arguments
            of the store's search (``lambda modality: {"filter": {"modality": modality}}``). Where
            one modality may be buried by another, the store is searched once for each. Such a
            search returns no document without a modality. ``"auto"`` knows Chroma, FAISS, Qdrant,
            LanceDB, Milvus, PostgreSQL and the in-memory store, and returns those documents too.
            With None, and for any other store, the store is searched deeper.
        scores: the scale of the store's scores, one of ``SCALES`` in
            ``kakehashi.retrieval.score_scales``. By default a few documents show it.
        rescore: order the first hits again by their stored vectors, where the aligner can: True
            for as many as the fit chose, or a number. The list then ends with them, or with k.
        rescore_with: a :class:`kakehashi.SecondModel`, which orders the first of them once more.
            The list then ends with its hits. Needs ``fusion="rank"``.
        search_kwargs: passed on to the store (not ``k``). A ``filter`` that is a dictionary in the
            way of Chroma is translated for those stores; any other is passed on as it is.
    """

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    by_vector: ClassVar[bool] = True

    vectorstore: VectorStore
    name: str = "vectors"
    modality: str | None = None
    modality_field: str | None = None
    split: Callable[[str], dict[str, Any]] | str | None = "auto"
    scores: str | None = None
    rescore: RescoreField = True
    rescore_with: SecondModel | None = None
    search_kwargs: dict[str, Any] = {}
    _prepared: tuple[Space, StoreSearch] | None = PrivateAttr(None)

    @field_validator("vectorstore")
    @classmethod
    def _unwrapped(cls, vectorstore: VectorStore) -> VectorStore:
        return (
            vectorstore.vectorstore if isinstance(vectorstore, AlignedVectorStore) else vectorstore
        )

    @field_validator("search_kwargs")
    @classmethod
    def _without_k(cls, search_kwargs: dict[str, Any]) -> dict[str, Any]:
        return without_k(search_kwargs)

    @property
    def not_rescored(self) -> bool:
        """Whether ``rescore=False`` turns off what the aligner can do."""
        return self._prepared is not None and self._prepared[1].rescorer.turned_off

    def prepared(
        self,
        embeddings: AlignedEmbeddings,
        *,
        needs_similarity: bool,
        merge: MergeParts,
    ) -> VectorSearch:
        """Return this search for embeddings, whose vectors show the scale of the store's scores.

        Args:
            needs_similarity: whether hits need a similarity.
            merge: which hits are one document.
        """
        if self.split not in ("auto", None) and not callable(self.split):
            raise DataError(f"split={self.split!r}; give a function, 'auto' or None.")
        space, field = embeddings.aligner, self.modality_field or embeddings.modality_field
        scale = ScoreScale(space, self.scores, partial(scale_of, self.vectorstore, space))
        modality = embeddings.modality_of_documents(self.name, self.modality, field)
        self.check_options({})
        search = self.model_copy(update={"modality_field": field})
        rescorer = rescorer_of(self.vectorstore, space, self.rescore, self.name)
        check_fusion(self.rescore_with, calibrated=needs_similarity)
        second = second_stage(self.vectorstore, self.rescore_with, self.search_kwargs)
        used = scale if needs_similarity else None
        search._prepared = (
            space,
            StoreSearch(self.name, modality, used, merge, rescorer, text_of, second),
        )
        return search

    def check_options(self, options: Mapping[str, Any]) -> None:
        """Raise DataError for an option, of this search or of a call, that the store would drop."""
        check_options(self.vectorstore, {**self.search_kwargs, **options})

    def find(self, request: SearchRequest, n: int, *, per_modality: bool) -> SearchResult:
        """Return about n hits of each modality, the best first."""
        assert self._prepared is not None
        space, search = self._prepared
        vector = request.query.vector.tolist()
        # Of many hits, only the first need their vectors.
        few = 2 * search.rescorer.n_hits(request.query, search.n_ordered(request.k))

        def as_hit(document: Document, raw: float | None = None, stored: Any = None) -> Hit:
            modality = search.modality.of(document.metadata, partial(str, document.page_content))
            key = key_of_document(document, search.merge, id_of(document))
            return Hit(key, document, modality, self.name, raw, vector=stored)

        def read(restriction: Any, depth: int) -> list[Hit]:
            given = self.search_kwargs, request.options, restriction or {}
            options = joined(self.vectorstore, *given)
            rows = rows_of(self.vectorstore, vector, depth, options, with_vectors=depth <= few)
            return [as_hit(*row) for row in rows]

        parts = partial(self._parts, search)
        with index_may_need_moving(space, search.modality.possible[-1]):
            self._check(space, search.modality)
            return search.find(request, n, read, parts, as_hit=as_hit, per_modality=per_modality)

    def _check(self, space: Space, modality: DocumentModality) -> None:
        """Refuse a store whose vectors the aligner did not make."""
        check(self.vectorstore, space, modality)

    def _parts(self, search: StoreSearch) -> dict[str, dict[str, Any]]:
        """Return what restricts the store to each part of its documents; nothing if nothing can."""
        if self.modality is not None or self.split is None:
            return {}
        if callable(self.split):
            return {name: self.split(name) for name in search.modality.modalities}
        if kind_of(self.vectorstore) is None:
            return {}
        parts = search.modality.parts(needs_similarity=search.scale is not None)
        named = [name for name in parts.values() if name is not None]
        return {
            part: {"filter": {str(self.modality_field): {"$nin": named} if name is None else name}}
            for part, name in parts.items()
        }


def as_searches(values: Any) -> list[Any]:
    """Return a list of searches; each vector store of the list becomes a :class:`VectorSearch`.

    Raises:
        DataError: no list, or a value that is neither.
    """
    single = (str, BaseModel, VectorStore)  # a pydantic model is iterable, too
    if isinstance(values, single) or not isinstance(values, Iterable):
        raise DataError(f"searches={values!r:.80}; give a list, such as [store, BM25Search(...)].")
    searches = [VectorSearch(vectorstore=v) if isinstance(v, VectorStore) else v for v in values]
    for search in searches:
        if not isinstance(search, (VectorSearch, BM25Search)):
            raise DataError(
                f"searches hold {search!r:.80}; give VectorSearch(vectorstore=store), BM25Search("
                "documents=documents), or a vector store. A list of documents is searched by words "
                "with BM25Search(documents=documents)."
            )
    return searches
