"""LlamaIndex: an index of another aligner's vectors is refused, whichever way it is asked."""

import asyncio
import uuid
from dataclasses import replace

import chromadb
import faiss
import numpy as np
import pytest
from llama_index.core import (
    DocumentSummaryIndex,
    MockEmbedding,
    StorageContext,
    VectorStoreIndex,
    load_index_from_storage,
)
from llama_index.core.ingestion import DocstoreStrategy, IngestionPipeline
from llama_index.core.llms import MockLLM
from llama_index.core.node_parser import SemanticSplitterNodeParser
from llama_index.core.schema import Document, TextNode
from llama_index.core.storage.docstore import SimpleDocumentStore
from llama_index.core.vector_stores import SimpleVectorStore
from llama_index.vector_stores.chroma import ChromaVectorStore
from llama_index.vector_stores.faiss import FaissVectorStore
from llama_index.vector_stores.qdrant import QdrantVectorStore
from qdrant_client import AsyncQdrantClient, QdrantClient
from support.toy_data import reversed_letters

from kakehashi.errors import AlignerMismatchError, DataError
from kakehashi.integrations.llama_index import AlignedEmbedding, AlignedRetriever, HybridRetriever
from kakehashi.integrations.llama_index.index import index_of
from kakehashi.projection.head import AffineHead

TEXTS = [
    f"{verb} the {part} {n}"
    for verb in ("reset", "drain")
    for part in ("pump", "seal")
    for n in range(4)
]


@pytest.fixture(scope="module")
def embedding(text_aligner):
    return AlignedEmbedding(aligner=text_aligner)


@pytest.fixture(scope="module")
def other(text_aligner):
    """An embedding of another aligner, of the same encoders and dimension."""
    target = text_aligner.projection.target
    turned = AffineHead(np.roll(target.weight, 5, axis=1), np.roll(target.bias, 5))
    projection = replace(text_aligner.projection, target=turned)
    return AlignedEmbedding(aligner=replace(text_aligner, projection=projection))


def lancedb():
    lance = pytest.importorskip("lancedb")
    module = pytest.importorskip("llama_index.vector_stores.lancedb")
    return module.LanceDBVectorStore(connection=lance.connect("memory://"))


STORES = {
    "simple": SimpleVectorStore,
    "faiss": lambda: FaissVectorStore(faiss.IndexFlatL2(24)),
    "chroma": lambda: ChromaVectorStore(
        chromadb.EphemeralClient().create_collection(f"c{uuid.uuid4().hex}")
    ),
    "qdrant": lambda: QdrantVectorStore("c", client=QdrantClient(":memory:")),
    "lancedb": lancedb,
}


@pytest.fixture(params=STORES)
def store(request):
    return STORES[request.param]()


def filled(store, embedding):
    context = StorageContext.from_defaults(vector_store=store)
    nodes = [TextNode(text=text) for text in TEXTS]
    return VectorStoreIndex(nodes, storage_context=context, embed_model=embedding)


def ways_to_search(index, embedding):
    """Every way to ask an index: by the framework's own retriever and by ours, and awaited."""
    theirs = index.as_retriever(embed_model=embedding, similarity_top_k=4)
    ours = AlignedRetriever(index, embedding)
    for retriever in (theirs, ours, HybridRetriever([index], embedding, fusion="rank")):
        yield lambda retriever=retriever: retriever.retrieve("PUMP 1")
        if not isinstance(index.vector_store, QdrantVectorStore):  # in memory it has no async
            yield lambda retriever=retriever: asyncio.run(retriever.aretrieve("PUMP 1"))


def test_an_index_that_another_aligner_filled_is_refused_in_every_way(store, embedding, other):
    index = filled(store, other)
    for search in ways_to_search(index, other):
        assert len(search()) == 4
    for search in ways_to_search(index, embedding):
        with pytest.raises(AlignerMismatchError):
            search()
    index._embed_model = embedding
    with pytest.raises(AlignerMismatchError):
        index.insert_nodes([TextNode(text="oil the valve 1")])


def test_an_index_that_was_not_moved_is_refused_in_every_way(store, embedding):
    nodes = [TextNode(text=text) for text in TEXTS]
    for node, vector in zip(nodes, reversed_letters(TEXTS), strict=True):
        node.embedding = vector.tolist()
    context = StorageContext.from_defaults(vector_store=store)
    index = VectorStoreIndex(nodes, storage_context=context, embed_model=MockEmbedding(24))
    for search in ways_to_search(index, embedding):
        with pytest.raises(
            AlignerMismatchError,
            match=r"not hold this aligner's.*moved first, by kakehashi migrate",
        ):
            search()


