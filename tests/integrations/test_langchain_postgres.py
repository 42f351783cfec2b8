"""LangChain's stores in PostgreSQL: another aligner's vectors are refused, and records are kept."""

import asyncio
import warnings
from dataclasses import replace

import numpy as np
import pytest
from langchain_core.documents import Document
from support.postgres_server import postgres_url
from support.toy_data import ENCODERS
from support.vector_stores import fresh, lc_postgres, lc_postgres_collection

from kakehashi.errors import AlignerMismatchError
from kakehashi.integrations.langchain import AlignedEmbeddings, AlignedRetriever
from kakehashi.integrations.langchain.filters import joined, kind_of
from kakehashi.integrations.langchain.index import index_of, scale_of
from kakehashi.integrations.langchain.searches import rows_of
from kakehashi.integrations.langchain.stored_documents import documents_by_ids
from kakehashi.integrations.langchain.stored_vectors import stored_vectors
from kakehashi.integrations.stores.movable.opening import open_movable
from kakehashi.projection.head import AffineHead
from kakehashi.retrieval.index_record import KEY

postgres = pytest.importorskip("langchain_postgres")
TEXTS = [f"{verb} the {part} {n}" for verb in ("reset", "drain") for part in "ab" for n in range(4)]
MAKERS = {"table": lc_postgres, "collection": lc_postgres_collection}


@pytest.fixture(scope="module")
def embeddings(text_aligner):
    return AlignedEmbeddings(aligner=text_aligner)


@pytest.fixture(scope="module")
def others(text_aligner):
    """Embeddings of another aligner, of the same encoders and dimension."""
    target = text_aligner.projection.target
    turned = np.roll(target.weight, 5, axis=1), np.roll(target.bias, 5)
    projection = replace(text_aligner.projection, target=AffineHead(*turned))
    return AlignedEmbeddings(aligner=replace(text_aligner, projection=projection))


def opened_by(store, embeddings):
    """The same store, opened with other embeddings."""
    if isinstance(store, postgres.PGVectorStore):
        return postgres.PGVectorStore.create_sync(store._engine, embeddings, store.get_table_name())
    return postgres.PGVector(
        embeddings, connection=store._engine, collection_name=store.collection_name
    )


@pytest.fixture(params=MAKERS)
def make(request):
    return lambda embeddings: MAKERS[request.param](embeddings, None, None)


def ways_to_search(store, embeddings):
    yield lambda: store.similarity_search("PUMP 1")
    retriever = AlignedRetriever(vectorstore=store, embeddings=embeddings)
    yield lambda: retriever.invoke("PUMP 1")
    yield lambda: asyncio.run(retriever.ainvoke("PUMP 1"))


