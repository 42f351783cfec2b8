"""Components of LangChain that compare documents: ours are compared as any other's are.

Each component runs twice: over the store's own retriever, and over ours of the same store. Ours of
one store returns what the store's own does, so both runs have to agree.
"""

import pytest
from langchain_chroma import Chroma
from langchain_classic.chains import HypotheticalDocumentEmbedder, create_retrieval_chain
from langchain_classic.retrievers import (
    ContextualCompressionRetriever,
    EnsembleRetriever,
    MergerRetriever,
    MultiQueryRetriever,
    RePhraseQueryRetriever,
)
from langchain_classic.retrievers.document_compressors import DocumentCompressorPipeline
from langchain_core.documents import Document
from langchain_core.load import dumps
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import create_retriever_tool
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_text_splitters import CharacterTextSplitter
from support.toy_data import machine_pairs
from support.vector_stores import fresh

from kakehashi.integrations import langchain

PAIRS = machine_pairs()
TEXTS = PAIRS.target_texts[::5]
QUESTIONS = ["reset the pump 0", "reset the pump 1", "check the valve 2", "drain a tank"]
K = 4


@pytest.fixture
def embeddings(text_aligner):
    return langchain.AlignedEmbeddings(aligner=text_aligner)


def in_memory(embeddings):
    return InMemoryVectorStore(embeddings)


def chroma(embeddings):
    return Chroma(fresh(), embeddings)


@pytest.fixture(params=[in_memory, chroma], ids=["in memory", "chroma"])
def store(request, embeddings):
    made = request.param(embeddings)
    made.add_texts(TEXTS, [{"page": page} for page, _ in enumerate(TEXTS)])
    return made


def ours(store, embeddings, **fields):
    return langchain.HybridRetriever(
        searches=[store], embeddings=embeddings, k=K, fusion="rank", **fields
    )


@pytest.fixture
def both(store, embeddings):
    """The framework's retriever of a store, and ours."""
    return store.as_retriever(search_kwargs={"k": K}), ours(store, embeddings)


def multi_query(retriever):
    questions = RunnableLambda(lambda _: QUESTIONS)
    return MultiQueryRetriever(retriever=retriever, llm_chain=questions)


def rephrased(retriever):
    return RePhraseQueryRetriever(
        retriever=retriever, llm_chain=RunnableLambda(lambda _: QUESTIONS[2])
    )


def compressed(retriever):
    words = CharacterTextSplitter(separator=" ", chunk_size=10, chunk_overlap=0)
    return ContextualCompressionRetriever(
        base_compressor=DocumentCompressorPipeline(transformers=[words]), base_retriever=retriever
    )


def answered(retriever):
    question = RunnableLambda(lambda text: {"input": text})
    return question | create_retrieval_chain(retriever, RunnableLambda(lambda _: "As it says."))


COMPONENTS = {
    "MultiQueryRetriever": multi_query,
    "RePhraseQueryRetriever": rephrased,
    "EnsembleRetriever": lambda r: EnsembleRetriever(retrievers=[r, r], weights=[0.7, 0.3]),
    "EnsembleRetriever by id": lambda r: EnsembleRetriever(retrievers=[r, r], id_key="page"),
    "MergerRetriever": lambda r: MergerRetriever(retrievers=[r, r]),
    "ContextualCompressionRetriever": compressed,
    "create_retriever_tool": lambda r: create_retriever_tool(r, "find", "Finds instructions."),
    "create_retrieval_chain": answered,
    "with_retry, with_fallbacks": lambda r: r.with_retry().with_fallbacks([r]),
}


@pytest.mark.parametrize("component", COMPONENTS.values(), ids=COMPONENTS)
async def test_a_component_of_langchain_answers_as_over_the_stores_own_retriever(component, both):
    own, other = (component(retriever).invoke(QUESTIONS[0]) for retriever in both)
    assert other == own
    if component is not rephrased:  # which has no async of its own
        assert await component(both[1]).ainvoke(QUESTIONS[0]) == own


