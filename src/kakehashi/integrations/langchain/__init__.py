"""LangChain: embeddings, retrievers and searches."""

from .embeddings import AlignedEmbeddings, AlignedRetriever
from .searches import LexicalArm, VectorArm

__all__ = ["AlignedEmbeddings", "AlignedRetriever", "LexicalArm", "VectorArm"]
