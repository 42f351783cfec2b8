"""LlamaIndex: an embedding model, retrievers and searches."""

from ...errors import MissingExtraError

try:
    from .bm25_search import BM25Search
    from .embedding import AlignedEmbedding
    from .hybrid_retriever import HybridRetriever
    from .parts import Part
    from .parts_retriever import PartsRetriever
    from .retriever import AlignedRetriever
    from .searches import VectorSearch
except ModuleNotFoundError as error:
    if (error.name or "").startswith("llama_index"):
        raise MissingExtraError("llama-index-core", "llama-index") from error
    raise

__all__ = [
    "AlignedEmbedding",
    "AlignedRetriever",
    "BM25Search",
    "HybridRetriever",
    "Part",
    "PartsRetriever",
    "VectorSearch",
]
