"""LlamaIndex: every flaw of its own adapter, and every trap of its caches, is a test here."""

import asyncio
import pickle
import threading
from collections import Counter
from dataclasses import replace

import chromadb
import numpy as np
import pytest
from llama_index.core import Settings, StorageContext, VectorStoreIndex
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events.embedding import EmbeddingEndEvent
from llama_index.core.instrumentation.events.retrieval import RetrievalEndEvent
from llama_index.core.llms import MockLLM
from llama_index.core.retrievers import QueryFusionRetriever
from llama_index.core.schema import QueryBundle, TextNode
from llama_index.core.storage.kvstore import SimpleKVStore
from llama_index.core.vector_stores import MetadataFilter, MetadataFilters
from llama_index.vector_stores.chroma import ChromaVectorStore
from support.toy_data import embed, hashed_letters, reversed_letters

import kakehashi
from kakehashi.errors import AlignerMismatchError, DataError, KakehashiError
from kakehashi.integrations.llama_index import (
    AlignedEmbedding,
    AlignedRetriever,
    BM25Search,
    HybridRetriever,
    VectorSearch,
)
from kakehashi.types import SIDES

TEXTS = ["reset the pump 1", "check the valve 2", "fit the seal 3", "drain the tank 0"]


@pytest.fixture
def embedding(text_aligner):
    return AlignedEmbedding(aligner=text_aligner)


@pytest.fixture(scope="module")
def other_aligner(text_aligner, tmp_path_factory):
    """Another aligner between the same encoders."""
    texts = [f"{verb} a {thing}" for verb in ("lift", "move", "turn") for thing in "abcdefghij"]
    pairs = kakehashi.Pairs(texts, [t.upper() for t in texts])
    fitted = kakehashi.fit(
        pairs, source_encoder=hashed_letters, target_encoder=reversed_letters, mode="shared"
    )
    folder = fitted.save(tmp_path_factory.mktemp("other") / "aligner")
    return kakehashi.Aligner.load(folder).with_encoders(
        source_encoder=hashed_letters, target_encoder=reversed_letters
    )


def nodes(**metadata):
    return [TextNode(id_=str(i), text=t, metadata=metadata) for i, t in enumerate(TEXTS)]


@pytest.fixture
def index(embedding):
    return VectorStoreIndex(nodes(), embed_model=embedding)


class CountingEncoder:
    """Hashed letters that remember how they were called."""

    name = "counting"

    def __init__(self):
        self.calls = []

    def encode(self, texts, role="document"):
        self.calls.append((len(texts), threading.get_ident()))
        return hashed_letters(texts)


def counted(aligner, side="source"):
    encoder = CountingEncoder()
    counting = aligner.with_encoders(source_encoder=encoder, target_encoder=encoder)
    counting._verified.update(("source", "target"))
    return encoder, counting


def test_a_batch_stays_a_batch(text_aligner):
    encoder, counting = counted(text_aligner)
    embedding = AlignedEmbedding(aligner=counting, document_modality="source", embed_batch_size=50)
    assert len(embedding.get_text_embedding_batch([f"text {i}" for i in range(100)])) == 100
    assert [n for n, _ in encoder.calls] == [50, 50]


def test_async_gives_the_same_vectors_and_leaves_the_event_loop_free(text_aligner):
    encoder, counting = counted(text_aligner)
    embedding = AlignedEmbedding(aligner=counting, document_modality="source")

    async def run():
        return (
            await embedding.aget_query_embedding("pump"),
            await embedding.aget_text_embedding("pump"),
            await embedding.aget_text_embedding_batch(TEXTS),
        )

    query, text, batch = asyncio.run(run())
    assert threading.get_ident() not in {thread for _, thread in encoder.calls}
    assert query == embedding.get_query_embedding("pump")
    assert text == embedding.get_text_embedding("pump")
    assert batch == embedding.get_text_embedding_batch(TEXTS)


def test_query_and_document_have_their_own_maps(embedding, text_aligner):
    for role, found in (
        ("query", embedding.get_query_embedding("pump")),
        ("document", embedding.get_text_embedding("pump")),
    ):
        side = "source" if role == "query" else "target"
        expected = embed(text_aligner, ["pump"], side, role)[0]
        assert np.array_equal(np.float32(found), expected)


