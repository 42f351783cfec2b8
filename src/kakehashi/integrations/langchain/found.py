"""LangChain: the documents of a fused list, as a retriever returns them."""

from __future__ import annotations

from langchain_core.documents import Document

from ...retrieval.hybrid_search import HybridResult, warn_of_failed


def documents_of(result: HybridResult, fusion: str, *, explain: bool) -> list[Document]:
    """Return copies of the documents: what is done to one is not done to what is stored.

    Args:
        fusion: its name, for the explanation.
        explain: give each document a metadata field ``kakehashi``, which explains its place.
    """
    warn_of_failed(result.failed, stacklevel=5)
    documents = []
    for fused in result.documents:
        metadata = dict(fused.payload.metadata)
        if explain:
            metadata["kakehashi"] = fused.described(fusion, result.failed)
        documents.append(fused.payload.model_copy(update={"metadata": metadata}))
    return documents
