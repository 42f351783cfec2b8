"""LlamaIndex: an embedding model, retrievers and searches."""

from .embedding import AlignedEmbedding, AlignedRetriever
from .searches import LexicalArm, VectorArm

__all__ = ["AlignedEmbedding", "AlignedRetriever", "LexicalArm", "VectorArm"]
