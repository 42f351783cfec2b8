"""An index in two parts, old and moved, answers as the wholly moved index does.

Documents of both parts are scored by one map, so ids and scores are equal whatever subset was
moved: where each of the best k that is still in the old part is among the hits that are rescored.
"""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from langchain_tests.integration_tests import RetrieversIntegrationTests
from llama_index.core.schema import QueryBundle
from support.parts import FRAMEWORKS, Row, id_of
from support.toy_data import machine_pairs, rescoring_aligner, reversed_letters

from kakehashi.integrations import llama_index
from kakehashi.integrations.langchain import PartsRetriever
from kakehashi.multi_aligner import MultiAligner
from kakehashi.retrieval.calibration import Calibration, ScoreWeights
from kakehashi.types import SIDES
from kakehashi.vectors import unit_rows

pytestmark = pytest.mark.slow  # stores take seconds to import

TEXTS = list(machine_pairs().target_texts)
ROWS = [Row(number, text, {"kind": "ab"[number % 2]}) for number, text in enumerate(TEXTS)]
QUERIES = ["check the valve 2", "oil the seal 0", "DRAIN THE TANK 3."]
N_HITS = 6
PLAIN = [("langchain", "in memory"), ("llama_index", "simple")]
STORES = [
    ("langchain", "chroma"),
    ("langchain", "qdrant"),
    ("langchain", "faiss"),
    ("langchain", "lancedb"),
    ("llama_index", "chroma"),
    ("llama_index", "qdrant"),
    ("llama_index", "faiss"),
    ("llama_index", "lancedb"),
]


def unit_letters(texts):
    """The toy encoder at unit length, so that every metric gives one order."""
    return unit_rows(reversed_letters(texts))


@pytest.fixture(scope="module")
def every_hit(text_aligner, tmp_path_factory):
    """An aligner that rescores as many hits as there are documents."""
    made = rescoring_aligner(text_aligner, tmp_path_factory.mktemp("all") / "bridge", n_hits=80)
    return made.with_encoders(target_encoder=unit_letters)


@pytest.fixture(params=PLAIN, ids=" ".join)
def plain(request):
    """A driver of a framework, and what makes a store of the plain kind."""
    framework, store = request.param
    return FRAMEWORKS[framework], FRAMEWORKS[framework].stores[store]


def rows_found(driver, found):
    """The ids and the scores of a list."""
    return [(driver.id(d), driver.said(d)["score"], driver.said(d)["similarity"]) for d in found]


def assert_same(driver, actual, expected, *, atol=1e-5):
    left, right = rows_found(driver, actual), rows_found(driver, expected)
    assert [row[0] for row in left] == [row[0] for row in right]
    np.testing.assert_allclose([r[1:] for r in left], [r[1:] for r in right], atol=atol)


def subsets(rng, n):
    """Numbers of documents that were moved: none, all, and random ones."""
    yield from (set(), {*range(n)})
    for share in (0.1, 0.5, 0.9):
        yield {*rng.choice(n, int(share * n), replace=False).tolist()}


@pytest.mark.parametrize("modality", ["source", "target", "auto"])
@pytest.mark.parametrize("calibrated", [False, True])
def test_whatever_was_moved_the_list_is_that_of_the_moved_index(
    plain, every_hit, calibrated, modality
):
    """The old part holds what was not moved; queries of both sides are asked."""
    driver, make = plain
    aligner = every_hit
    if calibrated:
        weights = {pair: ScoreWeights(10.0, -0.3, 1.0, 0.0) for pair in product(SIDES, SIDES)}
        aligner = replace(aligner, calibration=Calibration(weights, weights, 100))
    moved = aligner.as_shared()
    whole = driver.retriever([driver.part(driver.filled(moved, ROWS, make), moved, modality)])
    for rows in subsets(np.random.default_rng(0), len(ROWS)):
        old = driver.filled(aligner, [r for r in ROWS if r.number not in rows], make)
        new = driver.filled(moved, [r for r in ROWS if r.number in rows], make)
        parts = [driver.part(old, aligner, modality), driver.part(new, moved, modality)]
        for parted in (parts, parts[::-1]):
            for query in QUERIES:
                found = driver.ask(driver.retriever(parted), query)
                assert_same(driver, found, driver.ask(whole, query))


