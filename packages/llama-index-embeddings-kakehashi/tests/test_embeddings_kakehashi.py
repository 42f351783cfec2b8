"""LlamaIndex's own test of an integration: the class is one of its embedding models."""

from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.embeddings.kakehashi import AlignedEmbedding


def test_class():
    names_of_base_classes = [base.__name__ for base in AlignedEmbedding.__mro__]
    assert BaseEmbedding.__name__ in names_of_base_classes
