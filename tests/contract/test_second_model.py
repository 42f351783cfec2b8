"""One contract for a second model, over every vector store of both frameworks.

The first hits of a store come in the order that brute force over the model's own vectors gives
them. Documents that it embedded before are found beside them, where the store knows ids.
"""

import asyncio
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from support import vector_stores
from support.frameworks import EVERY, FRAMEWORKS, PLAIN, Entry, LangChain, Shop
from support.toy_data import letters_apart, machine_pairs

from kakehashi import SecondModel
from kakehashi.errors import DataError, DegradedWarning
from kakehashi.integrations import langchain, llama_index
from kakehashi.retrieval.calibration import Calibration, ScoreWeights
from kakehashi.retrieval.second_model.candidates import MAP_SHARE
from kakehashi.types import SIDES
from kakehashi.vectors import unit_rows

pytestmark = pytest.mark.slow  # stores take seconds to import

QUERY = "check the valve 2"
WITHOUT_IDS = (vector_stores.lc_lancedb, vector_stores.lc_milvus)
"""Stores whose documents have no ids in LangChain."""
HITS_ONLY = (*WITHOUT_IDS, vector_stores.li_lancedb)
"""Stores that give no document by its id: there the model orders the hits alone."""
OWN_CLIENT = (vector_stores.li_qdrant, vector_stores.li_milvus, vector_stores.lc_milvus)
"""Stores whose async search needs a client of its own, in one event loop."""


@pytest.fixture(scope="module")
def corpus():
    pairs = machine_pairs()
    targets = [Entry(t, "target", "abc"[i % 3], i) for i, t in enumerate(pairs.target_texts)]
    return targets + [Entry(t, "source", "s", i) for i, t in enumerate(pairs.source_texts[:6])]


@pytest.fixture(scope="module")
def shops(keeping_aligner, corpus, tmp_path_factory, chroma_server):
    made = {}

    def shop(framework, name):
        if (framework, name) not in made:
            driver = FRAMEWORKS[framework](keeping_aligner)
            driver.embeddings.query_modality = "source"
            folder = tmp_path_factory.mktemp("stores")
            made[framework, name] = Shop(driver, driver.stores[name], corpus, folder, chroma_server)
        return made[framework, name]

    return shop


@pytest.fixture(params=EVERY, ids=lambda p: f"{p[0]}: {p[1]}")
def shop(request, shops):
    return shops(*request.param)


@pytest.fixture(params=PLAIN, ids=lambda p: p[0])
def plain(request, shops):
    return shops(*request.param)


@pytest.fixture
def model(tmp_path):
    return lambda **options: SecondModel(letters_apart, tmp_path / "second.sqlite", **options)


def expected(texts, aligner=None):
    """The order of the model, in which the second map of an aligner has its share."""
    scores = unit_rows(letters_apart(texts)) @ unit_rows(letters_apart([QUERY]))[0]
    if aligner is not None:
        stored = aligner.embed_documents(texts, modality="target")
        documents = aligner.rescoring.documents(stored, texts=texts)
        by_map = documents @ aligner.prepare_query(QUERY, "source").rescoring
        scores = (1 - MAP_SHARE) * scores + MAP_SHARE * by_map
    order = np.argsort(-scores, kind="stable")
    return [texts[row] for row in order], [float(scores[row]) for row in order]


def one_store(shop, store, k, **options):
    if isinstance(shop.f, LangChain):
        return langchain.AlignedRetriever(
            vectorstore=store, embeddings=shop.f.embeddings, k=k, **options
        )
    return llama_index.AlignedRetriever(store, shop.f.embeddings, similarity_top_k=k, **options)


def hybrid(shop, store, k, second, **options):
    search = shop.f.vectors(store, rescore_with=second)
    return shop.f.retriever([search], k=k, fusion="rank", **options)


def filtered(shop, **wanted):
    if isinstance(shop.f, LangChain):
        return {"search_kwargs": {"filter": wanted}}
    return {"filters": shop.f.filter(**wanted)}


def test_the_first_hits_are_in_the_order_of_the_second_model(shop, model):
    store, second = shop.of("target"), model(n_hits=12)
    first = shop.texts(shop.f.search(one_store(shop, store, 12), QUERY))
    texts, scores = expected(first, shop.f.embeddings.aligner)
    assert texts != expected(first)[0]
    retriever = one_store(shop, store, 7, rescore_with=second)
    found = shop.f.search(retriever, QUERY)
    assert shop.texts(found) == texts[:7]
    if not isinstance(shop.f, LangChain):
        assert [row.score for row in found] == pytest.approx(scores[:7])
    if shop.make not in OWN_CLIENT:
        assert shop.texts(asyncio.run(shop.f.asearch(retriever, QUERY))) == texts[:7]
    above = shop.f.search(hybrid(shop, store, 7, second), QUERY)
    assert shop.texts(above) == texts[:7]
    said = [shop.said(document) for document in above]
    assert [each["similarity"] for each in said] == pytest.approx(scores[:7])


