"""evaluate_retriever(): retrievers of both frameworks, with their filters and rerankers."""

from __future__ import annotations

import numpy as np
import pytest
from support.toy_data import machine_pairs

from kakehashi import Pairs
from kakehashi.errors import DataError
from kakehashi.evaluation import evaluate_retriever

PART = range(0, 80, 2)


@pytest.fixture(scope="module")
def asked() -> Pairs:
    """Half of the questions, cut short so that some ask for several; a store answers all."""
    pairs = machine_pairs().select(PART)
    return Pairs(
        [text[4:] for text in pairs.source_texts],
        pairs.target_texts,
        ids=[f"d{row}" for row in PART],
    )


@pytest.fixture(scope="module")
def documents():
    from langchain_core.documents import Document

    texts = machine_pairs().target_texts
    return [
        Document(id=f"d{i}", page_content=text, metadata={"half": i % 2, "row": f"d{i}"})
        for i, text in enumerate(texts)
    ]


@pytest.fixture(scope="module")
def store(text_aligner, documents):
    from langchain_core.vectorstores import InMemoryVectorStore

    from kakehashi.integrations.langchain import AlignedEmbeddings

    store = InMemoryVectorStore(AlignedEmbeddings(aligner=text_aligner))
    store.add_documents(documents)
    return store


@pytest.fixture(scope="module")
def index(text_aligner):
    from llama_index.core import VectorStoreIndex
    from llama_index.core.schema import TextNode

    from kakehashi.integrations.llama_index import AlignedEmbedding

    nodes = [TextNode(text=t, id_=f"d{i}") for i, t in enumerate(machine_pairs().target_texts)]
    return VectorStoreIndex(nodes, embed_model=AlignedEmbedding(aligner=text_aligner))


def rows_of(asked: Pairs) -> list[set[int]]:
    """The documents that answer each question: those of every pair that asks the same."""
    texts = machine_pairs().target_texts
    by_question: dict[str, set[int]] = {}
    for question, answer in zip(asked.source_texts, asked.target_texts, strict=True):
        by_question.setdefault(question, set()).add(texts.index(answer))
    return [by_question[question] for question in asked.source_texts]


def test_both_frameworks_are_scored_as_the_vectors_are(text_aligner, asked, store, index):
    queries = text_aligner.embed_queries(list(asked.source_texts))
    stored = text_aligner.embed_documents(list(machine_pairs().target_texts))
    order = np.argsort(-(queries @ stored.T), axis=1)[:, :10]
    first = {
        question: next((i for i, row in enumerate(found, 1) if row in rows), None)
        for question, found, rows in zip(asked.source_texts, order, rows_of(asked), strict=True)
    }
    of_langchain = evaluate_retriever(store.as_retriever(search_kwargs={"k": 10}), asked)
    of_llama_index = evaluate_retriever(index.as_retriever(similarity_top_k=10), asked)
    assert len(of_langchain.ranks) == len(set(asked.source_texts))
    assert 0 < of_langchain.means["recall@1"] < of_langchain.means["recall@10"]
    assert [each["rank"] for each in of_langchain.questions()] == list(first.values())
    assert of_langchain.means == pytest.approx(of_llama_index.means)
    assert of_langchain.depth == of_llama_index.depth == 10
    assert of_langchain.note is None
    low, high = of_langchain.intervals["recall@10"]
    assert low < of_langchain.means["recall@10"] < high


def test_filters_and_rerankers_are_judged_with_the_retriever(asked, store, index):
    from langchain_core.runnables import RunnableLambda

    plain = store.as_retriever(search_kwargs={"k": 10})
    filtered = store.as_retriever(
        search_kwargs={"k": 10, "filter": lambda d: d.metadata["half"] == 0}
    )
    found = evaluate_retriever(filtered, asked)
    assert found.means["recall@10"] >= evaluate_retriever(plain, asked).means["recall@10"]
    gone = store.as_retriever(search_kwargs={"filter": lambda d: d.metadata["half"] == 1})
    nothing = evaluate_retriever(gone, asked)
    assert nothing.means["recall@10"] == 0
    assert "no hit was recognised as an answer" in nothing.note
    answers = dict(zip(asked.source_texts, asked.target_texts, strict=True))

    def rerank(question):
        hits = plain.invoke(question)
        return sorted(hits, key=lambda hit: hit.page_content != answers[question])

    reranked = evaluate_retriever(RunnableLambda(rerank), asked)
    assert (
        reranked.means["recall@1"]
        == reranked.means["recall@10"]
        == pytest.approx(evaluate_retriever(plain, asked).means["recall@10"])
    )


