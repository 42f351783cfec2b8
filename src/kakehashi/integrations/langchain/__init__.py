"""LangChain: embeddings, retrievers and searches."""

from .embeddings import AlignedEmbeddings, AlignedRetriever
from .searches import BM25Search, VectorSearch

__all__ = ["AlignedEmbeddings", "AlignedRetriever", "BM25Search", "VectorSearch"]
