"""LangChain: a store that embeds each document as the modality that its metadata name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore

from ...errors import DataError
from .embeddings import AlignedEmbeddings
from .filters import joined


class _OfStore:
    """A method that the wrapped store answers, with a ``filter`` in the form of that store."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, store: AlignedVectorStore | None, owner: type) -> Any:
        if store is None:
            return self
        wrapped = store.vectorstore
        method: Callable[..., Any] = getattr(wrapped, self._name)
        return lambda *args, **options: method(*args, **joined(wrapped, options))


class AlignedVectorStore(VectorStore):
    """A store around another one, for components that fill a store themselves.

    ``ParentDocumentRetriever``, ``MultiVectorRetriever``, ``index()`` and ``from_documents`` pass
    documents to a store. This one has each embedded as the modality that its metadata name. All
    else is up to the other store, which embeds with :class:`AlignedEmbeddings`. A ``filter`` that
    is a dictionary in the way of Chroma is translated for it. Its searches are the other store's,
    and rescore nothing: an :class:`AlignedRetriever` over it does.

    Args:
        vectorstore: the store around which this one is.
        embeddings: what it embeds with; by default, what it says itself.

    Raises:
        DataError: the store embeds with something else.
    """

    def __init__(
        self,
        vectorstore: VectorStore,
        embeddings: AlignedEmbeddings | None = None,
    ) -> None:
        own = vectorstore.embeddings if embeddings is None else embeddings
        own = getattr(own, "underlying_embeddings", own)
        if not isinstance(own, AlignedEmbeddings):
            raise DataError(
                f"{type(vectorstore).__name__} embeds with {type(own).__name__}; make it with "
                "AlignedEmbeddings (Chroma: embedding_function=embeddings)."
            )
        own.embeddings_of(vectorstore)
        self.vectorstore, self._embeddings = vectorstore, own

    def __getattr__(self, name: str) -> Any:
        """Return what only the other store has, such as Chroma's ``delete_collection``."""
        if name == "vectorstore" or name.startswith("__"):  # while this object is being rebuilt
            raise AttributeError(name)
        return getattr(self.vectorstore, name)

    @property
    def embeddings(self) -> AlignedEmbeddings:
        """What embeds queries and documents."""
        return self._embeddings

    def add_documents(self, documents: list[Document], **kwargs: Any) -> list[str]:
        """Add documents, each as its own modality; see :meth:`AlignedEmbeddings.add_documents`."""
        return self._embeddings.add_documents(self.vectorstore, documents, **kwargs)

    async def aadd_documents(self, documents: list[Document], **kwargs: Any) -> list[str]:
        """Add documents without blocking the event loop."""
        return await self._embeddings.aadd_documents(self.vectorstore, documents, **kwargs)

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """Add texts, each as the modality that its metadata name."""
        return self.add_documents(_documents(texts, metadatas), **kwargs)

    async def aadd_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """Add texts without blocking the event loop."""
        return await self.aadd_documents(_documents(texts, metadatas), **kwargs)

    def update_documents(self, ids: list[str], documents: list[Document]) -> None:
        """Change documents of a store that can (Chroma), each as its own modality."""
        store: Any = self.vectorstore
        embeddings, cached, parts = self._embeddings.planned(store, documents)
        for part in parts:
            with part.added_by(store, embeddings, cached=cached):
                store.update_documents([ids[row] for row in part.rows], part.documents)

    def update_document(self, document_id: str, document: Document) -> None:
        """Change one document."""
        self.update_documents([document_id], [document])

    @classmethod
    def from_texts(
        cls,
        texts: list[str],
        embedding: Embeddings,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        vectorstore: VectorStore | None = None,
        **kwargs: Any,
    ) -> AlignedVectorStore:
        """Add texts to a store, ``vectorstore=``, and return a store around it.

        Raises:
            DataError: no ``vectorstore=``, or one that embeds with something else.
        """
        if vectorstore is None:
            raise DataError(
                "vectorstore= is missing; pass the store to fill, made with these embeddings."
            )
        made = cls(vectorstore, AlignedEmbeddings.of(embedding))
        made.add_texts(texts, metadatas, **kwargs)
        return made

    delete: Any = _OfStore()
    adelete: Any = _OfStore()
    get_by_ids: Any = _OfStore()
    aget_by_ids: Any = _OfStore()
    similarity_search: Any = _OfStore()
    asimilarity_search: Any = _OfStore()
    similarity_search_with_score: Any = _OfStore()
    asimilarity_search_with_score: Any = _OfStore()
    similarity_search_with_relevance_scores: Any = _OfStore()
    asimilarity_search_with_relevance_scores: Any = _OfStore()
    similarity_search_by_vector: Any = _OfStore()
    asimilarity_search_by_vector: Any = _OfStore()
    max_marginal_relevance_search: Any = _OfStore()
    amax_marginal_relevance_search: Any = _OfStore()
    max_marginal_relevance_search_by_vector: Any = _OfStore()
    amax_marginal_relevance_search_by_vector: Any = _OfStore()


def _documents(texts: Iterable[str], metadatas: list[dict[str, Any]] | None) -> list[Document]:
    listed = list(texts)
    metadata = [{} for _ in listed] if metadatas is None else metadatas
    return [
        Document(text, metadata=dict(each or {}))
        for text, each in zip(listed, metadata, strict=True)
    ]
