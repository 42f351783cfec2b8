"""kakehashi for LangChain: the classes of ``kakehashi.integrations.langchain``."""

from kakehashi.integrations.langchain import (
    AlignedEmbeddings,
    AlignedRetriever,
    AlignedVectorStore,
    BM25Search,
    HybridRetriever,
    Part,
    PartsRetriever,
    VectorSearch,
)

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