def test_dump_and_load_keep_map_encoders_and_modalities(text_aligner):
    embedding = AlignedEmbedding(aligner=text_aligner, query_modality="target")
    dumped = embedding.to_dict()
    again = AlignedEmbedding.from_dict(
        dumped, source_encoder=hashed_letters, target_encoder=reversed_letters
    )
    assert again.get_query_embedding("pump") == embedding.get_query_embedding("pump")
    assert dumped["aligner"]["fingerprint"] == text_aligner.fingerprint
    assert dumped["class_name"] == "AlignedEmbedding"


def test_loading_a_dump_refuses_another_aligner_at_its_path(text_aligner, other_aligner):
    dumped = AlignedEmbedding(aligner=text_aligner).to_dict()
    dumped["aligner"]["path"] = str(other_aligner.path)
    with pytest.raises(AlignerMismatchError, match=other_aligner.fingerprint[:12]):
        AlignedEmbedding.from_dict(dumped)


def test_a_dump_of_an_unsaved_aligner_says_that_it_cannot_be_loaded(vector_pairs):
    unsaved = AlignedEmbedding(aligner=kakehashi.fit(vector_pairs, mode="keep"))
    with pytest.raises(KakehashiError, match="never been saved"):
        AlignedEmbedding.from_dict(unsaved.to_dict())


def test_no_torch_pickle_is_ever_read(text_aligner):
    assert {p.suffix for p in text_aligner.path.iterdir()} == {".json", ".safetensors", ".md"}


def test_sides_of_different_dimensions_work(embedding, text_aligner):
    assert text_aligner.dimensions == {"source": 32, "target": 24}
    assert len(embedding.get_query_embedding("a")) == len(embedding.get_text_embedding("a"))


def test_a_wrong_dimension_surfaces_before_a_query_is_answered(text_aligner):
    narrow = AlignedEmbedding(aligner=text_aligner.with_encoders(source_encoder=reversed_letters))
    with pytest.raises(kakehashi.KakehashiError, match=r"trained with.*32 dimensions"):
        narrow.get_query_embedding("pump")


def test_the_same_text_gives_the_same_vector_every_time(embedding):
    assert len({tuple(embedding.get_query_embedding("pump")) for _ in range(5)}) == 1


def test_an_unknown_field_is_refused(text_aligner):
    with pytest.raises(ValueError, match="query_modalty"):
        AlignedEmbedding(aligner=text_aligner, query_modalty="source")


def test_pickling_keeps_the_weights(embedding):
    again = pickle.loads(pickle.dumps(embedding))
    assert again.get_query_embedding("pump") == embedding.get_query_embedding("pump")


def test_what_cannot_be_pickled_raises_instead_of_vanishing(text_aligner):
    embedding = AlignedEmbedding(
        aligner=text_aligner.with_encoders(source_encoder=lambda texts: texts)
    )
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(embedding)


@pytest.mark.slow
def test_a_pipeline_with_two_workers_gives_the_vectors_of_one(embedding):
    given = nodes()
    alone = IngestionPipeline(transformations=[embedding], disable_cache=True).run(nodes=nodes())
    both = IngestionPipeline(transformations=[embedding], disable_cache=True).run(
        nodes=given, num_workers=2
    )
    assert [n.embedding for n in both] == [n.embedding for n in alone]


def test_the_pipeline_cache_notices_another_aligner(text_aligner, other_aligner):
    pipeline = IngestionPipeline(transformations=[AlignedEmbedding(aligner=text_aligner)])
    first = pipeline.run(nodes=nodes())
    pipeline.transformations = [AlignedEmbedding(aligner=other_aligner)]
    second = pipeline.run(nodes=nodes())
    expected = other_aligner.embed_documents(TEXTS, modality="target")
    assert np.array_equal(np.float32([n.embedding for n in second]), expected)
    assert [n.embedding for n in first] != [n.embedding for n in second]


