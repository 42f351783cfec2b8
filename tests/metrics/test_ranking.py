"""Metrics, intervals and tests against independent implementations and against theory."""

import tracemalloc

import ir_measures
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from ir_measures import RR, R, nDCG
from scipy.stats import permutation_test

from kakehashi import Pairs
from kakehashi.metrics.ranking import METRICS, per_query, ranks, ranks_of_scores, reciprocal
from kakehashi.metrics.relevance import Relevance, clusters_of
from kakehashi.metrics.statistics import Scores, bootstrap, paired_test

repeatable = settings(derandomize=True, deadline=None, max_examples=60)
STORE_METRICS = pytest.mark.parametrize("metric", ["ip", "cosine", "l2"])
JUDGES = {f"recall@{k}": R @ k for k in (1, 5, 10)} | {"mrr@10": RR @ 10, "ndcg@10": nDCG @ 10}


@pytest.mark.parametrize("pool", [3, 40])
def test_each_metric_of_each_query_is_that_of_ir_measures(pool):
    """A query whose document stands beyond the tenth place counts as zero."""
    rng = np.random.default_rng(pool)
    block = rng.permuted(np.tile(np.arange(pool), (30, 1)), axis=1).astype(np.float32)
    relevant = rng.integers(pool, size=30)
    qrels = [ir_measures.Qrel(str(q), str(d), 1) for q, d in enumerate(relevant)]
    run = [
        ir_measures.ScoredDoc(str(q), str(d), float(block[q, d])) for q, d in np.ndindex(30, pool)
    ]
    found = per_query(ranks_of_scores(block, relevant[:, None]))
    assert tuple(found) == METRICS
    for name, measure in JUDGES.items():
        expected = {m.query_id: m.value for m in ir_measures.iter_calc([measure], qrels, run)}
        np.testing.assert_allclose(found[name], [expected[str(q)] for q in range(30)], atol=1e-12)


def test_means_are_those_of_ir_measures_where_a_run_leaves_documents_out():
    """A store returns ten documents; a query that finds nothing among them counts as zero."""
    rank = np.array([1, 2, 10, 11, 25])
    qrels = [ir_measures.Qrel(str(q), "x", 1) for q in range(5)]
    run = [
        ir_measures.ScoredDoc(str(q), "x" if place == r else f"d{place}", -float(place))
        for q, r in enumerate(rank)
        for place in range(1, 11)
    ]
    expected = ir_measures.calc_aggregate(list(JUDGES.values()), qrels, run)
    means = Scores.of_ranks(rank, pool=25).means
    assert means == pytest.approx({name: expected[m] for name, m in JUDGES.items()})


def test_the_smooth_score_is_not_cut_at_ten():
    assert list(reciprocal(np.array([1, 4, 20]))) == [1, 0.25, 0.05]


def exact_scores(queries, documents, metric):
    q, d = queries.astype(np.float64), documents.astype(np.float64)
    if metric == "cosine":
        q, d = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (q, d))
    if metric == "l2":
        return -((q[:, None] - d[None]) ** 2).sum(axis=2)
    return q @ d.T


def whole_numbers(rows, columns):
    return hnp.arrays(np.float32, (rows, columns), elements=st.integers(-4, 4).map(np.float32))


@given(data=st.data(), n=st.integers(1, 6), extra=st.integers(0, 4), d=st.integers(1, 4))
@repeatable
@pytest.mark.parametrize("metric", ["ip", "l2"])
def test_ranks_are_those_of_a_sort_that_puts_the_relevant_document_last_among_equals(
    metric, data, n, extra, d
):
    """Whole numbers make every score exact, and equal scores frequent."""
    queries, documents = data.draw(whole_numbers(n, d)), data.draw(whole_numbers(n + extra, d))
    exact = exact_scores(queries, documents, metric)
    expected = []
    for i, row in enumerate(exact):
        order = sorted(range(n + extra), key=lambda j: (-row[j], j == i))
        expected.append(order.index(i) + 1)
    assert list(ranks(queries, documents, metric)) == expected


@given(seed=st.integers(0, 2**32), n=st.integers(1, 30), d=st.integers(1, 20))
@repeatable
@STORE_METRICS
def test_ranks_are_those_of_a_sort_up_to_rounding(metric, seed, n, d):
    rng = np.random.default_rng(seed)
    queries, documents = rng.standard_normal((2, n, d)).astype(np.float32)
    exact = exact_scores(queries, documents, metric)
    own = np.diag(exact)[:, None]
    found = ranks(queries, documents, metric)
    assert (found >= 1 + (exact > own + 1e-4).sum(axis=1)).all()
    assert (found <= (exact >= own - 1e-4).sum(axis=1)).all()


