"""One contract for the mixed retrievers of both frameworks, over every vector store.

Whatever the store calls its scores, and however it filters: the documents, their order and their
scores are those of a search by brute force.
"""

import asyncio
from dataclasses import replace

import pytest
from llama_index.core.vector_stores import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
)
from support import vector_stores
from support.frameworks import (
    PAIRS,
    QUERIES,
    LangChain,
    LlamaIndex,
    Shop,
    assert_same,
    reference,
)

from kakehashi.errors import AlignerMismatchError, DataError
from kakehashi.retrieval import document_modality, hybrid_search
from kakehashi.types import SIDES


@pytest.mark.parametrize("query", QUERIES, ids=["ja", "en"])
def test_the_answers_are_those_of_a_search_by_brute_force(query, shop, aligner, corpus):
    found = shop.ask(query, [shop.f.vectors(shop.mixed)])
    assert_same(shop.rows(found), reference(aligner, query, corpus)[:7])
    assert {shop.said(d)["modality"] for d in found} == {"source", "target"}


@pytest.mark.parametrize("query", QUERIES, ids=["ja", "en"])
def test_words_count_beside_vectors(query, shop, aligner, corpus):
    searches = [shop.f.vectors(shop.mixed), shop.f.words(corpus)]
    found = shop.ask(query, searches)
    assert_same(shop.rows(found), reference(aligner, query, corpus, words=True)[:7])


@pytest.mark.parametrize("k", [1, 3, 7, 1000])
def test_k_is_exact(k, shop, corpus):
    found = shop.ask(QUERIES[0], [shop.f.vectors(shop.mixed)], k=k)
    assert len(found) == min(k, len(corpus))
    assert len({shop.f.text(d) for d in found}) == len(found)


def test_a_document_that_is_stored_twice_is_found_once(shop, aligner, corpus):
    few = corpus[:6] + corpus[PAIRS : PAIRS + 6]
    twice = shop.once("twice", few * 2)
    searches = [shop.f.vectors(twice), shop.f.vectors(shop.mixed, name="all")]
    found = shop.ask(QUERIES[1], searches, k=30)
    assert_same(shop.rows(found), reference(aligner, QUERIES[1], corpus)[:30])
    of_both = {shop.f.text(d) for d in found if set(shop.said(d)["searches"]) == {"vectors", "all"}}
    assert of_both == {e.text for e in few} & {shop.f.text(d) for d in found}
    assert len(shop.ask(QUERIES[1], [shop.f.vectors(twice)], k=9)) == 9


def test_a_filter_reaches_every_search(shop, aligner, corpus):
    searches = [shop.f.vectors(shop.mixed), shop.f.words(corpus)]
    allowed = [e for e in corpus if e.part == "b"]
    if shop.make is vector_stores.li_faiss:
        with pytest.raises(ValueError, match="filters not implemented"):
            shop.ask(QUERIES[0], searches, filter=shop.f.filter(part="b"))
        return
    found = shop.ask(QUERIES[0], searches, filter=shop.f.filter(part="b"))
    assert {shop.f.metadata(d)["part"] for d in found} == {"b"}
    assert len(found) == 7
    vectors = shop.ask(QUERIES[0], searches[:1], filter=shop.f.filter(part="b"), k=16)
    assert_same(shop.rows(vectors), reference(aligner, QUERIES[0], allowed))
    one_side = shop.f.filter(part="b", modality="target")
    vectors = shop.ask(QUERIES[0], searches[:1], filter=one_side)
    targets = [e for e in allowed if e.modality == "target"]
    assert_same(shop.rows(vectors), reference(aligner, QUERIES[0], targets)[:7])


def test_a_filter_that_nothing_passes_finds_nothing(shop, corpus):
    if shop.make is vector_stores.li_faiss:
        pytest.skip("knows no metadata")
    searches = [shop.f.vectors(shop.mixed), shop.f.words(corpus)]
    assert shop.ask(QUERIES[0], searches, filter=shop.f.filter(part="z")) == []


@pytest.fixture
def shallow(monkeypatch):
    """First searches find so little that what is buried has to be searched for by itself."""
    for module, name in (
        (hybrid_search, "_MIN_FIRST_DEPTH"),
        (hybrid_search, "_FIRST_DEPTH_PER_K"),
        (document_modality, "_MIXED_DEPTH_FACTOR"),
    ):
        monkeypatch.setattr(module, name, 1)