def test_a_list_is_exact_where_the_best_are_among_the_rescored_hits(plain, every_hit):
    """The condition is computed by brute force, and is met by some queries and not by others."""
    driver, make = plain
    moved = every_hit.as_shared()
    whole = driver.retriever([driver.part(driver.filled(moved, ROWS, make), moved)])
    vectors, met = unit_letters(TEXTS), []
    rng = np.random.default_rng(1)
    queries = list(machine_pairs().source_texts[::4])
    for rows in ({*rng.choice(len(ROWS), n, replace=False).tolist()} for n in (8, 30)):
        left = [row.number for row in ROWS if row.number not in rows]
        old = driver.filled(every_hit, [ROWS[number] for number in left], make)
        new = driver.filled(moved, [ROWS[number] for number in sorted(rows)], make)
        old = driver.part(old, every_hit, rescore=N_HITS)
        parted = driver.retriever([old, driver.part(new, moved)])
        for text in queries:
            query = every_hit.prepare_query(text, "source")
            order = np.argsort(-vectors[left] @ query.vector, kind="stable")[:N_HITS]
            first = {id_of(left[row]) for row in order}
            expected, found = driver.ask(whole, text), driver.ask(parted, text)
            still_old = {driver.id(d) for d in expected} & {id_of(number) for number in left}
            met.append(still_old <= first)
            if met[-1]:
                assert_same(driver, found, expected)
    assert 0.2 < np.mean(met) < 1


def test_parts_of_one_multi_aligner_share_a_scale(plain, every_hit):
    driver, make = plain
    several = MultiAligner({"small": every_hit}, target="capitals")
    whole = driver.retriever([driver.part(driver.filled(several, ROWS, make), several, "small")])
    halves = [driver.filled(several, rows, make) for rows in (ROWS[:30], ROWS[30:])]
    parted = driver.retriever([driver.part(half, several, "small") for half in halves])
    for query in QUERIES:
        assert_same(driver, driver.ask(parted, query), driver.ask(whole, query))


def test_texts_in_place_of_a_query_are_embedded_for_every_part(every_hit):
    """As LlamaIndex's HyDE gives them: the vector is their mean."""
    driver = FRAMEWORKS["llama_index"]
    make, moved = driver.stores["simple"], every_hit.as_shared()
    whole = driver.part(driver.filled(moved, ROWS, make), moved)
    parts = [
        driver.part(driver.filled(every_hit, ROWS[:50], make), every_hit),
        driver.part(driver.filled(moved, ROWS[50:], make), moved),
    ]
    bundle = QueryBundle(QUERIES[0], custom_embedding_strs=QUERIES[1:])
    expected = driver.retriever([whole]).retrieve(bundle)
    assert_same(driver, driver.retriever(parts).retrieve(bundle), expected)
    plain = llama_index.AlignedRetriever(whole.index, moved, similarity_top_k=5)
    assert [driver.id(n) for n in plain.retrieve(bundle)] == [driver.id(n) for n in expected]
    assert expected != driver.ask(driver.retriever([whole]), QUERIES[0])


@pytest.mark.parametrize(("framework", "store"), STORES)
def test_every_store_gives_the_list_of_the_moved_index(framework, store, every_hit, tmp_path):
    driver = FRAMEWORKS[framework]
    moved, make = every_hit.as_shared(), driver.stores[store]
    half = [row for row in ROWS if row.number % 3]
    parts = [
        driver.part(driver.filled(every_hit, ROWS[:60], make, tmp_path), every_hit),
        driver.part(driver.filled(moved, half, make, tmp_path), moved, name="moved"),
    ]
    whole = driver.part(driver.filled(moved, ROWS, make, tmp_path), moved)
    kept = {row.number: row for row in (*ROWS[:60], *half)}
    assert len(kept) > 70
    missing = {row.text for row in ROWS if row.number not in kept}
    for query in QUERIES:
        expected = driver.ask(driver.retriever([whole], k=12), query)
        expected = [d for d in expected if driver.text(d) not in missing]
        found = driver.ask(driver.retriever(parts, k=len(expected)), query)
        assert [driver.text(d) for d in found] == [driver.text(d) for d in expected]
        scores = [[driver.said(d)["similarity"] for d in one] for one in (found, expected)]
        np.testing.assert_allclose(*scores, atol=2e-3)


class TestRetrieverOfLangChain(RetrieversIntegrationTests):
    """The suite of LangChain, over an index of which a half was moved."""

    @pytest.fixture(autouse=True)
    def _parts(self, every_hit):
        driver = FRAMEWORKS["langchain"]
        make = driver.stores["in memory"]
        moved = every_hit.as_shared()
        self._made = [
            driver.part(driver.filled(every_hit, ROWS[:40], make), every_hit),
            driver.part(driver.filled(moved, ROWS[40:], make), moved),
        ]

    @property
    def retriever_constructor(self):
        return PartsRetriever

    @property
    def retriever_constructor_params(self):
        return {"parts": self._made}

    @property
    def retriever_query_example(self):
        return QUERIES[0]

    def test_names_its_stores_and_models_for_tracing(self, retriever):
        params = retriever._get_ls_params()
        assert params["ls_vector_store_provider"] == "InMemoryVectorStore"
        assert params["ls_embedding_model"].count("kakehashi-") == 2
