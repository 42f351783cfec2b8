"""Components of both frameworks over retrievers that rescore.

What they return follows from the order that brute force over the second map gives.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from langchain_chroma import Chroma
from langchain_classic.indexes import SQLRecordManager, index
from langchain_classic.retrievers import (
    ContextualCompressionRetriever,
    EnsembleRetriever,
    ParentDocumentRetriever,
)
from langchain_classic.retrievers.document_compressors import DocumentCompressorPipeline
from langchain_core.documents import Document
from langchain_core.stores import InMemoryStore
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_text_splitters import CharacterTextSplitter
from llama_index.core import MockEmbedding, StorageContext, VectorStoreIndex
from llama_index.core.llms import MockLLM
from llama_index.core.postprocessor import LongContextReorder, SimilarityPostprocessor
from llama_index.core.retrievers import QueryFusionRetriever
from llama_index.core.schema import QueryBundle, TextNode
from support.toy_data import machine_pairs, reversed_letters
from support.vector_stores import fresh, li_chroma

from kakehashi.integrations import langchain, llama_index
from kakehashi.vectors import unit_rows

pytestmark = pytest.mark.slow  # the frameworks take seconds to import

TEXTS = list(machine_pairs().target_texts)
QUESTIONS = list(machine_pairs().source_texts)
QUESTION = "check the valve 2"
K = 5


def unit_letters(texts):
    """The toy encoder at unit length, so that every metric gives one order."""
    return unit_rows(reversed_letters(texts))


@pytest.fixture(scope="module")
def aligner(keeping_aligner):
    return keeping_aligner.with_encoders(target_encoder=unit_letters)


def best(aligner, question, texts, k=K):
    """The k best texts and their scores by brute force: the first hits in a new order."""
    query, vectors = aligner.prepare_query(question, "source"), unit_letters(texts)
    first = np.argsort(-vectors @ query.vector, kind="stable")[: aligner.rescoring.n_hits]
    again = aligner.rescoring.documents(vectors[first]) @ query.rescoring
    order = np.argsort(-again, kind="stable")[:k]
    return [(texts[row], float(s)) for row, s in zip(first[order], again[order], strict=True)]


def texts_of(documents):
    return [document.page_content for document in documents]


@pytest.fixture
def embeddings(aligner):
    return langchain.AlignedEmbeddings(aligner=aligner)


def in_memory(embeddings):
    return InMemoryVectorStore(embeddings)


def chroma(embeddings):
    return Chroma(fresh(), embeddings, collection_configuration={"hnsw": {"space": "cosine"}})


@pytest.fixture(params=[in_memory, chroma], ids=["in memory", "chroma"])
def store(request, embeddings):
    return request.param(embeddings)


def retriever_of(store, embeddings, **fields):
    return langchain.AlignedRetriever(vectorstore=store, embeddings=embeddings, k=K, **fields)


def test_a_compressor_and_an_ensemble_of_langchain_read_the_new_order(store, embeddings, aligner):
    store.add_texts(TEXTS)
    wanted = [text for text, _ in best(aligner, QUESTION, TEXTS)]
    retriever = retriever_of(store, embeddings)
    assert texts_of(retriever_of(store, embeddings, rescore=False).invoke(QUESTION)) != wanted
    lines = CharacterTextSplitter(separator="\n", chunk_size=40, chunk_overlap=0)
    compressed = ContextualCompressionRetriever(
        base_compressor=DocumentCompressorPipeline(transformers=[lines]), base_retriever=retriever
    )
    hybrid = langchain.HybridRetriever(searches=[store], embeddings=embeddings, k=K, fusion="rank")
    ensemble = EnsembleRetriever(retrievers=[retriever, hybrid], weights=[0.5, 0.5])
    for component in (compressed, ensemble):
        assert texts_of(component.invoke(QUESTION)) == wanted
        assert texts_of(asyncio.run(component.ainvoke(QUESTION))) == wanted


def test_what_langchain_indexes_again_is_rescored_as_it_is_now(store, embeddings, aligner):
    """Documents are changed, left out and added under the record manager's own ids."""
    manager = SQLRecordManager("here", db_url="sqlite:///:memory:")
    manager.create_schema()
    aligned = langchain.AlignedVectorStore(store)
    retriever = retriever_of(aligned, embeddings)

    def indexed(texts):
        documents = [
            Document(text, metadata={"page": page, "modality": "target"})
            for page, text in enumerate(texts)
        ]
        how = {"cleanup": "full", "source_id_key": "page", "key_encoder": "sha256"}
        done = index(documents, manager, aligned, **how)
        assert texts_of(retriever.invoke(QUESTION)) == [
            text for text, _ in best(aligner, QUESTION, texts)
        ]
        return done["num_added"], done["num_skipped"], done["num_deleted"]

    assert indexed(TEXTS) == (80, 0, 0)
    assert indexed(TEXTS) == (0, 80, 0)
    [first, *_] = best(aligner, QUESTION, TEXTS)
    without = [f"{text} NOW" if text == first[0] else text for text in TEXTS]
    assert indexed(without) == (1, 79, 1)
    assert indexed([*TEXTS[:40], "CHECK THE VALVE 2 AGAIN."])[0] >= 1


