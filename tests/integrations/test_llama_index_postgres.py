"""LlamaIndex's store in PostgreSQL: another aligner's vectors are refused, and records are kept."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest
from llama_index.core import StorageContext, VectorStoreIndex
from llama_index.core.schema import TextNode
from support.postgres_server import postgres_url
from support.toy_data import ENCODERS
from support.vector_stores import fresh, li_postgres

from kakehashi.errors import AlignerMismatchError
from kakehashi.integrations.llama_index import AlignedEmbedding, AlignedRetriever
from kakehashi.integrations.llama_index.index import index_of
from kakehashi.integrations.llama_index.postgres import WithVectors
from kakehashi.integrations.llama_index.stored_vectors import stored_vectors
from kakehashi.projection.head import AffineHead
from kakehashi.retrieval.index_record import KEY

module = pytest.importorskip("llama_index.vector_stores.postgres")
TEXTS = [f"{verb} the {part} {n}" for verb in ("reset", "drain") for part in "ab" for n in range(4)]


@pytest.fixture(scope="module")
def embedding(text_aligner):
    return AlignedEmbedding(aligner=text_aligner)


@pytest.fixture(scope="module")
def others(text_aligner):
    """The embedding of another aligner, of the same encoders and dimension."""
    target = text_aligner.projection.target
    turned = np.roll(target.weight, 5, axis=1), np.roll(target.bias, 5)
    projection = replace(text_aligner.projection, target=AffineHead(*turned))
    return AlignedEmbedding(aligner=replace(text_aligner, projection=projection))


def filled(embedding, nodes, store=None):
    store = store or li_postgres(embedding, None, None)
    context = StorageContext.from_defaults(vector_store=store)
    return VectorStoreIndex(nodes, storage_context=context, embed_model=embedding)


def nodes():
    return [TextNode(text=text) for text in TEXTS]


def ways_to_search(index, embedding):
    yield lambda: index.as_retriever(similarity_top_k=4).retrieve("PUMP 1")
    retriever = AlignedRetriever(index, embedding, similarity_top_k=4)
    yield lambda: retriever.retrieve("PUMP 1")
    yield lambda: asyncio.run(retriever.aretrieve("PUMP 1"))


def test_an_index_that_another_aligner_filled_is_refused_in_every_way(embedding, others):
    store = filled(others, nodes()).vector_store
    for search in ways_to_search(VectorStoreIndex.from_vector_store(store, others), others):
        assert len(search()) == 4
    index = VectorStoreIndex.from_vector_store(store, embedding)
    for search in ways_to_search(index, embedding):
        with pytest.raises(AlignerMismatchError, match="was filled through the aligner"):
            search()
    with pytest.raises(AlignerMismatchError):
        index.insert_nodes([TextNode(text="oil the valve 1")])


def test_the_vectors_alone_show_an_index_that_was_not_moved(embedding):
    raw = ENCODERS["target_encoder"](TEXTS)
    bare = [TextNode(text=t, embedding=v.tolist()) for t, v in zip(TEXTS, raw, strict=True)]
    store = li_postgres(embedding, None, None)
    store.add(bare)
    index = VectorStoreIndex.from_vector_store(store, embedding)
    for search in ways_to_search(index, embedding):
        with pytest.raises(AlignerMismatchError, match="not hold this aligner's"):
            search()


def test_the_record_is_written_before_the_first_node(embedding, text_aligner):
    index = index_of(filled(embedding, nodes()), embedding.text_of, 24)
    assert index.record().fingerprint == text_aligner.fingerprint
    assert index.kept(KEY) is not None
    assert {document.text for document in index.sample(32)} == {*TEXTS}


@pytest.mark.parametrize("half", [False, True])
def test_vectors_come_with_the_search_or_by_ids(half, embedding):
    store = module.PGVectorStore.from_params(
        connection_string=postgres_url("psycopg"),
        async_connection_string=postgres_url("asyncpg"),
        table_name=fresh(),
        embed_dim=24,
        use_halfvec=half,
    )
    index = filled(embedding, nodes(), store)
    found = AlignedRetriever(index, embedding, similarity_top_k=3).retrieve(TEXTS[1])
    assert isinstance(WithVectors.of(store), WithVectors) is not half
    bare = [row.node.model_copy(update={"embedding": None}) for row in found]
    vectors = np.stack([np.asarray(v, np.float32) for v in stored_vectors(index, bare)])
    wanted = embedding.aligner.embed_documents([node.text for node in bare])
    np.testing.assert_allclose(vectors, wanted, atol=1e-3 if half else 1e-6)
