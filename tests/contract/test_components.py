"""Components of both frameworks that compare documents: ours are compared as any other's are.

Each component runs twice: over the framework's own retriever of a store, and over ours of the same
store. Our retriever of one store returns what the framework's does, so both runs have to agree.
"""

import asyncio

import pytest
from langchain_chroma import Chroma
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
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_text_splitters import CharacterTextSplitter
from llama_index.core import VectorStoreIndex
from llama_index.core.callbacks import CallbackManager, CBEventType, LlamaDebugHandler
from llama_index.core.indices.query.query_transform import HyDEQueryTransform
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events.embedding import EmbeddingEndEvent
from llama_index.core.llms import MockLLM
from llama_index.core.retrievers import QueryFusionRetriever, TransformRetriever
from llama_index.core.schema import IndexNode, TextNode
from llama_index.core.storage.kvstore import SimpleKVStore
from support.toy_data import machine_pairs
from support.vector_stores import fresh

from kakehashi.integrations import langchain, llama_index
from kakehashi.integrations.llama_index.embedding import _role

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


COMPONENTS = {
    "MultiQueryRetriever": multi_query,
    "RePhraseQueryRetriever": rephrased,
    "EnsembleRetriever": lambda r: EnsembleRetriever(retrievers=[r, r], weights=[0.7, 0.3]),
    "EnsembleRetriever by id": lambda r: EnsembleRetriever(retrievers=[r, r], id_key="page"),
    "MergerRetriever": lambda r: MergerRetriever(retrievers=[r, r]),
    "ContextualCompressionRetriever": compressed,
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


# LlamaIndex


@pytest.fixture
def embedding(text_aligner):
    return llama_index.AlignedEmbedding(aligner=text_aligner)


def nodes():
    return [TextNode(text=text, metadata={"page": page}) for page, text in enumerate(TEXTS)]


class Asking(MockLLM):
    """Rephrases a question as those of this file."""

    def complete(self, prompt, formatted=False, **kwargs):
        answer = super().complete(prompt, formatted, **kwargs)
        answer.text = "\n".join(QUESTIONS[1:])
        return answer


def fused(retriever, mode):
    return QueryFusionRetriever(
        [retriever],
        llm=Asking(),
        mode=mode,
        num_queries=len(QUESTIONS),
        similarity_top_k=8,
        use_async=False,
    )


def rows(found):
    return [(row.node.text, row.node.metadata, row.node.hash) for row in found]


@pytest.mark.parametrize("mode", ["reciprocal_rerank", "relative_score", "dist_based_score"])
def test_query_fusion_of_llama_index_fuses_as_over_the_indexs_own_retriever(embedding, mode):
    index = VectorStoreIndex(nodes(), embed_model=embedding)
    own = fused(index.as_retriever(similarity_top_k=K), mode)
    aligned = fused(llama_index.AlignedRetriever(index, embedding, similarity_top_k=K), mode)
    expected = own.retrieve(QUESTIONS[0])
    assert aligned.retrieve(QUESTIONS[0]) == expected
    # The scores of a fusion by rank are no similarities, but its order is the same.
    hybrid = llama_index.HybridRetriever([index], embedding, similarity_top_k=K, fusion="rank")
    found = fused(hybrid, mode).retrieve(QUESTIONS[0])
    assert len(found) == len({row.node.hash for row in found}) == len(expected)
    if mode == "reciprocal_rerank":
        assert rows(found) == rows(expected)
        assert rows(asyncio.run(fused(hybrid, mode).aretrieve(QUESTIONS[0]))) == rows(expected)


def test_a_node_is_the_same_whichever_searches_found_it(embedding):
    index = VectorStoreIndex(nodes(), embed_model=embedding)
    searches = [index, llama_index.BM25Search(nodes())]  # of other ids
    retriever = llama_index.HybridRetriever(searches, embedding, fusion="rank")
    found = [row.node for question in QUESTIONS for row in retriever.retrieve(question)]
    assert len({n.node_id for n in found}) == len({n.text for n in found}) < len(found)
    assert len({n.hash for n in found}) == len({n.text for n in found})


def test_explained_nodes_are_for_programs_alone(embedding):
    index = VectorStoreIndex(nodes(), embed_model=embedding)
    retriever = llama_index.HybridRetriever([index], embedding, fusion="rank", explain=True)
    [first, *_] = retriever.retrieve(QUESTIONS[0])
    assert first.node.metadata["kakehashi"]["score"] == first.score
    assert "kakehashi" not in first.node.get_content("embed") + first.node.get_content("llm")


@pytest.fixture
def both_of_index(embedding):
    """The retriever of an index, ours of one index, and ours of several searches."""
    index = VectorStoreIndex(nodes(), embed_model=embedding)
    return (
        index.as_retriever(similarity_top_k=K),
        llama_index.AlignedRetriever(index, embedding, similarity_top_k=K),
        llama_index.HybridRetriever([index], embedding, similarity_top_k=K, fusion="rank"),
    )


class Imagining(MockLLM):
    """Writes a document that could answer."""

    def predict(self, *args, **kwargs):
        return "CHECK THE TANK 3."


@pytest.mark.parametrize("include_original", [False, True])
def test_hyde_searches_with_the_document_that_it_imagines(both_of_index, include_original):
    hyde = HyDEQueryTransform(llm=Imagining(), include_original=include_original)
    own, *others = (TransformRetriever(retriever, hyde) for retriever in both_of_index)
    expected = rows(own.retrieve(QUESTIONS[0]))
    assert expected != rows(both_of_index[0].retrieve(QUESTIONS[0]))
    bundle = hyde(QUESTIONS[0])
    for other, retriever in zip(others, both_of_index[1:], strict=True):
        assert rows(other.retrieve(QUESTIONS[0])) == expected
        assert rows(asyncio.run(retriever.aretrieve(bundle))) == expected


class Recorder(BaseEventHandler):
    """Keep the events of an instrumentation."""

    seen: list  # of events

    @classmethod
    def class_name(cls):
        return "Recorder"

    def handle(self, event, **kwargs):
        self.seen.append(type(event))


@pytest.mark.parametrize("way", ["sync", "async"])
def test_events_and_callbacks_are_those_of_the_indexs_own_retriever(embedding, way):
    def seen_by(make):
        debug = LlamaDebugHandler(print_trace_on_end=False)
        manager = CallbackManager([debug])
        model = llama_index.AlignedEmbedding(aligner=embedding.aligner, callback_manager=manager)
        index = VectorStoreIndex(nodes(), embed_model=model, callback_manager=manager)
        recorder, root = Recorder(seen=[]), get_dispatcher()
        retriever = make(index, model)
        debug.flush_event_logs()
        root.add_event_handler(recorder)
        try:
            if way == "sync":
                retriever.retrieve(QUESTIONS[0])
            else:
                asyncio.run(retriever.aretrieve(QUESTIONS[0]))
        finally:
            root.event_handlers.remove(recorder)
        return recorder.seen, [event.event_type for event in debug.get_events()]

    own = seen_by(lambda index, model: index.as_retriever(embed_model=model))
    assert EmbeddingEndEvent in own[0]
    assert CBEventType.EMBEDDING in own[1]
    assert seen_by(llama_index.AlignedRetriever) == own
    hybrid = seen_by(
        lambda index, model: llama_index.HybridRetriever([index], model, fusion="rank")
    )
    assert hybrid == own


def test_a_hybrid_search_reads_the_embeddings_cache(embedding):
    cache = SimpleKVStore()
    cached = llama_index.AlignedEmbedding(aligner=embedding.aligner, embeddings_cache=cache)
    index = VectorStoreIndex(nodes(), embed_model=embedding)
    hybrid = llama_index.HybridRetriever([index], cached, fusion="rank")
    expected = hybrid.retrieve(QUESTIONS[0])
    kept = cached.embeddings_cache.get_all("embeddings")
    assert not kept  # of documents
    with _role.set(cached, "query"):
        assert list(cached.embeddings_cache.get_all("embeddings")) == [QUESTIONS[0]]
    assert hybrid.retrieve(QUESTIONS[0]) == expected


def test_a_node_that_stands_for_a_retriever_is_followed(embedding):
    inner = VectorStoreIndex(nodes(), embed_model=embedding).as_retriever(similarity_top_k=1)
    outer = VectorStoreIndex(
        objects=[IndexNode(text=TEXTS[0], index_id="inner", obj=inner)], embed_model=embedding
    )
    own = outer.as_retriever(similarity_top_k=1).retrieve(QUESTIONS[0])
    hybrid = llama_index.HybridRetriever([outer], embedding, fusion="rank")
    assert rows(hybrid.retrieve(QUESTIONS[0])) == rows(own)
    assert own[0].node.text in TEXTS


# The same sentence on two pages


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


def test_copies_are_one_node_or_two_citations(embedding):
    copy = TextNode(text=TEXTS[0], metadata={"page": 99})
    index = VectorStoreIndex([*nodes(), copy], embed_model=embedding)
    searches = [index, llama_index.BM25Search([*nodes(), copy])]

    def pages(merge):
        retriever = llama_index.HybridRetriever(
            searches, embedding, similarity_top_k=30, fusion="rank", merge=merge
        )
        return {
            row.node.metadata["page"]
            for row in retriever.retrieve(TEXTS[0])
            if row.node.text == TEXTS[0]
        }

    assert len(pages("text")) == 1
    assert pages("identity") == {0, 99}
    with pytest.raises(ValueError, match="merge='id' is not known; choose one of text, identity"):
        pages("id")