@pytest.mark.parametrize("k", [1, 4])
@pytest.mark.parametrize("query", QUERIES, ids=["ja", "en"])
def test_what_another_modality_buries_is_found(query, k, shop, aligner, corpus, shallow):
    found = shop.ask(query, [shop.f.vectors(shop.mixed)], k=k)
    assert_same(shop.rows(found), reference(aligner, query, corpus)[:k])


@pytest.mark.parametrize("query", QUERIES, ids=["ja", "en"])
def test_documents_that_name_no_modality_are_of_the_objects_own(
    query, shop, aligner, corpus, shallow
):
    """As where documents of the other modality join an index that was there before."""
    if shop.make in (vector_stores.lc_milvus, vector_stores.lc_lancedb, vector_stores.li_lancedb):
        pytest.skip("has every document name what one names")
    older = [replace(e, modality=None) if e.modality == "target" else e for e in corpus]
    found = shop.ask(query, [shop.f.vectors(shop.once("older", older))], k=9)
    assert_same(shop.rows(found), reference(aligner, query, corpus)[:9])
    assert {shop.said(d)["modality"] for d in found} == set(SIDES)


@pytest.mark.parametrize("fusion", ["calibrated", "rank"])
def test_documents_that_name_no_modality_are_read_by_the_router(
    fusion, plain, aligner, corpus, shallow
):
    """A store is filled as it always was, and both modalities are told apart all the same."""
    f = type(plain.f)(aligner)
    f.embeddings.document_modality = "auto"
    shop = Shop(f, plain.make, corpus, None, None)
    filled = shop.fill([replace(e, modality=None) for e in corpus])
    for query in QUERIES:
        found = shop.ask(query, [f.vectors(filled)], k=48, fusion=fusion)
        named = {shop.f.text(d): shop.said(d)["modality"] for d in found}
        assert named == {e.text: e.modality for e in corpus}
        if fusion == "calibrated":
            assert_same(shop.rows(found), reference(aligner, query, corpus))
            few = shop.ask(query, [f.vectors(filled)], k=3)
            assert_same(shop.rows(few), reference(aligner, query, corpus)[:3])
    if isinstance(f, LangChain):
        store = f.empty(plain.make, None, None)
        f.embeddings.add_documents(store, f.documents([replace(corpus[0], modality=None)]))
        [(_, stored)] = store.store.items()
        assert stored["metadata"]["modality"] == corpus[0].modality


def test_metadata_say_how_a_document_was_found_and_what_is_stored_stays(shop, corpus):
    searches = [shop.f.vectors(shop.mixed), shop.f.words(corpus)]
    found = shop.ask(QUERIES[1], searches)
    by_text = {e.text: e for e in corpus}
    for document in found:
        said, metadata = shop.said(document), shop.f.metadata(document)
        entry = by_text[shop.f.text(document)]
        assert {name: metadata[name] for name in entry.metadata} == entry.metadata
        assert said.keys() == {
            "modality",
            "searches",
            "similarity",
            "unrescored",
            "lexical",
            "named",
            "score",
            "probability",
            "fusion",
        }
        assert (said["modality"], said["fusion"]) == (entry.modality, "calibrated")
        assert set(said["searches"]) <= {"vectors", "words"}
        assert -1 <= said["similarity"] <= 1.001
        assert all(isinstance(raw, float) for raw in said["searches"].values())
    again = shop.ask(QUERIES[1], searches, fusion="rank")
    assert all(shop.said(d)["fusion"] == "rank" for d in again)
    assert all("kakehashi" not in entry.metadata for entry in corpus)
    # Nothing of the first search has been written into the store.
    again = dict(shop.rows(shop.ask(QUERIES[1], searches)))
    # Not the same bits: Qdrant's products may differ in the last one from call to call.
    assert again == pytest.approx(dict(shop.rows(found)), abs=1e-6)