def test_documents_embedded_before_are_found_beside_the_hits(shop, model, corpus):
    """With every document embedded, the nearest by the model stand beside the hits."""
    store, aligner = shop.of("target"), shop.f.embeddings.aligner
    shop.f.search(one_store(shop, store, 100, rescore_with=model()), QUERY)
    texts = [entry.text for entry in corpus if entry.modality == "target"]
    second = model(n_hits=5)
    assert len(second) == (0 if shop.make in WITHOUT_IDS else len(texts))
    first = shop.texts(shop.f.search(one_store(shop, store, 5), QUERY))
    candidates = list(dict.fromkeys(first + expected(texts)[0][:5]))
    for retriever in (
        one_store(shop, store, 5, rescore_with=second),
        hybrid(shop, store, 5, second),
    ):
        found = shop.texts(shop.f.search(retriever, QUERY))
        if shop.make in HITS_ONLY:  # the first hits of a hybrid search are more
            assert found == expected(found, aligner)[0]
            continue
        assert found == expected(candidates, aligner)[0][:5]
        assert set(found) != set(first)


def test_the_model_alone_orders_documents_of_two_modalities(shop, model, corpus):
    """The second map knows those of the target alone."""
    second = model(n_hits=len(corpus))
    found = shop.f.search(one_store(shop, shop.mixed, 9, rescore_with=second), QUERY)
    assert shop.texts(found) == expected([entry.text for entry in corpus])[0][:9]


def test_filters_hold_for_them_too(shop, model, corpus):
    if shop.make is vector_stores.li_faiss:
        pytest.skip("knows no metadata")
    of_part = filtered(shop, part="b")
    shop.f.search(one_store(shop, shop.mixed, 100, rescore_with=model()), QUERY)
    second = model(n_hits=30)
    of_part_b = [entry.text for entry in corpus if entry.part == "b"]
    wanted, _ = expected(of_part_b, shop.f.embeddings.aligner)
    retriever = one_store(shop, shop.mixed, 7, rescore_with=second, **of_part)
    assert shop.texts(shop.f.search(retriever, QUERY)) == wanted[:7]
    above = hybrid(shop, shop.mixed, 7, second, filter=shop.f.filter(part="b"))
    assert shop.texts(shop.f.search(above, QUERY)) == wanted[:7]


def test_a_model_that_fails_leaves_the_order_of_the_aligner(plain, tmp_path):
    def fails(texts):
        raise OSError("the service is down")

    store = plain.of("target")
    first = plain.texts(plain.f.search(one_store(plain, store, 7), QUERY))
    second = SecondModel(fails, tmp_path / "second.sqlite")
    with pytest.warns(DegradedWarning, match="OSError: the service is down"):
        found = plain.f.search(one_store(plain, store, 7, rescore_with=second), QUERY)
    assert plain.texts(found) == first
    assert plain.texts(plain.f.search(hybrid(plain, store, 7, second), QUERY)) == first


def test_scores_of_two_models_are_never_compared(plain, model, keeping_aligner):
    store, second = plain.of("target"), model()
    weights = {pair: ScoreWeights(10.0, -0.1, 1.0, 0.0) for pair in product(SIDES, SIDES)}
    calibrated = replace(keeping_aligner, calibration=Calibration(weights, weights, 100))
    with pytest.raises(ValueError, match="goes with fusion='rank'"):
        type(plain.f)(calibrated).retriever([plain.f.vectors(store, rescore_with=second)])
    with pytest.raises(ValueError, match="without a threshold"):
        one_store(plain, store, 7, rescore_with=second, min_score=0.5)
    if isinstance(plain.f, LangChain):
        with pytest.raises(ValueError, match="without a threshold"):
            one_store(plain, store, 7, rescore_with=second, score_threshold=0.5)
        with pytest.raises(ValueError, match="a search by similarity"):
            one_store(plain, store, 7, rescore_with=second, search_type="mmr")
    else:
        for refused in (plain.f.vectors, lambda index, **o: one_store(plain, index, 7, **o)):
            with pytest.raises(DataError, match=r"give kakehashi\.SecondModel\(encoder, path\)"):
                refused(store, rescore_with=letters_apart)
        with pytest.raises(DataError, match="a search by similarity"):
            one_store(plain, store, 7, rescore_with=second, vector_store_query_mode="mmr")
    few = model(max_texts=3)
    found = plain.f.search(one_store(plain, store, 20, rescore_with=few), QUERY)
    first = plain.texts(plain.f.search(one_store(plain, store, few.n_hits), QUERY))[:20]
    assert plain.texts(found) == [*expected(first[:3], keeping_aligner)[0], *first[3:]]
    if not isinstance(plain.f, LangChain):
        scores = [row.score for row in found]
        assert scores == sorted(scores, reverse=True)


def test_queries_of_the_target_are_ordered_too(plain, model):
    """Where a map is not advised, the target encoder asks the index, and the model orders."""
    store = plain.of("target")
    driver = type(plain.f)(plain.f.embeddings.aligner)
    driver.embeddings.query_modality = "target"
    shop = Shop(driver, plain.make, None, None, None)
    first = shop.texts(shop.f.search(one_store(shop, store, 20), QUERY))
    found = shop.f.search(one_store(shop, store, 5, rescore_with=model(n_hits=20)), QUERY)
    assert shop.texts(found) == expected(first)[0][:5]
