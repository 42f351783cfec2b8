"""kakehashi for LlamaIndex: the embedding model of ``kakehashi.integrations.llama_index``."""

from kakehashi.integrations.llama_index import AlignedEmbedding

__all__ = ["AlignedEmbedding"]