def test_a_store_that_another_aligner_filled_is_refused_in_every_way(make, embeddings, others):
    store = make(others)
    store.add_texts(TEXTS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for search in ways_to_search(store, others):
            assert len(search()) == 4
    opened = opened_by(store, embeddings)
    for search in ways_to_search(opened, embeddings):
        with pytest.raises(AlignerMismatchError, match="was filled through the aligner"):
            search()
    with pytest.raises(AlignerMismatchError):
        opened.add_texts(["oil the valve 1"])


def test_the_vectors_alone_show_an_index_that_was_not_moved(make, embeddings):
    store = make(embeddings)
    store.add_embeddings(TEXTS, ENCODERS["target_encoder"](TEXTS).tolist())
    for search in ways_to_search(store, embeddings):
        with pytest.raises(
            AlignerMismatchError,
            match=r"not hold this aligner's.*moved first, by kakehashi migrate",
        ):
            search()


def test_the_record_is_written_before_the_first_document(make, embeddings, text_aligner):
    store = make(embeddings)
    store.add_texts(TEXTS)
    index = index_of(opened_by(store, embeddings), 24)
    assert index.record().fingerprint == text_aligner.fingerprint
    assert index.keep("another", '它\'s 100% \\ "quoted" :key')
    assert index.kept("another")[-1] == "y"
    assert index.kept("another") == '它\'s 100% \\ "quoted" :key'
    assert index.record().fingerprint == text_aligner.fingerprint
    assert len(index.sample(32)) == 16
    assert len({document.text for document in index.sample(6)}) == 6


def test_a_comment_of_the_user_is_kept_and_a_new_table_has_no_old_record(embeddings, others):
    name, engine = fresh(), postgres.PGEngine.from_connection_string(postgres_url("psycopg"))
    for own in (others, embeddings):
        engine.init_vectorstore_table(name, 24, overwrite_existing=True)
        store = postgres.PGVectorStore.create_sync(engine, own, name)
        index = index_of(store, 24)
        with index._transaction() as sql:
            sql(f"COMMENT ON COLUMN \"{name}\".embedding IS E'of MiniLM\\nby the docs team'")
        store.add_texts(TEXTS)
        with index._transaction() as sql:
            [[comment]] = sql("SELECT col_description(to_regclass(%(name)s), 3)", name=f'"{name}"')
        assert comment.startswith("of MiniLM\nby the docs team\nkakehashi: {")
        assert index.kept(KEY) is not None


def test_names_that_would_be_more_than_names_are_quoted(embeddings):
    name = "a\"; DROP TABLE x; -- %s :b '" + fresh()
    engine = postgres.PGEngine.from_connection_string(postgres_url("psycopg"))
    from kakehashi.integrations.stores.postgres.index import PostgresIndex, vectors_in_postgres
    from kakehashi.integrations.stores.postgres.table import Table
    from kakehashi.integrations.stores.postgres.transactions import of_async_engine, quoted

    transaction = of_async_engine(engine._pool, engine._run_as_sync)
    column = 'v%"(x)s'
    table = Table(None, name, "id", "text", column, None, also=("x:y",))
    with transaction() as sql:
        sql(
            f"CREATE TABLE {table.written} (id bigint PRIMARY KEY, text text, "
            f"{quoted(column)} halfvec(2), {quoted('x:y')} int)"
        )
        sql(f"INSERT INTO {table.written} VALUES (%(id)s, 'a 100%% :b', '[1,2]', 7)", id=5)
    index = PostgresIndex("x", transaction, table, scale=None, by_cosine=True)
    assert index.keep("key", "value")
    assert index.kept("key") == "value"
    [document] = index.sample(3)
    assert (document.text, document.metadata) == ("a 100% :b", {"x:y": 7})
    assert vectors_in_postgres(transaction, table, ["5", None, "6"]) == [[1, 2], None, None]


@pytest.mark.parametrize("strategy", ["EUCLIDEAN", "COSINE", "MAX_INNER_PRODUCT"])
def test_scores_of_every_metric_become_inner_products(make, strategy, embeddings, text_aligner):
    from kakehashi.retrieval.score_scales import SCALES

    store = make(embeddings)
    store.add_texts(TEXTS)
    if isinstance(store, postgres.PGVectorStore):
        from langchain_postgres.v2.indexes import DistanceStrategy

        other = {"COSINE": "COSINE_DISTANCE", "MAX_INNER_PRODUCT": "INNER_PRODUCT"}
        inner = store._PGVectorStore__vs
        inner.distance_strategy = DistanceStrategy[other.get(strategy, strategy)]
    else:
        from langchain_postgres.vectorstores import DistanceStrategy

        store._distance_strategy = DistanceStrategy[strategy]
    query = text_aligner.prepare_query("reset the b 2", "target").vector
    scale = scale_of(store, text_aligner)
    rows = rows_of(store, query.tolist(), 3, {}, with_vectors=True)
    assert len(rows) == 3
    for _, raw, stored in rows:
        assert SCALES[scale](raw) == pytest.approx(float(np.dot(query, stored)), abs=1e-5)
    again = stored_vectors(store, [row[0] for row in rows])
    np.testing.assert_allclose(np.stack(again), np.stack([row[2] for row in rows]), atol=1e-7)


def test_filters_of_nothing_and_of_columns(embeddings):
    name, engine = fresh(), postgres.PGEngine.from_connection_string(postgres_url("psycopg"))
    columns = [postgres.Column("page", "INTEGER"), postgres.Column("part", "TEXT")]
    engine.init_vectorstore_table(name, 24, metadata_columns=columns)
    store = postgres.PGVectorStore.create_sync(
        engine, embeddings, name, metadata_columns=["page", "part"]
    )
    store.add_documents(
        [Document(t, metadata={"page": i, "on": i > 2}) for i, t in enumerate(TEXTS[:6])]
    )
    vector = [0.3] * 24
    for wanted, n in [
        ({"page": {"$in": [1, 2]}}, 2),
        ({"page": {"$in": []}}, 0),
        ({"page": {"$nin": []}}, 6),
        ({"part": {"$ne": "x"}}, 6),
        ({"on": {"$in": [True]}}, 3),
        ({"$not": {"on": True}}, 3),
    ]:
        rows = rows_of(store, vector, 6, joined(store, {"filter": wanted}), with_vectors=True)
        assert len(rows) == n, wanted
    assert {row[0].metadata["page"] for row in rows} == {0, 1, 2}


def test_operators_of_the_store_itself_are_passed_on(make, embeddings):
    store = make(embeddings)
    store.add_documents([Document(t, metadata={"title": t}) for t in TEXTS])
    of_its_own = {"$and": [{"title": {"$ilike": "RESET%"}}, {"title": {"$like": "%a%"}}]}
    beside = {"title": {"$ne": "reset the a 1"}}
    options = joined(store, {"filter": of_its_own}, {"filter": beside})
    assert len(rows_of(store, [0.3] * 24, 16, options)) == 3


def test_words_of_an_earlier_question_are_not_mixed_in(embeddings, text_aligner):
    from langchain_postgres.v2.hybrid_search_config import HybridSearchConfig

    store = lc_postgres(embeddings, None, None)
    store.add_texts(TEXTS)
    vector = text_aligner.embed_query("reset the a 1").tolist()
    alone = rows_of(store, vector, 4, {})
    hybrid = HybridSearchConfig(fts_query="drain", primary_top_k=4, secondary_top_k=4)
    store._PGVectorStore__vs.hybrid_search_config = hybrid
    for with_vectors in (False, True):
        rows = rows_of(store, vector, 4, {}, with_vectors=with_vectors)
        assert [row[:2] for row in rows] == [row[:2] for row in alone]


WANTED = [{"page": {"$nin": [1, 2]}}, {"part": {"$ne": "x"}}, {"page": {"$gte": 3}}]
WANTED += [{"$not": {"on": True}}, {"$or": [{"part": "x"}, {"page": {"$in": [5]}}]}]


@pytest.mark.parametrize("wanted", WANTED, ids=str)
def test_documents_by_their_ids_are_filtered_as_a_search_is(wanted, make, embeddings):
    store = make(embeddings)
    metadata = [{"page": i, "on": i > 2, **({"part": "x"} if i % 2 else {})} for i in range(6)]
    ids = store.add_texts(TEXTS[:6], metadata)
    options = joined(store, {"filter": wanted})
    found = documents_by_ids(store, ids, options)
    searched = rows_of(store, [0.3] * 24, 6, options)
    assert {d.id for d in found} == {row[0].id for row in searched} != set()


def test_a_store_with_an_asynchronous_engine_alone_is_searched_as_any_other(embeddings):
    async def found():
        from sqlalchemy.ext.asyncio import create_async_engine

        engine = create_async_engine(postgres_url("psycopg"))
        store = postgres.PGVector(
            embeddings, connection=engine, collection_name=fresh(), async_mode=True
        )
        await store.aadd_texts(TEXTS)
        assert kind_of(store) is None
        retriever = AlignedRetriever(vectorstore=store, embeddings=embeddings, k=2)
        documents = await retriever.ainvoke("reset the a 1")
        await engine.dispose()
        return documents

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert len(asyncio.run(found())) == 2


def test_a_collection_has_an_id_of_its_own_and_a_table_has_none(embeddings):
    """A dump that is loaded again gives a table another number, and keeps what is in a table."""
    first, second = (lc_postgres_collection(embeddings, None, None) for _ in range(2))
    ids = [index_of(each, 24).identity() for each in (first, second)]
    assert None not in ids
    assert ids[0] != ids[1]
    opened = open_movable(postgres_url(query=f"?collection={first.collection_name}"))
    assert opened.identity() == ids[0]
    opened.close()
    assert index_of(lc_postgres(embeddings, None, None), 24).identity() is None