def test_two_indices_give_the_same_as_one(shop, aligner):
    searches = [shop.f.vectors(shop.of(side), name=side, modality=side) for side in SIDES]
    for query in QUERIES:
        one = shop.ask(query, [shop.f.vectors(shop.mixed)])
        two = shop.ask(query, searches)
        assert_same(shop.rows(two), shop.rows(one))
        assert all(set(shop.said(d)["searches"]) == {shop.said(d)["modality"]} for d in two)


def test_an_index_of_one_modality_needs_no_declaration(shop, aligner, corpus):
    found = shop.ask(QUERIES[0], [shop.f.vectors(shop.of("target"))])
    targets = [e for e in corpus if e.modality == "target"]
    assert_same(shop.rows(found), reference(aligner, QUERIES[0], targets)[:7])


def test_async_gives_the_same(shop, corpus):
    searches = [shop.f.vectors(shop.mixed), shop.f.words(corpus)]
    retriever = shop.f.retriever(searches)

    async def run():
        return await asyncio.gather(*(shop.f.asearch(retriever, q) for q in QUERIES))

    for query, found in zip(QUERIES, asyncio.run(run()), strict=True):
        assert shop.rows(found) == shop.rows(shop.f.search(retriever, query))


def test_rank_fusion_asks_for_no_scores(shop, aligner, corpus):
    expected = {}
    for side in SIDES:
        ranked = reference(aligner, QUERIES[0], [e for e in corpus if e.modality == side])
        expected |= {text: 1 / (60 + place) for place, (text, _) in enumerate(ranked[:3], 1)}
    found = shop.ask(QUERIES[0], [shop.f.vectors(shop.mixed)], fusion="rank", k=6)
    assert dict(shop.rows(found)) == pytest.approx(expected)


def test_a_store_of_other_vectors_is_refused(shop, corpus):
    store = shop.fill(corpus[:4] + corpus[PAIRS : PAIRS + 4], by_another=True)
    for fusion in ("calibrated", "rank"):
        with pytest.raises(AlignerMismatchError, match="not hold this aligner's vectors"):
            shop.ask(QUERIES[0], [shop.f.vectors(store)], fusion=fusion)


def lc_chroma_by(space):
    def make(embeddings, folder, server):
        from langchain_chroma import Chroma

        by = {"hnsw": {"space": space}}
        return Chroma(vector_stores.fresh(), embeddings, collection_configuration=by)

    return make


def lc_faiss_by_product(embeddings, folder, server):
    store = vector_stores.lc_faiss(embeddings, folder, server)
    store.index = pytest.importorskip("faiss").IndexFlatIP(384)
    return store


def lc_milvus_by_cosine(embeddings, folder, server):
    store = vector_stores.lc_milvus(embeddings, folder, server)
    store.index_params = {"index_type": "FLAT", "metric_type": "COSINE"}
    return store


def li_chroma_by(space):
    def make(embedding, folder, server):
        import chromadb
        from llama_index.vector_stores.chroma import ChromaVectorStore

        by = {"hnsw": {"space": space}}
        client = chromadb.EphemeralClient()
        return ChromaVectorStore(client.create_collection(vector_stores.fresh(), configuration=by))

    return make


def li_faiss_by_product(embedding, folder, server):
    module = pytest.importorskip("llama_index.vector_stores.faiss")
    return module.FaissVectorStore(pytest.importorskip("faiss").IndexFlatIP(384))


def li_milvus_by(metric):
    def make(embedding, folder, server):
        pytest.importorskip("milvus_lite")
        module = pytest.importorskip("llama_index.vector_stores.milvus")
        return module.MilvusVectorStore(
            uri=str(folder / "milvus.db"),
            collection_name=vector_stores.fresh(),
            dim=384,
            similarity_metric=metric,
            index_config={"index_type": "FLAT"},
        )

    return make


METRICS = {
    "langchain: chroma, cosine": (LangChain, lc_chroma_by("cosine")),
    "langchain: chroma, product": (LangChain, lc_chroma_by("ip")),
    "langchain: faiss, product": (LangChain, lc_faiss_by_product),
    "langchain: milvus, cosine": (LangChain, lc_milvus_by_cosine),
    "llama_index: chroma, cosine": (LlamaIndex, li_chroma_by("cosine")),
    "llama_index: chroma, product": (LlamaIndex, li_chroma_by("ip")),
    "llama_index: faiss, product": (LlamaIndex, li_faiss_by_product),
    "llama_index: milvus, l2": (LlamaIndex, li_milvus_by("L2")),
    "llama_index: milvus, cosine": (LlamaIndex, li_milvus_by("COSINE")),
}


