"""LangChain: embeddings, retrievers and searches."""

from .embeddings import AlignedEmbeddings
from .hybrid_retriever import HybridRetriever
from .retriever import AlignedRetriever
from .searches import BM25Search, VectorSearch

__all__ = ["AlignedEmbeddings", "AlignedRetriever", "BM25Search", "HybridRetriever", "VectorSearch"]
