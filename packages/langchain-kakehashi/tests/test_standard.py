"""LangChain's standard suites, over the names that this package exports."""

import langchain_kakehashi
import numpy as np
import pytest
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_kakehashi import AlignedEmbeddings, AlignedRetriever
from langchain_tests.integration_tests import EmbeddingsIntegrationTests, RetrieversIntegrationTests
from langchain_tests.unit_tests import EmbeddingsUnitTests

import kakehashi
from kakehashi.integrations import langchain

pytestmark = pytest.mark.filterwarnings("ignore::kakehashi.errors.NotAdvisedWarning")
TEXTS = [f"{verb} the {thing}" for verb in ("open", "check", "drain") for thing in ("pump", "tank")]


def letters(texts):
    """Count letters: a humble encoder that needs no download."""
    rows = [
        [text.lower().count(letter) + 0.01 for letter in "acdehiknopmrtu0123456789"]
        for text in texts
    ]
    return np.array(rows, np.float32)


@pytest.fixture(scope="module", autouse=True)
def aligner():
    numbered = [f"{text} {number}" for text in TEXTS for number in range(10)]
    pairs = kakehashi.Pairs(numbered, [f"{text.upper()}." for text in numbered])
    return kakehashi.fit(
        pairs, source_encoder=letters, target_encoder=letters, ngrams=False, learned=False
    )


@pytest.fixture(autouse=True)
def _aligner_of_the_class(request, aligner):
    if request.cls is not None:
        request.cls.aligner = aligner


class Embeddings:
    """What both suites of embeddings ask."""

    @property
    def embeddings_class(self):
        return AlignedEmbeddings

    @property
    def embedding_model_params(self):
        return {"aligner": self.aligner}


class TestEmbeddings(Embeddings, EmbeddingsUnitTests):
    """The unit tests of LangChain."""


class TestEmbeddingsIntegration(Embeddings, EmbeddingsIntegrationTests):
    """The integration tests of LangChain."""


class TestRetriever(RetrieversIntegrationTests):
    """The integration tests of a retriever."""

    @property
    def retriever_constructor(self):
        return AlignedRetriever

    @property
    def retriever_constructor_params(self):
        embeddings = AlignedEmbeddings(aligner=self.aligner)
        store = InMemoryVectorStore.from_texts(TEXTS, embeddings)
        return {"vectorstore": store, "embeddings": embeddings}

    @property
    def retriever_query_example(self):
        return "pump"


def test_every_public_name_is_exported():
    assert langchain_kakehashi.__all__ == langchain.__all__
