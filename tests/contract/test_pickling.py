"""A retriever over a store that can be pickled can be, too: it goes to the workers of a pool."""

import copy
import pickle

import pytest
from support.parts import FRAMEWORKS, Row
from support.toy_data import letters_apart, machine_pairs, reversed_letters

from kakehashi import SecondModel
from kakehashi.integrations import langchain, llama_index
from kakehashi.vectors import unit_rows

pytestmark = pytest.mark.slow  # the frameworks take seconds to import

ROWS = [Row(number, text) for number, text in enumerate(machine_pairs().target_texts)]
QUERY = "check the valve 2"
PLAIN = [("langchain", "in memory"), ("llama_index", "simple")]


def unit_letters(texts):
    return unit_rows(reversed_letters(texts))


def single(driver, store, aligner, **options):
    if driver is FRAMEWORKS["langchain"]:
        return langchain.AlignedRetriever(vectorstore=store, embeddings=aligner, **options)
    embedding = llama_index.AlignedEmbedding(aligner=aligner)
    return llama_index.AlignedRetriever(store, embedding, **options)


def hybrid(driver, store, aligner, **options):
    if driver is FRAMEWORKS["langchain"]:
        search = langchain.VectorSearch(vectorstore=store, **options)
        return langchain.HybridRetriever(searches=[search], embeddings=aligner, fusion="rank")
    search = llama_index.VectorSearch(store, **options)
    embedding = llama_index.AlignedEmbedding(aligner=aligner)
    return llama_index.HybridRetriever([search], embedding, fusion="rank")


def in_parts(driver, store, aligner, **options):
    return driver.retriever([driver.part(store, aligner, **options)], fusion="rank")


@pytest.mark.parametrize("second", [False, True])
@pytest.mark.parametrize("kind", [single, hybrid, in_parts], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize(("framework", "store"), PLAIN, ids=lambda name: name)
def test_a_retriever_that_was_asked_is_pickled_and_copied(
    framework, store, kind, second, keeping_aligner, tmp_path
):
    driver, aligner = FRAMEWORKS[framework], keeping_aligner
    aligner = aligner.with_encoders(target_encoder=unit_letters)
    filled = driver.filled(aligner, ROWS, driver.stores[store])
    model = SecondModel(letters_apart, tmp_path / "second.sqlite") if second else None
    retriever = kind(driver, filled, aligner, **({"rescore_with": model} if second else {}))
    expected = [driver.text(found) for found in driver.ask(retriever, QUERY)]
    for again in (pickle.loads(pickle.dumps(retriever)), copy.deepcopy(retriever)):
        assert [driver.text(found) for found in driver.ask(again, QUERY)] == expected