@STORE_METRICS
def test_ranks_do_not_depend_on_how_many_scores_are_held_at_a_time(metric, monkeypatch):
    q, d = np.random.default_rng(0).standard_normal((2, 90, 8)).astype(np.float32)
    whole = ranks(q, d, metric)
    monkeypatch.setattr("kakehashi.metrics.ranking._SCORE_CELLS", 4 * 90)
    assert np.array_equal(ranks(q, d, metric), whole)


@STORE_METRICS
def test_a_store_that_holds_one_document_many_times_finds_it_last(metric):
    documents = np.ones((16, 4), np.float32)
    assert list(ranks(documents, documents, metric)) == [16] * 16


@STORE_METRICS
def test_a_copy_of_the_relevant_document_counts_against_the_query_in_any_shape(metric):
    rng = np.random.default_rng(0)
    for n in (3, 5, 7, 11) * 20:
        q, d = rng.standard_normal((2, n, 66)).astype(np.float32)
        assert ranks(q, np.concatenate([d, d]), metric).min() >= 2


def test_a_score_that_is_no_number_ranks_last_and_counts_against():
    block = np.array([[np.nan, 1, 2], [0, 1, np.nan]], np.float32)
    assert list(ranks_of_scores(block, np.array([[0], [1]]))) == [3, 2]


def heavy_tailed(n, seed=0):
    return np.random.default_rng(seed).random(n) ** 3


def test_the_bootstrap_interval_has_the_width_of_normal_theory_around_the_mean():
    values = {"a": heavy_tailed(600), "b": (heavy_tailed(600, 1) > 0.3).astype(float)}
    for name, (low, high) in bootstrap(values, seed=0).items():
        mean, error = values[name].mean(), values[name].std() / np.sqrt(600)
        assert low < mean < high
        assert high - low == pytest.approx(2 * 1.96 * error, rel=0.12)


def test_the_bootstrap_resamples_whole_queries():
    """What every query shares has no interval, however much its parts differ between queries."""
    a = heavy_tailed(50)
    found = bootstrap({"a": a, "one": np.ones(50), "again": a, "lifted": a + 1}, seed=0)
    assert found["one"] == (1, 1)
    assert found["again"] == found["a"]
    assert found["lifted"] == pytest.approx([1 + end for end in found["a"]])


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    covered = 0
    for seed in range(60):
        [(low, high)] = bootstrap({"a": heavy_tailed(60, seed)}, seed=seed).values()
        covered += low <= 0.25 <= high  # the mean of the cube of a uniform number
    assert 50 <= covered < 60


def test_scores_and_intervals_depend_on_nothing_but_ranks_and_seed():
    rank = np.random.default_rng(0).integers(1, 30, size=80)
    scores = Scores.of_ranks(rank, 100, seed=3)
    assert scores == Scores.of_ranks(rank, 100, seed=3)
    assert scores.intervals != Scores.of_ranks(rank, 100, seed=4).intervals
    assert (scores.n_queries, scores.pool) == (80, 100)
    for name, mean in scores.means.items():
        assert scores.intervals[name][0] <= mean <= scores.intervals[name][1]


