"""Parts of two aligners: documents compare by the probability that each aligner has learned."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from support.parts import FRAMEWORKS, Row, id_of
from support.toy_data import hashed_letters, machine_pairs, other_letters, reversed_letters

import kakehashi
from kakehashi.errors import AlignerMismatchError
from kakehashi.retrieval.answer_probability import AnswerProbability
from kakehashi.retrieval.calibration import Calibration, ScoreWeights
from kakehashi.types import SIDES
from kakehashi.vectors import unit_rows

pytestmark = pytest.mark.slow  # stores take seconds to import

TEXTS = list(machine_pairs().target_texts)
ROWS = [Row(number, text, {"model": "ab"[number % 2]}) for number, text in enumerate(TEXTS)]
OF_A, OF_B = ROWS[::2], ROWS[1::2]
QUERIES = ["check the valve 2", "oil the seal 1", "drain the tank 3"]
PLAIN = [("langchain", "in memory"), ("llama_index", "simple")]
ONE_STORE = [("langchain", "in memory"), ("langchain", "chroma"), ("llama_index", "chroma")]


class Counted:
    """An encoder that counts its calls."""

    name = "support.toy_data.hashed_letters"

    def __init__(self):
        self.calls = 0

    def encode(self, texts, role="document"):
        self.calls += 1
        return hashed_letters(texts)


def calibrated(aligner, slope, offset, answers=True):
    """The aligner, calibrated by hand."""
    weights = {pair: ScoreWeights(10.0, -0.2, 0.0, 0.5) for pair in product(SIDES, SIDES)}
    learned = {side: AnswerProbability(slope, offset, 0.5) for side in SIDES}
    made = Calibration(weights, weights, 100, answers=learned if answers else {})
    advised = replace(aligner.report, verdict="use")
    return replace(aligner, calibration=made, report=advised)


@pytest.fixture(scope="module")
def fitted():
    """Two aligners of one source encoder: into 24 dimensions, and into 28 of another model."""

    def fit(target):
        unit = lambda texts: unit_rows(target(texts))  # noqa: E731
        encoders = {"source_encoder": hashed_letters, "target_encoder": unit}
        return kakehashi.fit(
            machine_pairs(), **encoders, ngrams=False, learned=False, mode="shared"
        )

    return fit(reversed_letters), fit(other_letters)


@pytest.fixture(scope="module")
def pair(fitted):
    return calibrated(fitted[0], 1.5, -9.0), calibrated(fitted[1], 0.8, -5.0)


@pytest.fixture(params=PLAIN, ids=" ".join)
def plain(request):
    framework, store = request.param
    return FRAMEWORKS[framework], FRAMEWORKS[framework].stores[store]


def parts_of(driver, make, pair, **fields):
    a, b = pair
    return [
        driver.part(driver.filled(a, OF_A, make), a, name="a", **fields),
        driver.part(driver.filled(b, OF_B, make), b, name="b", **fields),
    ]


def by_probability(pair, query):
    """The ids and probabilities of all documents by brute force, the best first."""
    scored = []
    for aligner, rows in zip(pair, (OF_A, OF_B), strict=True):
        vector = unit_rows(aligner.prepare_query(query, "source").vector[None])[0]
        made = aligner.embed_documents([row.text for row in rows])
        similarities = unit_rows(made) @ vector
        places = 1 + np.array([(similarities > s + 1e-6).sum() for s in similarities])
        scores = aligner.calibration.scores(similarities, places, query="source", document="target")
        probabilities = aligner.calibration.answers["source"].of(scores)
        scored += [(row.id, float(p)) for row, p in zip(rows, probabilities, strict=True)]
    return sorted(scored, key=lambda each: -each[1])


def test_the_list_is_that_of_brute_force_by_probability(plain, pair):
    driver, make = plain
    retriever = driver.retriever(parts_of(driver, make, pair), k=8)
    found_in = set()
    for query in QUERIES:
        found, expected = driver.ask(retriever, query), by_probability(pair, query)[:8]
        assert [driver.id(d) for d in found] == [name for name, _ in expected]
        said = [driver.said(d) for d in found]
        np.testing.assert_allclose([s["score"] for s in said], [p for _, p in expected], atol=1e-6)
        assert [s["probability"] for s in said] == [s["score"] for s in said]
        found_in |= {name for each in said for name in each["searches"]}
    assert found_in == {"a", "b"}


def test_a_score_means_the_same_where_one_part_is_left(plain, pair, monkeypatch):
    """A part that fails does not turn probabilities into something else."""
    driver, make = plain
    parts = parts_of(driver, make, pair)
    whole = driver.ask(driver.retriever(parts, k=80), QUERIES[0])
    of_a = [driver.said(d)["score"] for d in whole if "a" in driver.said(d)["searches"]]
    monkeypatch.setattr(type(parts[1]), "_check", _failing_for("b", type(parts[1])._check))
    degraded = driver.retriever(parts, k=80, on_error="degrade")
    with pytest.warns(UserWarning, match="search 'b' failed"):
        left = driver.ask(degraded, QUERIES[0])
    assert [driver.said(d)["score"] for d in left] == of_a


def _failing_for(name, check):
    def failing(self, *args):
        if self.name == name:
            raise ConnectionError
        check(self, *args)

    return failing


def test_parts_without_probabilities_are_refused_or_fused_by_rank(plain, fitted, pair):
    driver, make = plain
    for second in (
        calibrated(fitted[1], 1.0, 0.0, answers=False),
        replace(pair[1], calibration=None),
    ):
        parts = parts_of(driver, make, (pair[0], second))
        with pytest.raises(ValueError, match=r"part 'b' do not compare.*fusion='rank'"):
            driver.retriever(parts)
        ranked = driver.retriever(parts, k=6, fusion="rank")
        found = driver.ask(ranked, QUERIES[0])
        assert [[*driver.said(d)["searches"]] for d in found] == [["a"], ["b"]] * 3


def test_a_part_that_is_not_rescored_has_no_probability(plain, pair, keeping_aligner):
    driver, make = plain
    rescoring = calibrated(keeping_aligner, 1.0, 0.0)
    store = driver.filled(rescoring, OF_A, make)
    others = parts_of(driver, make, pair)[1:]
    driver.retriever([driver.part(store, rescoring), *others])
    with pytest.raises(ValueError, match="rescore=False"):
        driver.retriever([driver.part(store, rescoring, rescore=False), *others])


def test_the_least_probability_holds_for_every_part(plain, pair):
    driver, make = plain
    parts, least = parts_of(driver, make, pair), by_probability(pair, QUERIES[0])[3][1] - 1e-6
    found = driver.ask(driver.retriever(parts, k=80, min_score=least), QUERIES[0])
    assert [driver.id(d) for d in found] == [
        name for name, _ in by_probability(pair, QUERIES[0])[:4]
    ]
    recommended = driver.ask(driver.retriever(parts, k=80, min_score="recommended"), QUERIES[0])
    above = [name for name, p in by_probability(pair, QUERIES[0]) if p >= 0.5]
    assert [driver.id(d) for d in recommended] == above
    for wrong in ({"min_score": 2}, {"min_score": 0.5, "fusion": "rank"}):
        with pytest.raises(ValueError, match="min_score"):
            driver.retriever(parts, **wrong)


def test_a_part_that_is_not_rescored_tells_no_least_probability(plain, keeping_aligner):
    driver, make = plain
    rescoring = calibrated(keeping_aligner, 1.0, 0.0)
    store = driver.filled(rescoring, OF_A, make)
    driver.retriever([driver.part(store, rescoring)], min_score=0.5)
    with pytest.raises(ValueError, match="rescore=False"):
        driver.retriever([driver.part(store, rescoring, rescore=False)], min_score=0.5)
    bare = replace(rescoring, calibration=None)
    with pytest.raises(ValueError, match="no calibration"):
        driver.retriever([driver.part(store, bare)], min_score=0.5)


def test_a_question_is_encoded_once_for_parts_of_one_encoder(plain, pair):
    driver, make = plain
    counted = Counted()
    asked = [aligner.with_encoders(source_encoder=counted) for aligner in pair]
    retriever = driver.retriever(parts_of(driver, make, asked))
    driver.ask(retriever, QUERIES[0])  # the encoder is recognised
    counted.calls = 0
    for query in QUERIES:
        driver.ask(retriever, query)
    assert counted.calls == len(QUERIES)


def test_a_document_in_both_parts_comes_once_from_the_first(plain, pair):
    driver, make = plain
    a, b = pair
    both = [driver.filled(a, ROWS, make), driver.filled(b, ROWS, make)]
    parts = [driver.part(both[0], a, name="a"), driver.part(both[1], b, name="b")]
    for first in (parts, parts[::-1]):
        found = driver.ask(driver.retriever(first, k=80), QUERIES[0])
        assert len({driver.id(d) for d in found}) == len(found) == 80
        assert {tuple(driver.said(d)["searches"]) for d in found} == {(first[0].name,)}


@pytest.mark.parametrize("merge", ["id", "text", "identity"])
def test_what_is_one_document_is_chosen(plain, pair, merge):
    """One text stands in both parts, under two ids and with two metadata."""
    driver, make = plain
    a, b = pair
    twin = Row(500, ROWS[0].text, {"model": "b"})
    parts = [
        driver.part(driver.filled(a, OF_A, make), a),
        driver.part(driver.filled(b, [*OF_B, twin], make), b),
    ]
    found = driver.ask(driver.retriever(parts, k=100, merge=merge), QUERIES[0])
    assert len(found) == (80 if merge == "text" else 81)


@pytest.mark.parametrize(("framework", "store"), ONE_STORE)
def test_parts_of_one_collection_are_told_apart_by_a_filter(framework, store, fitted):
    """Vectors of two aligners of one dimension lie in one store; each part is checked by itself."""
    driver = FRAMEWORKS[framework]
    a = calibrated(fitted[0], 1.5, -9.0)
    turned = a.projection.target.weight[:, ::-1], a.projection.target.bias[::-1]
    other_map = replace(
        a.projection,
        source=type(a.projection.source)(
            np.ascontiguousarray(a.projection.source.weight[:, ::-1]),
            np.ascontiguousarray(a.projection.source.bias[::-1]),
        ),
        target=type(a.projection.target)(*map(np.ascontiguousarray, turned)),
    )
    b = replace(a, projection=other_map)
    mixed = driver.filled(a, OF_A, driver.stores[store])
    fill_by(driver, mixed, b, OF_B)
    parts = [driver.filtered(mixed, a, {"model": "a"}), driver.filtered(mixed, b, {"model": "b"})]
    retriever = driver.retriever(parts, k=80)
    found = driver.ask(retriever, QUERIES[0])
    assert [driver.id(d) for d in found[:8]] == [
        i for i, _ in by_probability((a, b), QUERIES[0])[:8]
    ]
    assert {*driver.said(found[0])["searches"]} <= {"part 1", "part 2"}
    assert len(found) == 80
    narrowed = driver.ask(driver.retriever(parts, k=80, filter={"model": "b"}), QUERIES[0])
    assert {driver.id(d) for d in narrowed} == {row.id for row in OF_B}
    swapped = [driver.filtered(mixed, b, {"model": "a"}), driver.filtered(mixed, a, {"model": "b"})]
    with pytest.raises(AlignerMismatchError, match="filtered"):
        driver.ask(driver.retriever(swapped), QUERIES[0])


def fill_by(driver, store, aligner, rows):
    """Add documents with the vectors of another aligner than the store's own."""
    if driver is FRAMEWORKS["llama_index"]:
        nodes_of = driver.part(store, aligner).embedding
        driver.add(store, rows, lambda nodes: _with_vectors(nodes, aligner))
        assert nodes_of is not None
        return
    from langchain_core.embeddings import Embeddings

    class Fixed(Embeddings):
        def embed_documents(self, texts):
            return aligner.embed_documents(texts).tolist()

        def embed_query(self, text):
            raise NotImplementedError

    [name] = [n for n, value in vars(store).items() if hasattr(value, "prepare_query")]
    setattr(store, name, Fixed())
    driver.add(store, rows)