def test_a_record_is_kept_in_the_store_or_beside_the_index(store, embedding, text_aligner):
    index = filled(store, embedding)
    assert embedding.record(index)
    record = index_of(index, embedding.text_of, 24).record()
    assert record.fingerprint == text_aligner.fingerprint
    assert len(index.as_retriever(similarity_top_k=4).retrieve("PUMP 1")) == 4


def test_a_persisted_index_that_is_loaded_with_another_aligner_is_refused(
    embedding, other, tmp_path
):
    index = filled(SimpleVectorStore(), embedding)
    embedding.record(index)
    index.storage_context.persist(str(tmp_path))

    def loaded(model):
        context = StorageContext.from_defaults(persist_dir=str(tmp_path))
        return load_index_from_storage(context, embed_model=model).as_retriever()

    assert len(loaded(embedding).retrieve("PUMP 1")) == 2
    with pytest.raises(AlignerMismatchError, match="was filled through the aligner"):
        loaded(other).retrieve("PUMP 1")


def test_edited_nodes_do_not_stop_a_search(embedding):
    index = filled(SimpleVectorStore(), embedding)
    for node in list(index.docstore.docs.values())[::3]:
        index.docstore.add_documents([node.model_copy(update={"text_resource": None})])
    for search in ways_to_search(index, embedding):
        assert len(search()) == 4


def test_a_docstore_skips_what_is_unchanged_and_the_search_that_follows_says_so(embedding, other):
    """After a new fit: a namespace by the model embeds all again, any other is found out."""
    documents = [Document(text=text, doc_id=text) for text in TEXTS]

    def run(model, docstore, store):
        pipeline = IngestionPipeline(
            transformations=[model],
            docstore=docstore,
            vector_store=store,
            docstore_strategy=DocstoreStrategy.UPSERTS,
            disable_cache=True,
        )
        return len(pipeline.run(documents=documents))

    store, docstore = STORES["chroma"](), SimpleDocumentStore()
    assert run(other, docstore, store) == len(TEXTS)
    assert run(embedding, docstore, store) == 0
    index = VectorStoreIndex.from_vector_store(store, embed_model=embedding)
    with pytest.raises(AlignerMismatchError):
        index.as_retriever().retrieve("PUMP 1")
    fresh = STORES["chroma"]()
    by_model = SimpleDocumentStore(docstore._kvstore, namespace=embedding.model_name)
    assert run(embedding, by_model, fresh) == len(TEXTS)
    index = VectorStoreIndex.from_vector_store(fresh, embed_model=embedding)
    assert len(index.as_retriever().retrieve("PUMP 1")) == 2


def test_an_index_of_summaries_is_refused_to_another_aligner(embedding, other):
    documents = [Document(text=text) for text in TEXTS]
    index = DocumentSummaryIndex.from_documents(documents, embed_model=other, llm=MockLLM())
    assert index.as_retriever(retriever_mode="embedding").retrieve("PUMP 1")
    index._embed_model = embedding
    with pytest.raises(AlignerMismatchError):
        index.as_retriever(retriever_mode="embedding").retrieve("PUMP 1")


@pytest.mark.parametrize("run", ["sync", "async"])
def test_another_aligner_adds_no_nodes(run, store, embedding, other):
    index = filled(store, other)
    index._embed_model = embedding
    added = [TextNode(text="one more")]
    with pytest.raises(AlignerMismatchError):
        index.insert_nodes(added) if run == "sync" else asyncio.run(index.ainsert_nodes(added))


def inserted(index, nodes, run):
    index.insert_nodes(nodes) if run == "sync" else asyncio.run(index.ainsert_nodes(nodes))


def with_vectors(texts, embedding, **metadata):
    return list(embedding([TextNode(text=text, metadata=metadata) for text in texts]))


