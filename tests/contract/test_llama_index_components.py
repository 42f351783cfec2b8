"""Components of LlamaIndex that compare nodes: ours are compared as any other's are.

Each component runs over the index's own retriever and over ours of the same index. Ours of one
index returns what the index's own does, so both runs have to agree.
"""

import asyncio

import pytest
from llama_index.core import MockEmbedding, StorageContext, VectorStoreIndex
from llama_index.core.callbacks import CallbackManager, CBEventType, LlamaDebugHandler
from llama_index.core.chat_engine import ContextChatEngine
from llama_index.core.evaluation import RetrieverEvaluator
from llama_index.core.indices.query.query_transform import HyDEQueryTransform
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events.embedding import EmbeddingEndEvent
from llama_index.core.llms import MockLLM
from llama_index.core.node_parser import HierarchicalNodeParser, get_leaf_nodes
from llama_index.core.postprocessor import (
    LongContextReorder,
    MetadataReplacementPostProcessor,
    SimilarityPostprocessor,
)
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.retrievers import (
    AutoMergingRetriever,
    QueryFusionRetriever,
    RecursiveRetriever,
    RouterRetriever,
    TransformRetriever,
)
from llama_index.core.schema import Document, IndexNode, TextNode
from llama_index.core.selectors import EmbeddingSingleSelector
from llama_index.core.storage.docstore import SimpleDocumentStore
from llama_index.core.storage.kvstore import SimpleKVStore
from llama_index.core.tools import RetrieverTool
from support.toy_data import machine_pairs

from kakehashi.integrations import llama_index
from kakehashi.integrations.llama_index.embedding import _role

PAIRS = machine_pairs()
TEXTS = PAIRS.target_texts[::5]
QUESTIONS = ["reset the pump 0", "reset the pump 1", "check the valve 2", "drain a tank"]
K = 4


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


def test_chunks_are_merged_into_their_parents(embedding):
    text = " ".join(TEXTS)
    chunks = HierarchicalNodeParser.from_defaults(chunk_sizes=[128, 32], chunk_overlap=0)
    parsed = chunks.get_nodes_from_documents([Document(text=text)])
    storage = StorageContext.from_defaults(docstore=SimpleDocumentStore())
    storage.docstore.add_documents(parsed)
    index = VectorStoreIndex(get_leaf_nodes(parsed), storage_context=storage, embed_model=embedding)

    def merged(retriever):
        found = AutoMergingRetriever(retriever, storage, simple_ratio_thresh=0.3)
        return {row.node.hash for row in found.retrieve(QUESTIONS[0])}

    own = merged(index.as_retriever(similarity_top_k=6))
    assert own - {node.hash for node in get_leaf_nodes(parsed)}  # a parent is among them
    assert merged(llama_index.AlignedRetriever(index, embedding, similarity_top_k=6)) == own
    hybrid = llama_index.HybridRetriever([index], embedding, similarity_top_k=6, fusion="rank")
    assert merged(hybrid) == own


def test_a_recursive_retriever_and_postprocessors(both_of_index):
    def answers(retriever):
        recursive = RecursiveRetriever("all", retriever_dict={"all": retriever})
        found = recursive.retrieve(QUESTIONS[0])
        for post in (LongContextReorder(), SimilarityPostprocessor(similarity_cutoff=0.0)):
            found = post.postprocess_nodes(found)
        return rows(found)

    own, *others = map(answers, both_of_index)
    assert len(own) == K
    assert others == [own, own]


def routed(retriever):
    selector = EmbeddingSingleSelector.from_defaults(embed_model=MockEmbedding(2))
    tool = RetrieverTool.from_defaults(retriever, description="Finds instructions.")
    return rows(RouterRetriever(selector, [tool], llm=MockLLM()).retrieve(QUESTIONS[0]))


def chatted(retriever):
    engine = ContextChatEngine.from_defaults(retriever=retriever, llm=MockLLM())
    return rows(engine.chat(QUESTIONS[0]).source_nodes)


def evaluated(retriever):
    evaluator = RetrieverEvaluator.from_metric_names(["mrr", "ndcg"], retriever=retriever)
    found = retriever.retrieve(QUESTIONS[0])
    return evaluator.evaluate(QUESTIONS[0], [found[1].node_id]).metric_vals_dict


def asked(retriever):
    engine = RetrieverQueryEngine.from_args(retriever, llm=MockLLM())
    return rows(engine.query(QUESTIONS[0]).source_nodes)


@pytest.mark.parametrize("use", [routed, chatted, evaluated, asked])
def test_a_component_of_llama_index_answers_as_over_the_indexs_own_retriever(use, both_of_index):
    own, *others = map(use, both_of_index)
    assert own
    assert others == [own, own]


def test_what_is_done_to_a_found_node_is_not_done_to_what_is_searched(embedding):
    """A window around a sentence takes its place after the search."""
    sentences = [TextNode(text=text, metadata={"window": f"... {text} ..."}) for text in TEXTS]
    search = llama_index.BM25Search(sentences)
    retriever = llama_index.HybridRetriever([search], embedding, fusion="rank")
    windows = MetadataReplacementPostProcessor(target_metadata_key="window")
    expected = rows(retriever.retrieve(QUESTIONS[0]))
    replaced = windows.postprocess_nodes(retriever.retrieve(QUESTIONS[0]))
    assert all(row.node.text.startswith("... ") for row in replaced)
    replaced[0].node.metadata["window"] = ""
    assert rows(retriever.retrieve(QUESTIONS[0])) == expected
