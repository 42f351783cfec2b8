"""LlamaIndex: an embedding model, retrievers and searches."""

from .bm25_search import BM25Search
from .embedding import AlignedEmbedding
from .hybrid_retriever import HybridRetriever
from .retriever import AlignedRetriever
from .searches import VectorSearch

__all__ = ["AlignedEmbedding", "AlignedRetriever", "BM25Search", "HybridRetriever", "VectorSearch"]
