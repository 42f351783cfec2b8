"""LlamaIndex: an embedding model, retrievers and searches."""

from .embedding import AlignedEmbedding
from .hybrid_retriever import HybridRetriever
from .retriever import AlignedRetriever
from .searches import BM25Search, VectorSearch

__all__ = ["AlignedEmbedding", "AlignedRetriever", "BM25Search", "HybridRetriever", "VectorSearch"]