def test_one_embeddings_cache_holds_queries_documents_and_two_aligners(text_aligner, other_aligner):
    store = SimpleKVStore()
    for aligner in (text_aligner, other_aligner):
        plain = AlignedEmbedding(aligner=aligner)
        cached = AlignedEmbedding(aligner=aligner, embeddings_cache=store)
        for _ in range(2):
            assert cached.get_query_embedding("pump") == plain.get_query_embedding("pump")
            assert cached.get_text_embedding("pump") == plain.get_text_embedding("pump")
            assert cached.get_text_embedding_batch(["pump"]) == [plain.get_text_embedding("pump")]
            assert asyncio.run(cached.aget_query_embedding("pump")) == plain.get_query_embedding(
                "pump"
            )


def test_the_embeddings_cache_saves_calls(text_aligner):
    encoder, counting = counted(text_aligner)
    embedding = AlignedEmbedding(aligner=counting, embeddings_cache=SimpleKVStore())
    for _ in range(3):
        embedding.get_query_embedding("pump")
    assert len(encoder.calls) == 1


@pytest.mark.parametrize("run", ["sync", "async"])
def test_the_embeddings_cache_keeps_what_rescoring_needs(keeping_aligner, run):
    encoder, counting = counted(keeping_aligner)
    embedding = AlignedEmbedding(aligner=counting, embeddings_cache=SimpleKVStore())
    bundle = QueryBundle("pump", custom_embedding_strs=["pump", "valve"])

    def prepared():
        if run == "sync":
            return embedding.prepare_bundle(bundle)
        return asyncio.run(embedding.aprepare_bundle(bundle))

    found = [prepared() for _ in range(3)]
    assert len(encoder.calls) == 2
    each = [counting.prepare_query(text, "source").rescoring for text in ("pump", "valve")]
    mean = (each[0] + each[1]) / np.linalg.norm(each[0] + each[1])
    for query in found:
        np.testing.assert_allclose(query.rescoring, mean, atol=1e-6)
    declared = AlignedEmbedding(aligner=keeping_aligner, query_modality="target")
    assert declared.prepare_bundle(bundle).rescoring is None


@pytest.mark.parametrize("run", ["sync", "async"])
def test_nodes_choose_their_modality_by_metadata(embedding, text_aligner, run):
    given = [TextNode(text="pump", metadata={"modality": "source"}), TextNode(text="pump")]
    if run == "sync":
        embedding(given)
    else:
        asyncio.run(embedding.acall(given))
    for node, side in zip(given, ("source", "target"), strict=True):
        expected = text_aligner.embed_documents(["pump"], modality=side)[0]
        assert np.array_equal(np.float32(node.embedding), expected)
    with pytest.raises(DataError, match="modality='French'"):
        embedding([TextNode(text="pump", metadata={"modality": "French"})])


def test_it_serves_as_the_embed_model_of_settings(embedding):
    before = Settings._embed_model
    try:
        Settings.embed_model = embedding
        retriever = VectorStoreIndex(nodes()).as_retriever(similarity_top_k=1)
        assert retriever.retrieve("check the valve 2")[0].text == "check the valve 2"
    finally:
        Settings._embed_model = before


def test_an_index_that_exists_is_searched_by_naming_the_embed_model(index, embedding):
    plain = index.as_retriever(embed_model=embedding, similarity_top_k=2)
    ours = AlignedRetriever(index, embedding, similarity_top_k=2)
    for query in TEXTS:
        expected = [(n.node_id, n.score) for n in plain.retrieve(query)]
        assert [(n.node_id, n.score) for n in ours.retrieve(query)] == expected
        found = asyncio.run(ours.aretrieve(query))
        assert [(n.node_id, n.score) for n in found] == expected


def test_a_chroma_index_is_searched_with_filters(embedding, tmp_path):
    import chromadb

    collection = chromadb.PersistentClient(str(tmp_path)).create_collection("notes")
    context = StorageContext.from_defaults(vector_store=ChromaVectorStore(collection))
    index = VectorStoreIndex(
        [TextNode(text=t, metadata={"part": t.split()[2]}) for t in TEXTS],
        storage_context=context,
        embed_model=embedding,
    )
    filters = MetadataFilters(filters=[MetadataFilter(key="part", value="seal")])
    retriever = AlignedRetriever(index, embedding, similarity_top_k=3, filters=filters)
    assert [n.text for n in retriever.retrieve("pump")] == ["fit the seal 3"]


