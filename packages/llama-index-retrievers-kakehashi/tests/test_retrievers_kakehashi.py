"""LlamaIndex's own test of an integration: the classes are retrievers of its."""

import pytest
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.retrievers.kakehashi import AlignedRetriever, HybridRetriever


@pytest.mark.parametrize("retriever", [AlignedRetriever, HybridRetriever])
def test_class(retriever):
    names_of_base_classes = [base.__name__ for base in retriever.__mro__]
    assert BaseRetriever.__name__ in names_of_base_classes