@pytest.mark.parametrize("case", METRICS.values(), ids=METRICS)
def test_whatever_the_store_measures_by_the_answers_are_the_same(case, aligner, corpus, tmp_path):
    framework, make = case
    shop = Shop(framework(aligner), make, corpus, tmp_path, None)
    found = shop.ask(QUERIES[0], [shop.f.vectors(shop.mixed)])
    assert_same(shop.rows(found), reference(aligner, QUERIES[0], corpus)[:7])


def is_(key, value, operator=FilterOperator.EQ):
    return MetadataFilter(key=key, value=value, operator=operator)


NODE_FILTERS = {
    "in": MetadataFilters(filters=[is_("part", ["a", "c"], FilterOperator.IN)]),
    "range": MetadataFilters(
        filters=[is_("page", 3, FilterOperator.GTE), is_("page", 9, FilterOperator.LT)]
    ),
    "or": MetadataFilters(
        filters=[is_("part", "a"), is_("page", 3, FilterOperator.LT)], condition=FilterCondition.OR
    ),
}
NODE_ENTRIES = {
    "in": lambda e: e.part in "ac",
    "range": lambda e: 3 <= e.page < 9,
    "or": lambda e: e.part == "a" or e.page < 3,
}


@pytest.mark.parametrize("kind", NODE_FILTERS)
@pytest.mark.parametrize("name", [name for name in vector_stores.LLAMA_INDEX if name != "faiss"])
def test_filters_of_llama_index_go_with_the_search_by_modality(name, kind, shops, aligner, corpus):
    shop = shops("llama_index", name)
    searches = [shop.f.vectors(shop.mixed), shop.f.words(corpus)]
    allowed = [e for e in corpus if NODE_ENTRIES[kind](e)]
    found = shop.ask(QUERIES[0], searches[:1], filter=NODE_FILTERS[kind], k=8)
    assert_same(shop.rows(found), reference(aligner, QUERIES[0], allowed)[:8])
    both = shop.ask(QUERIES[1], searches, filter=NODE_FILTERS[kind], k=40)
    assert {shop.f.text(d) for d in both} == {e.text for e in allowed}


def test_filters_within_filters_restrict_a_search_by_words(shops, corpus):
    shop = shops("llama_index", "chroma")
    nested = MetadataFilters(filters=[NODE_FILTERS["or"], is_("page", 9, FilterOperator.LT)])
    searches = [shop.f.vectors(shop.mixed), shop.f.words(corpus)]
    found = shop.ask(QUERIES[1], searches, filter=nested, k=40)
    allowed = {e.text for e in corpus if NODE_ENTRIES["or"](e) and e.page < 9}
    assert {shop.f.text(d) for d in found} == allowed
    neither = MetadataFilters(filters=[is_("part", "a")], condition=FilterCondition.NOT)
    words = shop.ask(QUERIES[1], searches[1:], filter=neither, fusion="rank", k=40)
    assert {shop.f.metadata(d)["part"] for d in words} == {"b", "c"}
    with pytest.raises(DataError, match="filters='part = 3'; give llama_index's MetadataFilters"):
        shop.ask(QUERIES[1], searches[1:], filter="part = 3")


def test_ids_restrict_a_search_by_words_and_a_stores_own_words_are_refused(shops, corpus):
    shop = shops("llama_index", "simple")
    nodes = shop.f.documents(corpus)
    for number, node in enumerate(nodes):
        node.id_ = f"n{number}"
    words = [shop.f.BM25Search(nodes)]
    found = shop.ask(QUERIES[1], words, node_ids=["n24", "n25", "n26"], k=9)
    assert found
    assert {d.node.node_id for d in found} <= {"n24", "n25", "n26"}
    assert shop.ask(QUERIES[1], words, doc_ids=["elsewhere"], k=9) == []
    for name in ("where", "qdrant_filters", "string_expr"):
        with pytest.raises(DataError, match=rf"cannot read vector_store_kwargs\['{name}'\]"):
            shop.ask(QUERIES[1], words, vector_store_kwargs={name: "part = 3"})
