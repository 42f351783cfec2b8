"""LlamaIndex: an embedding model, retrievers and searches."""

from .embedding import AlignedEmbedding, AlignedRetriever
from .searches import BM25Search, VectorSearch

__all__ = ["AlignedEmbedding", "AlignedRetriever", "BM25Search", "VectorSearch"]
