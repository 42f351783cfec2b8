"""kakehashi for LlamaIndex: the retrievers of ``kakehashi.integrations.llama_index``."""

from kakehashi.integrations.llama_index import (
    AlignedRetriever,
    BM25Search,
    HybridRetriever,
    Part,
    PartsRetriever,
    VectorSearch,
)

__all__ = [
    "AlignedRetriever",
    "BM25Search",
    "HybridRetriever",
    "Part",
    "PartsRetriever",
    "VectorSearch",
]