def test_a_query_engine_and_its_postprocessor_are_a_function(asked, index):
    from llama_index.core.llms import MockLLM
    from llama_index.core.postprocessor import SimilarityPostprocessor
    from llama_index.core.schema import QueryBundle

    retriever = index.as_retriever(similarity_top_k=10)
    half = retriever.retrieve(asked.source_texts[0])[4].score
    engine = index.as_query_engine(
        llm=MockLLM(),
        similarity_top_k=10,
        node_postprocessors=[SimilarityPostprocessor(similarity_cutoff=half)],
    )
    cut = evaluate_retriever(lambda text: engine.retrieve(QueryBundle(text)), asked)
    assert 0 < cut.means["recall@10"] <= evaluate_retriever(retriever, asked).means["recall@10"]


def test_answers_are_recognised_by_text_by_part_or_by_id(asked, store, index):
    by_text = evaluate_retriever(store.as_retriever(search_kwargs={"k": 5}), asked)
    assert str(by_text).startswith(f"{len(by_text.ranks)} questions, at most 5 hits each; a hit")
    for retriever, options in (
        (store.as_retriever(search_kwargs={"k": 5}), {"match": "id"}),
        (store.as_retriever(search_kwargs={"k": 5}), {"match": "id", "id_field": "row"}),
        (index.as_retriever(similarity_top_k=5), {"match": "id"}),
        (store.as_retriever(search_kwargs={"k": 5}), {"match": "contains"}),
    ):
        assert evaluate_retriever(retriever, asked, **options).means == by_text.means, options
    chunks = Pairs(["a", "b"], ["one two", "three"])
    texts = {"a": ["nothing", "zero one\ntwo three"], "b": ["thr", "three four"]}
    found = evaluate_retriever(texts.get, chunks, match="contains")
    assert found.ranks.tolist() == [2, 1]
    assert evaluate_retriever(texts.get, chunks).means["recall@10"] == 0


def test_a_question_is_asked_once_and_told_with_what_was_found():
    asked = []

    def search(text):
        asked.append(text)
        return ["x", "y", "z", "w"][: 1 if text == "b" else 4]

    pairs = Pairs(["a", "a", "b"], ["y", "z", "q"])
    found = evaluate_retriever(search, pairs)
    assert asked == ["a", "b"]
    assert found.questions() == [
        {"source": "a", "answers": ["y", "z"], "rank": 2, "found": ["x", "y", "z"]},
        {"source": "b", "answers": ["q"], "rank": None, "found": ["x"]},
    ]
    assert found.to_dict()["recall@5"] == 0.5
    assert found.to_dict()["n_questions"] == 2


def test_what_cannot_be_asked_or_scored_is_refused_with_advice(asked, store):
    with pytest.raises(DataError, match="cannot be asked; give a retriever of LangChain"):
        evaluate_retriever(store, asked)
    with pytest.raises(DataError, match="expected Pairs, got str"):
        evaluate_retriever(len, "pairs.jsonl")
    with pytest.raises(DataError, match="match='words' is not known; choose one of text, contains"):
        evaluate_retriever(list, asked, match="words")
    with pytest.raises(DataError, match="the pairs have no ids, which match='id' needs"):
        evaluate_retriever(list, Pairs(["a"], ["b"]), match="id")
    with pytest.raises(DataError, match="id_field='row' is for match='id'"):
        evaluate_retriever(list, asked, id_field="row")
    with pytest.raises(DataError, match="returned str, not a list of documents"):
        evaluate_retriever(str, asked)
    with pytest.raises(DataError, match="a hit is 1; expected a document of LangChain"):
        evaluate_retriever(lambda text: [1], asked)
    with pytest.raises(ZeroDivisionError) as raised:
        evaluate_retriever(lambda text: 1 / 0, asked)
    assert "over the question 't the pump 0'" in raised.value.__notes__[0]
    empty = evaluate_retriever(lambda text: [], asked)
    assert empty.note == "the retriever returned no hit to any question: is the store filled?"