@pytest.mark.parametrize("run", ["sync", "async"])
@pytest.mark.parametrize("others_are", ["all", "most"])
@pytest.mark.parametrize("kind", ["simple", "faiss", "chroma"])
def test_nodes_that_bring_vectors_of_another_aligner_are_not_added(
    kind, run, others_are, embedding, other
):
    """Beside new nodes, they would be taken for what the record of the index names."""
    index = filled(STORES[kind](), embedding)
    nodes = with_vectors(["oil the pump 1", "oil the seal 2"], other)
    if others_are == "most":
        nodes.append(TextNode(text="oil the tank 3"))
    with pytest.raises(AlignerMismatchError, match=r"2 of the nodes to add bring vectors"):
        inserted(index, nodes, run)
    assert len(index.as_retriever(similarity_top_k=30).retrieve("PUMP 1")) == len(TEXTS)
    with pytest.raises(AlignerMismatchError, match=r"Set node.embedding = None"):
        VectorStoreIndex(nodes, embed_model=embedding)
    for node in nodes:
        node.embedding = None
    inserted(index, nodes, run)
    assert len(index.as_retriever(similarity_top_k=30).retrieve("PUMP 1")) == len(TEXTS) + len(
        nodes
    )


@pytest.mark.parametrize("run", ["sync", "async"])
@pytest.mark.parametrize("modality", ["source", "target"])
@pytest.mark.parametrize("kind", ["simple", "faiss", "chroma"])
def test_nodes_that_bring_vectors_of_this_aligner_are_added(kind, run, modality, embedding):
    index = filled(STORES[kind](), embedding)
    inserted(index, with_vectors(["oil the pump 1"], embedding, modality=modality), run)
    found = index.as_retriever(similarity_top_k=1).retrieve("OIL THE PUMP 1.")
    assert found[0].node.get_content() == "oil the pump 1"


@pytest.mark.parametrize("run", ["sync", "async"])
def test_a_node_that_names_an_unknown_modality_is_not_added(run, embedding):
    index = filled(SimpleVectorStore(), embedding)
    misspelt = TextNode(text="pump", metadata={"modality": "sorce"})
    with pytest.raises(DataError, match=r"modality='sorce'; allowed are source, target"):
        inserted(index, [TextNode(text="seal"), misspelt], run)
    assert len(index.vector_store.data.embedding_dict) == len(TEXTS)
    with pytest.raises(DataError, match="modality='sorce'"):
        VectorStoreIndex.from_documents(
            [Document(text="pump", metadata=misspelt.metadata)], embed_model=embedding
        )
    misspelt.excluded_embed_metadata_keys = ["modality"]  # not shown: of document_modality
    inserted(index, [misspelt, TextNode(text="modality: French\n\nA text of its own.")], run)


@pytest.mark.parametrize("run", ["sync", "async"])
@pytest.mark.parametrize("kind", ["chroma", "qdrant"])
def test_a_pipeline_adds_no_nodes_of_another_aligner(kind, run, embedding, other):
    index = filled(STORES[kind](), other)
    pipeline = IngestionPipeline(transformations=[embedding], vector_store=index.vector_store)
    added = {"documents": [Document(text="one more")]}
    with pytest.raises(AlignerMismatchError):
        pipeline.run(**added) if run == "sync" else asyncio.run(pipeline.arun(**added))


def test_an_embedding_that_only_splits_texts_is_not_what_fills_a_store(embedding, other):
    splitter = SemanticSplitterNodeParser(embed_model=other, buffer_size=1)
    index = filled(STORES["chroma"](), embedding)
    index._transformations = [splitter]
    index.insert(Document(text="reset the pump. drain the seal."))
    pipeline = IngestionPipeline(
        transformations=[splitter, embedding], vector_store=index.vector_store
    )
    assert pipeline.run(documents=[Document(text="reset the seal. drain the pump.")])


def test_an_emptied_index_is_filled_through_another_aligner(embedding, other):
    index = filled(STORES["chroma"](), other)
    index.as_retriever(embed_model=other).retrieve("PUMP 1")
    store = index.vector_store
    store.delete_nodes(store._collection.get()["ids"])
    index = VectorStoreIndex.from_vector_store(store, embed_model=embedding)
    index.insert_nodes([TextNode(text=text) for text in TEXTS])
    for search in ways_to_search(index, embedding):
        assert len(search()) == 4


def test_a_store_with_an_async_client_only_is_left_alone(embedding):
    store = QdrantVectorStore("c", aclient=AsyncQdrantClient(":memory:"))
    index = VectorStoreIndex.from_vector_store(store, embed_model=embedding)
    asyncio.run(index.ainsert_nodes([TextNode(text=text) for text in TEXTS]))
    assert len(asyncio.run(index.as_retriever().aretrieve("PUMP 1"))) == 2