def test_a_shared_query_bundle_is_neither_trusted_nor_written_to(index, embedding):
    retriever = AlignedRetriever(index, embedding, similarity_top_k=1)
    bundle = QueryBundle("check the valve 2", embedding=[0.5] * 24)
    assert retriever.retrieve(bundle)[0].text == "check the valve 2"
    assert bundle.embedding == [0.5] * 24
    untouched = QueryBundle("check the valve 2")
    retriever.retrieve(untouched)
    assert untouched.embedding is None


def test_fusion_over_two_aligners_asks_each_with_its_own_vector(index, text_aligner, other_aligner):
    other = AlignedEmbedding(aligner=other_aligner)
    second = VectorStoreIndex(nodes(), embed_model=other)
    retrievers = [
        AlignedRetriever(index, AlignedEmbedding(aligner=text_aligner), similarity_top_k=2),
        AlignedRetriever(second, other, similarity_top_k=2),
    ]
    alone = Counter(n.node_id for each in retrievers for n in each.retrieve("drain the tank 0"))
    fused = QueryFusionRetriever(
        retrievers, num_queries=1, similarity_top_k=4, use_async=False, llm=MockLLM()
    )
    assert {n.node_id for n in fused.retrieve("drain the tank 0")} == set(alone)


class Recorder(BaseEventHandler):
    """Keep the events of an instrumentation."""

    seen: list  # of events

    @classmethod
    def class_name(cls):
        return "Recorder"

    def handle(self, event, **kwargs):
        self.seen.append(event)


def test_events_name_the_aligner(index, embedding):
    recorder, root = Recorder(seen=[]), get_dispatcher()
    root.add_event_handler(recorder)
    try:
        AlignedRetriever(index, embedding, similarity_top_k=1).retrieve("pump")
    finally:
        root.event_handlers.remove(recorder)
    kinds = [type(event) for event in recorder.seen]
    assert kinds.count(EmbeddingEndEvent) == 1
    assert kinds.count(RetrievalEndEvent) == 1
    assert embedding.model_name.endswith(embedding.aligner.fingerprint[:12])


def test_k_below_one_is_refused(index, embedding):
    with pytest.raises(DataError, match="similarity_top_k=0"):
        AlignedRetriever(index, embedding, similarity_top_k=0)


def test_an_index_that_was_not_moved_is_refused_with_the_way_to_move_it(ngram_aligner, tmp_path):
    stored = reversed_letters(TEXTS)
    collection = chromadb.PersistentClient(str(tmp_path)).create_collection("unmoved")
    collection.add(ids=TEXTS, documents=TEXTS, embeddings=stored)
    embedding = AlignedEmbedding(aligner=ngram_aligner)
    index = VectorStoreIndex.from_vector_store(ChromaVectorStore(collection), embed_model=embedding)
    retriever = AlignedRetriever(index, embedding)
    for ask in (retriever.retrieve, lambda query: asyncio.run(retriever.aretrieve(query))):
        with pytest.raises(AlignerMismatchError, match=r"24 dimensions.* gives 20.*to be moved"):
            ask("pump")


# What a newcomer passes


def both_retrievers(index, embedding):
    yield AlignedRetriever(index, embedding)
    yield HybridRetriever([index], embedding, fusion="rank")


def texts_of(rows):
    return [row.text for row in rows]


def test_the_embedding_of_a_retriever_may_be_an_aligner_or_its_folder(
    text_aligner, embedding, index
):
    expected = [texts_of(r.retrieve("pump")) for r in both_retrievers(index, embedding)]
    of_aligner = both_retrievers(index, text_aligner)
    assert [texts_of(retriever.retrieve("pump")) for retriever in of_aligner] == expected
    for folder in (text_aligner.path, str(text_aligner.path)):
        for retriever in both_retrievers(index, folder):
            assert retriever.embedding.aligner.fingerprint == text_aligner.fingerprint


def test_the_embedding_of_a_retriever_may_be_a_multi_aligner(ngram_aligner, index):
    keep = replace(ngram_aligner, mode="keep")
    several = kakehashi.MultiAligner({"ja": keep}, target="en")
    for retriever in both_retrievers(index, several):
        assert retriever.embedding.query_modality == "auto"
        assert retriever.embedding.document_modality == "en"


