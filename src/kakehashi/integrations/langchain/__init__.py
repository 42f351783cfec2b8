"""LangChain: embeddings, a store, retrievers and searches."""

from .bm25_search import BM25Search
from .embeddings import AlignedEmbeddings
from .hybrid_retriever import HybridRetriever
from .retriever import AlignedRetriever
from .searches import VectorSearch
from .vectorstore import AlignedVectorStore

__all__ = [
    "AlignedEmbeddings",
    "AlignedRetriever",
    "AlignedVectorStore",
    "BM25Search",
    "HybridRetriever",
    "VectorSearch",
]
