"""LangChain: the search of a hybrid search over words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

from langchain_core.documents import Document
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, field_validator

from ...errors import DataError
from ...retrieval.document_key import Merge, MergeParts, key_of
from ...retrieval.document_modality import DocumentModality
from ...retrieval.filters import lexical_filter
from ...retrieval.hits import SearchResult
from ...retrieval.lexical_search import LexicalSearch, Refreshed
from ...retrieval.search import SearchRequest
from .embeddings import AlignedEmbeddings


class BM25Search(BaseModel):
    """Search documents by their words (BM25): part numbers and error codes cross no embedding.

    Args:
        documents: the documents to search; the same that the stores hold. :meth:`refresh` gives
            others.
        name, modality, modality_field: as of a :class:`VectorSearch`.
        tokenizer: a function from a text to its words, such as one of SudachiPy: ``lambda text:
            [m.normalized_form() for m in sudachi.tokenize(text)]``. By default words are runs of
            letters, and pairs of characters where a script has no spaces.

    A ``filter`` of the call restricts this search too: a dictionary in the way of Chroma, which
    every search reads, or a function of a document. Any other restriction is refused: a search by
    words cannot read the form of a store.
    """

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    by_vector: ClassVar[bool] = False
    not_rescored: ClassVar[bool] = False

    documents: list[Document] = Field(repr=False)
    name: str = "words"
    modality: str | None = None
    modality_field: str | None = None
    tokenizer: Callable[[str], Iterable[str]] | None = Field(default=None, repr=False)
    _prepared: Refreshed | None = PrivateAttr(default=None)

    @field_validator("documents", mode="before")
    @classmethod
    def _no_texts(cls, documents: Any) -> Any:
        """Refuse texts at once; pydantic would print an error for each."""
        for document in documents if isinstance(documents, Sequence) else ():
            if isinstance(document, str):
                raise DataError(
                    f"documents hold {document!r:.80}; give Document(page_content=text)."
                )
        return documents

    def prepared(
        self,
        embeddings: AlignedEmbeddings,
        *,
        needs_similarity: bool,
        merge: Merge,
    ) -> BM25Search:
        """Return this search with an index of its documents as they are now."""
        modality = embeddings.modality_of_documents(self.name, self.modality, self.modality_field)
        search = self.model_copy()
        search._prepared = Refreshed(
            partial(getattr, self, "documents"), partial(self._build, modality, merge)
        )
        return search

    def refresh(self, documents: Iterable[Document]) -> None:
        """Search other documents from now on, in every retriever that was made with this search."""
        self.documents = type(self)(documents=list(documents)).documents

    def _build(
        self, modality: DocumentModality, merge: Merge, documents: list[Document]
    ) -> LexicalSearch:
        texts = [str(document.page_content) for document in documents]
        return LexicalSearch(
            self.name,
            documents,
            texts=texts,
            keys=[key_of_document(document, merge) for document in documents],
            modalities=[
                modality.of(document.metadata, partial(str, text))
                for document, text in zip(documents, texts, strict=True)
            ],
            tokenizer=self.tokenizer,
        )

    def check_options(self, options: Mapping[str, Any]) -> None:
        """Raise DataError for an option that a search by words cannot read."""
        lexical_filter(options)

    def find(self, request: SearchRequest, n: int, *, per_modality: bool) -> SearchResult:
        """Return at most n documents of each modality that share a word, the best first."""
        assert self._prepared is not None
        index, documents = self._prepared.current()
        permits = lexical_filter(request.options)
        allowed = None if permits is None else [permits(document) for document in documents]
        return index.find(request.text, n, allowed)


def key_of_document(document: Document, merge: MergeParts, name: str | None = None) -> str:
    """Return the key of a document, equal for what is one document.

    Args:
        name: its id in the store.
    """
    return key_of(str(document.page_content), document.metadata, merge, name)