def test_a_parent_is_found_by_its_own_part_and_not_rescored(store, embeddings, aligner):
    """The component asks the store itself: the order is that of the store."""
    aligned = langchain.AlignedVectorStore(store)
    splitter = CharacterTextSplitter(separator="\n", chunk_size=40, chunk_overlap=0)
    parents = ParentDocumentRetriever(
        vectorstore=aligned,
        docstore=InMemoryStore(),
        child_splitter=splitter,
        search_kwargs={"k": K},
    )
    parents.add_documents([Document(text) for text in TEXTS])
    off = retriever_of(store, embeddings, rescore=False)
    assert texts_of(parents.invoke(QUESTION)) == texts_of(off.invoke(QUESTION))


@pytest.fixture(params=["simple", "chroma"])
def filled(request, aligner):
    """An index of LlamaIndex and its embedding."""
    embedding = llama_index.AlignedEmbedding(aligner=aligner)
    made = li_chroma(embedding, None, None) if request.param == "chroma" else None
    context = StorageContext.from_defaults(vector_store=made)
    nodes = embedding([TextNode(text=text) for text in TEXTS])
    stored = VectorStoreIndex(nodes, storage_context=context, embed_model=MockEmbedding(24))
    return stored, embedding


def test_eight_threads_of_llama_index_find_what_one_finds(filled, aligner):
    index, embedding = filled
    questions = QUESTIONS[::2]
    for retriever in (
        llama_index.AlignedRetriever(index, embedding, similarity_top_k=K),
        llama_index.HybridRetriever([index], embedding, similarity_top_k=K, fusion="rank"),
    ):
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(retriever.retrieve, questions))  # also the first search of all
        for question, rows in zip(questions, found, strict=True):
            wanted = best(aligner, question, TEXTS)
            assert [row.node.text for row in rows] == [text for text, _ in wanted]


def test_components_of_llama_index_read_the_new_scores(filled, aligner):
    index, embedding = filled
    wanted = best(aligner, QUESTION, TEXTS)
    retriever = llama_index.AlignedRetriever(index, embedding, similarity_top_k=K)
    found = retriever.retrieve(QUESTION)
    least = (wanted[1][1] + wanted[2][1]) / 2
    kept = SimilarityPostprocessor(similarity_cutoff=least).postprocess_nodes(found)
    assert [row.node.text for row in kept] == [text for text, _ in wanted[:2]]
    around = LongContextReorder().postprocess_nodes(found, QueryBundle(QUESTION))
    assert {around[0].node.text, around[-1].node.text} == {text for text, _ in wanted[:2]}
    fused = QueryFusionRetriever(
        [retriever],
        llm=MockLLM(),
        mode="simple",
        num_queries=1,
        similarity_top_k=K,
        use_async=False,
    )
    assert [row.node.text for row in fused.retrieve(QUESTION)] == [text for text, _ in wanted]