@pytest.mark.parametrize("shift", [0.0, 0.15, 0.4, -0.4])
@pytest.mark.parametrize("n", [6, 12])
def test_the_paired_test_is_scipys_exact_one(n, shift):
    ours = np.random.default_rng(n).random(n) + shift
    theirs = np.random.default_rng(n + 1).random(n)
    exact = permutation_test(
        (ours, theirs),
        lambda a, b, axis: (a - b).mean(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=np.inf,
    )
    found = paired_test(ours, theirs)
    assert found.difference == pytest.approx(exact.statistic)
    # Two-sided by size here, twice the smaller tail there: one number for a symmetric null.
    assert found.p_value == pytest.approx(exact.pvalue, abs=0.015)


def test_the_paired_test_of_one_sided_differences_has_the_probability_of_equal_signs():
    """Ten equal differences: only all heads and all tails are as extreme, 2 in 1024."""
    found = paired_test(np.full(10, 0.3), np.zeros(10))
    assert found.p_value == pytest.approx(2 / 1024, abs=1.5e-3)
    assert (found.better, found.worse) == (True, False)
    turned = paired_test(np.zeros(10), np.full(10, 0.3))
    assert (turned.better, turned.worse) == (False, True)
    assert turned.p_value == found.p_value


def test_the_paired_test_of_equal_systems_finds_nothing():
    scores = heavy_tailed(30)
    found = paired_test(scores, scores)
    assert (found.difference, found.p_value, found.better, found.worse) == (0, 1, False, False)


def test_queries_that_do_not_move_change_the_mean_and_not_the_p_value():
    ours, theirs = heavy_tailed(20), heavy_tailed(20, 1)
    still = np.full(20, 0.5)
    alone = paired_test(ours, theirs)
    among = paired_test(np.concatenate([ours, still]), np.concatenate([theirs, still]))
    assert among.p_value == alone.p_value
    assert among.difference == pytest.approx(alone.difference / 2)


def test_the_p_value_is_never_zero_and_the_same_for_the_same_seed():
    ours, theirs = heavy_tailed(400) + 1, heavy_tailed(400, 1)
    found = paired_test(ours, theirs, seed=5)
    assert found.p_value == pytest.approx(1 / 10_001)
    near = heavy_tailed(400, 2)
    assert paired_test(near, theirs, seed=5) == paired_test(near, theirs, seed=5)
    assert paired_test(near, theirs, seed=5).p_value != paired_test(near, theirs, seed=6).p_value


def test_a_document_that_answers_many_queries_is_stored_once():
    """A perfect retriever is perfect, however many questions a document answers."""
    documents = np.eye(6, dtype=np.float32)
    x = np.repeat(documents, 5, axis=0)
    pairs = Pairs(source_vectors=x + 1e-3 * np.arange(30)[:, None], target_vectors=x)
    relevance = Relevance.of(pairs)
    assert len(relevance.pool) == 6
    assert list(ranks(x, x, relevance=relevance)) == [1] * 30


def test_every_target_of_a_source_answers_it():
    pairs = Pairs(["a", "a", "b"], ["1", "2", "3"])
    relevance = Relevance.of(pairs)
    scores = np.array([[1, 3, 2], [1, 3, 2], [1, 3, 2]], np.float32)
    assert list(ranks_of_scores(scores, relevance.answers)) == [1, 1, 2]


def test_notes_that_an_encoder_cannot_tell_apart_still_ask_for_different_things():
    x = np.ones((3, 2), np.float32)
    relevance = Relevance.of(Pairs(source_vectors=x, target_vectors=np.eye(3, 2) + 1))
    assert [list(answers) for answers in relevance.answers] == [[0], [1], [2]]


def test_clusters_are_resampled_and_flipped_whole():
    """Twenty copies of each query add nothing to what is known."""
    values = heavy_tailed(40)
    clusters = np.repeat(np.arange(40), 20)
    once = bootstrap({"a": values}, seed=0)["a"]
    copied = bootstrap({"a": values[clusters]}, clusters=clusters, seed=0)["a"]
    assert copied == pytest.approx(once)
    other = heavy_tailed(40, 1)
    p = paired_test(values, other).p_value
    many = paired_test(values[clusters], other[clusters], clusters=clusters).p_value
    assert many == pytest.approx(p, abs=0.02)


def asking(groups=None, n=100, asked=None):
    texts = [f"q{i}" for i in range(n)] if asked is None else asked
    return Pairs(texts, [f"d{i}" for i in range(len(texts))], groups=groups)


def partition(labels):
    """Number the clusters in the order in which they appear."""
    order = list(dict.fromkeys(labels))
    return [order.index(label) for label in labels]


def test_fewer_than_six_groups_are_no_clusters():
    assert clusters_of(asking([f"g{i % 5}" for i in range(100)])) is None
    assert len(np.unique(clusters_of(asking([f"g{i % 6}" for i in range(100)])))) == 6
    assert clusters_of(asking()) is None


def test_few_groups_whose_queries_rise_and_fall_together_show_no_difference():
    """Query by query a third of such draws would be significant; and six groups can show one."""
    for n_groups in (6, 10, 19):
        groups = np.repeat(np.arange(n_groups), 10)
        clusters = clusters_of(asking([str(group) for group in groups], n=len(groups)))
        better = 0
        for seed in range(20):
            rng = np.random.default_rng(seed)
            gains = rng.standard_normal(n_groups)[groups] + rng.standard_normal(len(groups))
            better += paired_test(gains, np.zeros(len(gains)), clusters=clusters).p_value < 0.05
        assert better <= 3
        always = np.ones(len(groups))
        assert paired_test(always, 0 * always, clusters=clusters).better


def test_a_query_that_is_asked_again_is_one_cluster():
    asked = ["a", "b", "a", "c"]
    assert partition(clusters_of(asking(asked=asked))) == [0, 1, 0, 2]
    both = clusters_of(asking(asked=asked), asking(asked=["d", "b"]))
    assert partition(both) == [0, 1, 0, 2, 3, 1]
    few_groups = asking(["g", "g", "h", "h"], asked=asked)
    assert partition(clusters_of(few_groups)) == [0, 1, 0, 2]


def test_one_long_group_label_does_not_make_every_row_as_long():
    grouped = asking([f"g{i % 20}" for i in range(999)] + ["g" * 20_000], n=1000)
    tracemalloc.start()
    try:
        labels = clusters_of(grouped)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()
    assert partition(labels) == [*[i % 20 for i in range(999)], 20]


def test_groups_of_several_parts_are_counted_together():
    one, two = (asking([f"g{i % 6}" for i in range(k, k + 3)], n=3) for k in (0, 3))
    assert clusters_of(one) is None
    assert len(np.unique(clusters_of(one, two))) == 6