def union(retriever):
    """Fuse the answers of several questions as RAG-fusion does, by the dump of each document."""
    scores = {}
    for answer in retriever.map().invoke(QUESTIONS):
        for rank, document in enumerate(answer):
            scores[dumps(document)] = scores.get(dumps(document), 0) + 1 / (60 + rank)
    return scores


def test_rag_fusion_finds_a_document_again_by_its_dump(both):
    assert union(both[1]) == union(both[0])


@pytest.mark.parametrize("words_first", [False, True])
def test_a_document_is_the_same_whichever_searches_found_it(store, embeddings, words_first):
    """A store gives ids and a list of documents has none: one of the copies is returned."""
    documents = [Document(text, metadata={"page": page}) for page, text in enumerate(TEXTS)]
    searches = [store, langchain.BM25Search(documents=documents)]
    retriever = langchain.HybridRetriever(
        searches=searches[:: -1 if words_first else 1], embeddings=embeddings, k=K, fusion="rank"
    )
    found = [d for answer in retriever.batch([*QUESTIONS, "VALVE."]) for d in answer]
    assert len({dumps(d) for d in found}) == len({d.page_content for d in found}) < len(found)
    assert all(document in documents for document in multi_query(retriever).invoke("?"))


def test_what_is_done_to_a_found_document_is_not_done_to_what_is_searched(embeddings):
    documents = [Document("RESET THE PUMP.", metadata={"page": 1})]
    retriever = langchain.HybridRetriever(
        searches=[langchain.BM25Search(documents=documents)], embeddings=embeddings, fusion="rank"
    )
    retriever.invoke("pump")[0].metadata["page"] = 2
    assert retriever.invoke("pump")[0].metadata == documents[0].metadata == {"page": 1}


def test_explained_documents_change_with_the_query(store, embeddings):
    explained = ours(store, embeddings, explain=True)
    found = explained.invoke(QUESTIONS[0])
    assert found[0].metadata["kakehashi"]["searches"].keys() == {"vectors"}
    assert len(multi_query(explained).invoke("?")) > len(
        multi_query(ours(store, embeddings)).invoke("?")
    )


def test_copies_are_one_document_or_two_citations(store, embeddings):
    store.add_texts([TEXTS[0]], [{"page": 99}])
    documents = [Document(text, metadata={"page": page}) for page, text in enumerate(TEXTS)]
    documents.append(Document(TEXTS[0], metadata={"page": 99}))
    searches = [store, langchain.BM25Search(documents=documents)]

    def pages(merge):
        retriever = langchain.HybridRetriever(
            searches=searches, embeddings=embeddings, k=30, fusion="rank", merge=merge, explain=True
        )
        found = [d for d in retriever.invoke(TEXTS[0]) if d.page_content == TEXTS[0]]
        for document in found:
            assert document.metadata["kakehashi"]["searches"].keys() == {"vectors", "words"}
        return {document.metadata["page"] for document in found}

    assert len(pages("text")) == 1
    assert pages("identity") == {0, 99}
    with pytest.raises(ValueError, match="merge"):
        pages("id")


def test_a_retriever_with_a_score_threshold_is_the_stores_own(embeddings):
    store = chroma(embeddings)
    store.add_texts(TEXTS)
    how = {"search_type": "similarity_score_threshold", "search_kwargs": {"score_threshold": 0.2}}
    own = store.as_retriever(**how).invoke(QUESTIONS[0])
    assert langchain.AlignedVectorStore(store).as_retriever(**how).invoke(QUESTIONS[0]) == own


def test_an_embedder_of_imagined_documents_takes_them_for_documents(embeddings):
    hyde = HypotheticalDocumentEmbedder.from_llm(
        RunnableLambda(lambda _: TEXTS[2]), embeddings, prompt_key="web_search"
    )
    assert hyde.embed_query("?") == embeddings.embed_documents([TEXTS[2]])[0]
    store = InMemoryVectorStore(embeddings)
    store.add_texts(TEXTS)
    assert store.similarity_search_by_vector(hyde.embed_query("?"), k=1)[0].page_content == TEXTS[2]