@pytest.mark.parametrize("wrong", [None, 5, reversed_letters, ["aligner"]])
def test_what_is_no_embedding_is_named_with_what_may_be_passed(wrong, index):
    said = r"is no AlignedEmbedding; give one, an Aligner, a MultiAligner, or the folder of a"
    with pytest.raises(DataError, match=said):
        AlignedRetriever(index, wrong)
    with pytest.raises(DataError, match=said):
        HybridRetriever([index], wrong)
    with pytest.raises(ValueError, match=r"aligner=.*; give an Aligner, a MultiAligner, or the fo"):
        AlignedEmbedding(aligner=wrong)


def test_an_index_is_taken_for_a_search_of_it(embedding, index):
    def retriever(*searches):
        return HybridRetriever(searches, embedding, fusion="rank", explain=True)

    words = BM25Search(nodes())
    short, full = retriever(index, words), retriever(VectorSearch(index), words)
    assert short.retrieve("pump") == full.retrieve("pump")
    found_by = short.retrieve("pump")[0].metadata["kakehashi"]["searches"]
    assert set(found_by) == {"vectors", "words"}


def test_nodes_are_taken_for_no_search_and_their_search_is_named(embedding, index):
    for wrong in ([nodes()], nodes(), [None], [index.vector_store]):
        with pytest.raises(DataError, match=r"searches hold .*by words with BM25Search\(nodes\)"):
            HybridRetriever(wrong, embedding)
    for wrong in (index, VectorSearch(index), None, "words"):
        with pytest.raises(DataError, match=r"give a list, such as \[index, BM25Search\("):
            HybridRetriever(wrong, embedding)


def test_a_search_refuses_what_it_cannot_search_when_it_is_made(embedding, index):
    for wrong in (nodes(), index.vector_store):
        with pytest.raises(DataError, match=r"is no VectorStoreIndex; give one"):
            VectorSearch(wrong)
    with pytest.raises(DataError, match="filter=1 is no option"):
        VectorSearch(index, options={"filter": 1})
    with pytest.raises(DataError, match="options hold similarity_top_k"):
        VectorSearch(index, options={"similarity_top_k": 1})
    with pytest.raises(DataError, match=r"nodes hold 'a pump'; give nodes, such as TextNode"):
        HybridRetriever([BM25Search(["a pump"])], embedding, fusion="rank")


def test_what_is_no_index_is_named_with_the_way_to_one(embedding, index):
    for wrong in (index.vector_store, [index, index], nodes()):
        with pytest.raises(DataError, match=r"VectorStoreIndex.from_vector_store\(.*Several"):
            AlignedRetriever(wrong, embedding)


def test_modalities_that_are_not_declared_are_those_of_the_aligner(text_aligner):
    embedding = AlignedEmbedding(aligner=text_aligner, query_modality=None)
    assert (embedding.query_modality, embedding.document_modality) == ("source", "target")
    with pytest.raises(ValueError, match="query_modality=''; choose one of source, target, or aut"):
        AlignedEmbedding(aligner=text_aligner, query_modality="")
    with pytest.raises(ValueError, match="document_modality='French'; choose one of source, targ"):
        AlignedEmbedding(aligner=text_aligner, document_modality="French")


# The metadata before a text


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("others", [{}, {"page": 3}, {"part": "a: b", "page": 3}])
def test_a_node_is_embedded_alike_by_an_index_and_by_the_embedding(
    embedding, text_aligner, side, others
):
    def node():
        return TextNode(text=" two\n\nparts ", metadata={**others, "modality": side})

    [by_us] = embedding([node()])
    index = VectorStoreIndex([node()], embed_model=embedding)
    [by_index] = index.vector_store.data.embedding_dict.values()
    assert by_index == by_us.embedding
    text = embedding.text_of(node())
    assert "modality" not in text
    assert all(f"{name}: {value}" in text for name, value in others.items())
    [expected] = text_aligner.embed_documents([text], modality=side)
    assert np.array_equal(np.float32(by_index), expected)


def test_a_text_that_only_looks_like_metadata_is_a_text(embedding, text_aligner):
    for text in ("modality: source", "modality: French\n\npump", "pump\n\nmodality: source"):
        [expected] = text_aligner.embed_documents([text], modality="target")
        assert np.array_equal(np.float32(embedding.get_text_embedding(text)), expected)
