"""LangChain: embeddings, a store, retrievers and searches."""

from ...errors import MissingExtraError

try:
    from .bm25_search import BM25Search
    from .embeddings import AlignedEmbeddings
    from .hybrid_retriever import HybridRetriever
    from .parts import Part
    from .parts_retriever import PartsRetriever
    from .retriever import AlignedRetriever
    from .searches import VectorSearch
    from .vectorstore import AlignedVectorStore
except ModuleNotFoundError as error:
    if (error.name or "").startswith("langchain_core"):
        raise MissingExtraError("langchain-core", "langchain") from error
    raise

__all__ = [
    "AlignedEmbeddings",
    "AlignedRetriever",
    "AlignedVectorStore",
    "BM25Search",
    "HybridRetriever",
    "Part",
    "PartsRetriever",
    "VectorSearch",
]