def _with_vectors(nodes, aligner):
    vectors = aligner.embed_documents([node.text for node in nodes])
    for node, vector in zip(nodes, vectors.tolist(), strict=True):
        node.embedding = vector
    return nodes


def test_a_filter_of_a_call_holds_in_every_part(plain, pair):
    driver, make = plain
    parts = parts_of(driver, make, pair)
    found = driver.ask(driver.retriever(parts, k=80, filter={"model": "b"}), QUERIES[0])
    assert {driver.id(d) for d in found} == {id_of(row.number) for row in OF_B}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"fusion": "best"}, "fusion"),
        ({"merge": "name"}, "merge"),
        ({"timeout": 0}, "timeout"),
        ({"follow_every": -1}, "follow_every"),
    ],
)
def test_wrong_options_are_refused_at_once(plain, pair, wrong, said):
    driver, make = plain
    with pytest.raises(ValueError, match=said):
        driver.retriever(parts_of(driver, make, pair), **wrong)


def test_parts_need_names_of_their_own(plain, pair):
    driver, make = plain
    twins = [replace_name(part, "same") for part in parts_of(driver, make, pair)]
    for parts in ([], twins):
        with pytest.raises(ValueError, match="parts are"):
            driver.retriever(parts)


def replace_name(part, name):
    if hasattr(part, "model_copy"):
        return part.model_copy(update={"name": name})
    return replace(part, name=name)
