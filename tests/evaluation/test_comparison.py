"""Baselines by name: each against an independent count, the hooks, and what is refused."""

import itertools
import json
import math
import subprocess
import sys
from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest
import torch
from support.toy_data import (
    ENCODER_OF,
    ENCODERS,
    encoded,
    hashed_letters,
    machine_pairs,
    reversed_letters,
    two_views,
)

import kakehashi
from kakehashi import Pairs
from kakehashi.data.index import IndexDocuments
from kakehashi.data.splits import folds
from kakehashi.encoders import as_encoder
from kakehashi.errors import DataError, FitError
from kakehashi.evaluation import Both, Encoders, Reranked, Translated, compare, evaluate
from kakehashi.evaluation.baselines import Aligned
from kakehashi.evaluation.comparison_verdict import verdict_of
from kakehashi.evaluation.named_baselines import NAMES, RIDGE_FOLDS, RIDGE_GRID
from kakehashi.evaluation.paper_metrics import accuracy_in_pool, harmonic_mean, speed
from kakehashi.evaluation.task import Task
from kakehashi.metrics.pool import Pool
from kakehashi.metrics.ranking import METRICS, ranks, scores
from kakehashi.metrics.relevance import Relevance
from kakehashi.projection.moments import Moments
from kakehashi.retrieval.bm25 import bm25_ranks
from kakehashi.training.gradient import mind_the_gap
from kakehashi.training.inputs import with_vectors

KICAD = files("kakehashi") / "demo" / "kicad_ja_en.jsonl"


@pytest.fixture(scope="module")
def manual():
    """Two hundred pairs of the KiCad manual, train and test, by section."""
    pairs = kakehashi.read_pairs(str(KICAD), on_invalid="drop").select(range(0, 1446, 7))
    split = kakehashi.data.splits.hold_out(pairs, 0.3, seed=0)
    return pairs.select(split.kept), pairs.select(split.held_out)


@pytest.fixture(scope="module")
def stored():
    x, y, _ = two_views(200, noise=0.8)
    part = Pairs(source_vectors=x, target_vectors=y)
    return part.select(range(120)), part.select(range(120, 200))


@pytest.mark.slow
def test_every_name_gives_a_row_of_real_text(manual):
    train, test = manual
    extra = [
        Both("letters", reversed_letters),
        Encoders("two", source_encoder=hashed_letters, target_encoder=hashed_letters),
        Translated("mt", lambda texts: [text.lower() for text in texts]),
    ]
    table = compare(
        train, test, [*NAMES, *extra], source_encoder=hashed_letters, target_encoder=hashed_letters
    )
    assert list(table.rows) == [*NAMES, "letters", "two", "mt"]
    for name, row in table.rows.items():
        assert not isinstance(row, str), (name, row)
        assert set(row.scores.means) == set(METRICS)
        low, high = row.accuracy_interval
        assert 0 <= low <= row.accuracy <= high <= 1
        assert row.scores.means["recall@1"] <= row.accuracy + 1e-12
        assert row.latency > 0
        assert row.harmonic_mean == pytest.approx(harmonic_mean(row.accuracy, row.latency))
    assert table.rows["two"].scores == table.rows["cosine"].scores
    assert table.rows["mt"].scores == table.rows["bm25"].scores
    assert table.rows["mind-the-gap"].train_seconds > table.rows["cosine"].train_seconds
    for name in table.rows:
        assert name in str(table)
    record = json.loads(json.dumps(table.to_dict()))
    assert str(table).splitlines()[-1] == f"verdict: {table.verdict}"
    assert record["verdict"] == str(table.verdict)
    assert record["rows"]["bm25"]["recall@1"] == table.rows["bm25"].scores.means["recall@1"]


def test_the_rows_are_those_of_the_functions_they_name(manual):
    train, test = manual
    table = compare(
        train,
        test,
        ["cosine", "bm25"],
        source_encoder=hashed_letters,
        target_encoder=hashed_letters,
    )
    x = hashed_letters(list(test.source_texts))
    pool = Pool.of([test, train])  # the whole index
    y, relevance = hashed_letters(list(pool.texts)), pool.relevance(test)
    assert (table.rows["cosine"].ranks == ranks(x, y, "cosine", relevance=relevance)).all()
    lexical = bm25_ranks(test.source_texts, pool.texts, relevance=relevance)
    assert (table.rows["bm25"].ranks == lexical).all()
    assert table.pool == len(relevance.pool)


@pytest.mark.parametrize("mode", ["keep", "shared"])
def test_the_closed_forms_are_the_textbooks(stored, mode):
    """Against scikit-learn and SciPy, on centred unit vectors."""
    from scipy.linalg import orthogonal_procrustes
    from sklearn.linear_model import Ridge

    train, test = stored
    table = compare(train, test, ["procrustes", "ridge"], mode=mode)
    x, y, a, b = (
        part.vectors(side).astype(np.float64)
        for part in (train, test)
        for side in ("source", "target")
    )
    x_mean, y_mean = x.mean(axis=0), y.mean(axis=0)
    added, taken = (y_mean, 0) if mode == "keep" else (0, y_mean)

    def ranked(queries):
        unit = (queries + added) / np.linalg.norm(queries + added, axis=1, keepdims=True)
        index = np.concatenate([b, y])
        kept = (index - taken) / np.linalg.norm(index - taken, axis=1, keepdims=True)
        block = unit @ kept.T
        return 1 + (block > np.diag(block)[:, None]).sum(axis=1)

    padded = np.pad(y - y_mean, ((0, 0), (0, x.shape[1] - y.shape[1])))
    rotation, _ = orthogonal_procrustes(x - x_mean, padded)
    expected = ranked(((a - x_mean) @ rotation)[:, : y.shape[1]])
    assert (table.rows["procrustes"].ranks == expected).mean() > 0.98  # but for ties of rounding
    variance = x.var(axis=0).mean() * len(x)
    of_grid = []
    for reg in RIDGE_GRID:
        model = Ridge(alpha=reg * variance, fit_intercept=False).fit(x - x_mean, y - y_mean)
        of_grid.append(ranked(model.predict(a - x_mean)))
    assert max((table.rows["ridge"].ranks == found).mean() for found in of_grid) > 0.98


def test_the_verdict_holds_the_leader_against_the_aligner_or_the_next_best():
    def said(n=40, **by_row):
        ranks = {name: np.resize(rank, n).astype(np.intp) for name, rank in by_row.items()}
        return verdict_of(ranks, clusters=None, n_queries=n)

    ahead = said(ridge=[1, 3], bm25=9, aligner=1)
    assert (ahead.leader, ahead.rival, ahead.shown) == ("aligner", "ridge", True)
    assert str(ahead) == "the aligner finds more than ridge (MRR@10 +0.333, p=0.0001)"
    behind = said(ridge=1, bm25=[1, 2], aligner=9)
    assert (behind.leader, behind.rival, behind.shown) == ("ridge", "aligner", True)
    assert str(said(bm25=1, aligner=1)) == "bm25 and the aligner find the same, on average"
    level = said(bm25=[1, 2, 3], ridge=[2, 1, 4])
    assert str(level).startswith("bm25 leads, but is not shown to beat ridge (MRR@10 +0.040, p=")
    assert str(said(bm25=1)) == "bm25 alone was scored: there is nothing to hold against it"
    assert str(said()) == "no verdict (no row could be scored; each says why)"
    assert str(said(n=9, bm25=1)).startswith("no verdict (9 queries are too few to tell; 10 are")


def test_groups_that_are_fitted_and_few_groups_are_noted():
    x = np.random.default_rng(0).standard_normal((60, 4))
    pairs = Pairs(
        source_vectors=x, target_vectors=x + 0.1, groups=[f"g{i % 25}" for i in range(60)]
    )
    table = compare(pairs.select(range(40)), pairs.select(range(40, 60)), ["cosine"])
    said = "20 of 20 groups of the test set also stand in the pairs"
    assert [note.split(":")[0] for note in table.notes] == [said]
    assert f"note: {said}" in str(table)
    assert table.to_dict()["notes"] == table.notes
    few = compare(pairs.select(range(20)), pairs.select(range(20, 24)), ["cosine"])
    assert [note.split(":")[0] for note in few.notes] == ["the questions stand in 4 groups"]


def test_centring_undoes_an_offset():
    rng = np.random.default_rng(0)
    y = rng.standard_normal((200, 8)) + rng.standard_normal(8)
    x = y / np.linalg.norm(y, axis=1, keepdims=True) + 0.2 * rng.standard_normal(8)
    pairs = Pairs(source_vectors=x, target_vectors=y)
    table = compare(pairs.select(range(100)), pairs.select(range(100, 200)), ["cosine", "centring"])
    before, after = (table.rows[name].scores.means["mrr@10"] for name in ("cosine", "centring"))
    assert after > before


@pytest.mark.slow
def test_two_runs_are_equal_bit_for_bit(stored):
    one, two = (compare(*stored, ["ridge"], seed=3).rows["ridge"] for _ in range(2))
    assert (one.ranks == two.ranks).all()
    assert one.scores == two.scores
    before = torch.get_rng_state()
    x, y = (stored[0].vectors(side)[:40] for side in ("source", "target"))
    networks = [mind_the_gap.train(x, y, seed=3) for _ in range(2)]
    for (w, b), (v, c) in zip(*(network.layers for network in networks), strict=True):
        assert (w.tobytes(), b.tobytes()) == (v.tobytes(), c.tobytes())
    assert torch.equal(before, torch.get_rng_state())  # and nobody else's numbers are moved


# The paper's network and loss


def hinge(anchors, positives):
    """The triplet loss, one triplet at a time."""
    terms = []
    for i, anchor in enumerate(anchors):
        near = math.sqrt(sum((anchor[k] - positives[i][k]) ** 2 for k in range(len(anchor))))
        for j, other in enumerate(positives):
            far = math.sqrt(sum((anchor[k] - other[k]) ** 2 for k in range(len(anchor))))
            if i != j:
                terms.append(max(0.0, near - far + 1.0))
    return sum(terms) / len(terms)


@pytest.mark.parametrize("n", [2, 5, 32])
def test_the_loss_is_the_mean_hinge_over_all_triplets(n):
    rng = np.random.default_rng(n)
    anchors, positives = rng.standard_normal((2, n, 7))
    found = mind_the_gap.triplet_loss(torch.tensor(anchors), torch.tensor(positives))
    assert found.item() == pytest.approx(hinge(anchors, positives), abs=1e-12)


def test_equal_vectors_have_a_finite_gradient():
    positives = torch.ones(4, 3, requires_grad=True)
    mind_the_gap.triplet_loss(torch.ones(4, 3), positives).backward()
    assert torch.isfinite(positives.grad).all()


def test_the_network_has_the_papers_layout_and_is_plain_numpy(stored):
    x, y = (stored[0].vectors(side)[:40] for side in ("source", "target"))
    network = mind_the_gap.train(x, y)
    shapes = [(w.shape, b.shape) for w, b in network.layers]
    assert shapes == [((24, 2048), (2048,)), ((2048, 2048), (2048,)), ((2048, 16), (16,))]
    expected = torch.from_numpy(x)
    for number, (weight, bias) in enumerate(network.layers):
        assert type(weight) is np.ndarray
        assert weight.dtype == bias.dtype == np.float32
        expected = expected @ torch.from_numpy(weight) + torch.from_numpy(bias)
        expected = expected.relu() if number < 2 else expected
    np.testing.assert_allclose(network(x), expected.numpy(), rtol=1e-3, atol=1e-5)


@pytest.mark.slow
def test_training_is_the_papers_schedule(stored, monkeypatch):
    """Adam at 1e-4; five epochs, each of all rows in batches of 32, the last one smaller."""
    seen, options = [], []
    loss, adam = mind_the_gap.triplet_loss, torch.optim.Adam
    monkeypatch.setattr(
        mind_the_gap, "triplet_loss", lambda a, p: seen.append(a.numpy().copy()) or loss(a, p)
    )
    monkeypatch.setattr(torch.optim, "Adam", lambda p, **o: options.append(o) or adam(p, **o))
    x, y = map(stored[0].vectors, ("source", "target"))
    mind_the_gap.train(x, y)
    assert options == [{"lr": 1e-4}]
    assert [len(batch) for batch in seen] == [32, 32, 32, 24] * 5
    for epoch in range(5):
        rows = np.concatenate(seen[4 * epoch : 4 * epoch + 4])
        assert sorted(map(bytes, rows)) == sorted(map(bytes, y))
    assert not np.array_equal(seen[0], seen[4])  # every epoch has an order of its own


def test_it_learns_and_a_last_batch_of_one_row_is_left_out(stored):
    x, y = map(stored[0].vectors, ("source", "target"))
    network = mind_the_gap.train(x[:65], y[:65])
    found = ranks(network(x[:65]), y[:65], "l2")
    assert (found <= 3).mean() > 0.5
    assert np.isfinite(network(x)).all()


@pytest.mark.parametrize(("n", "m"), [(1, 1), (5, 4)])
def test_rows_that_are_no_pairs_are_refused(n, m):
    with pytest.raises(DataError, match=f"{n} source and {m} target"):
        mind_the_gap.train(np.ones((n, 3)), np.ones((m, 3)))


# The paper's metrics


def pool_of(n_documents, answers):
    return Relevance(np.arange(n_documents), [np.asarray(a) for a in answers])


@pytest.mark.parametrize("size", [1, 2, 4, 7, 20])
def test_accuracy_in_a_pool_is_the_share_of_all_pools_that_the_answer_leads(size):
    """Every pool there is, drawn and counted: 7 documents, of which one or two answer."""
    order = [3, 0, 5, 1, 6, 2, 4]
    for answers in ([6], [3], [4], [1, 2]):
        best = min(answers, key=order.index)
        others = [d for d in order if d not in answers]
        rank = 1 + sum(order.index(d) < order.index(best) for d in others)
        pools = list(itertools.combinations(others, min(size - 1, len(others))))
        led = np.mean([all(order.index(d) > order.index(best) for d in pool) for pool in pools])
        found = accuracy_in_pool(np.array([rank]), pool_of(7, [answers]), size)
        assert found == pytest.approx(led)


def test_accuracy_in_a_pool_of_250_is_what_drawn_pools_come_to():
    rng = np.random.default_rng(0)
    rank = np.array([1, 2, 3, 10, 400])
    drawn = [
        np.mean([not (rng.permutation(999)[:249] < r - 1).any() for _ in range(2000)]) for r in rank
    ]
    found = accuracy_in_pool(rank, pool_of(1000, [[i] for i in range(5)]))
    np.testing.assert_allclose(found, drawn, atol=0.04)
    assert found[0] == 1


def test_a_pool_of_fewer_documents_is_all_of_them():
    found = accuracy_in_pool(np.array([1, 2, 80]), pool_of(80, [[0], [1], [2]]))
    assert found.tolist() == [1, 0, 0]


def test_the_table_names_its_pool_and_says_what_its_columns_are(stored):
    table = compare(*stored, ["procrustes"])
    shown = str(table).splitlines()
    assert shown[0] == "80 queries in the whole index: 200 documents, 120 training pairs"
    assert "@5   @10  MRR@10 top-1/200  ms/query  h-mean" in shown[1]
    assert len(shown[1]) == len(shown[2])
    assert shown[3].startswith("top-1/200: share of queries whose answer comes first among 200")
    assert "h-mean: harmonic mean of top-1/200 and of speed, 0.1 s / (0.1 s + time)" in shown[4]
    assert "MRR@10 top-1/250  ms/query" in str(replace(table, pool=1000))


def test_speed_and_harmonic_mean():
    assert speed(0) == 1
    assert speed(0.1) == 0.5
    assert harmonic_mean(0.5, 0.1) == pytest.approx(0.5)
    assert harmonic_mean(1.0, 0.1) == pytest.approx(2 / 3)
    assert harmonic_mean(0.0, 0.1) == 0


# Hooks


def test_translation_goes_before_encoder_and_before_bm25(manual):
    """A translation that knows the answer finds it; what it gives is what is searched with."""
    train, test = manual
    answer = dict(zip(test.source_texts, test.target_texts, strict=True))

    def translate(texts):
        return [answer[text] for text in texts]

    rows = [Translated("words", translate), Translated("vectors", translate, hashed_letters)]
    table = compare(train, test, rows)
    assert table.rows["words"].scores.means["recall@10"] > 0.95
    assert table.rows["vectors"].scores.means["recall@1"] > 0.9


def test_a_reranker_orders_the_top_and_leaves_the_rest(manual):
    train, test = manual
    answer = dict(zip(test.source_texts, test.target_texts, strict=True))
    asked = []

    def rerank(query, documents):
        asked.append(len(documents))
        return [float(document == answer[query]) for document in documents]

    def indifferent(query, documents):
        return [0.0] * len(documents)

    rows = ["cosine", Reranked("all-knowing", "cosine", rerank, top=7)]
    rows.append(Reranked("indifferent", "cosine", indifferent, top=7))
    table = compare(train, test, rows, source_encoder=hashed_letters, target_encoder=hashed_letters)
    base = table.rows["cosine"].ranks
    assert 0 < (base <= 7).sum() < len(base)
    assert (table.rows["all-knowing"].ranks == np.where(base <= 7, 1, base)).all()
    assert set(asked) == {7}
    worst = table.rows["indifferent"].ranks  # all seven tie, and ties count against
    answers = [len(a) for a in Relevance.of(test).answers]
    assert ((worst == base) | (worst >= 8 - np.array(answers))).all()
    assert ((worst <= 7) == (base <= 7)).all()


def test_a_reranker_may_follow_another(manual):
    """The second is given what the first has put on top."""
    train, test = manual
    answer = dict(zip(test.source_texts, test.target_texts, strict=True))
    given = []

    def first(query, documents):
        return [float(document == answer[query]) for document in documents]

    def second(query, documents):
        given.append(documents == [answer[query]])
        return [0.0]

    inner = Reranked("inner", "cosine", first, top=7)
    rows = ["cosine", inner, Reranked("outer", inner, second, top=1)]
    table = compare(train, test, rows, source_encoder=hashed_letters, target_encoder=hashed_letters)
    assert (table.rows["outer"].ranks == table.rows["inner"].ranks).all()
    found = (table.rows["cosine"].ranks <= 7).sum()
    assert all(given[:found])  # what follows are the queries that are timed


def graded(query, documents):
    return torch.ones(len(documents), requires_grad=True)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (Translated("mt", lambda texts: texts[:-1]), "returned .* results"),
        (Translated("mt", lambda texts: [None] * len(texts)), "one string for each"),
        (Translated("mt", lambda texts: None), "'mt' returned: expected a list .* got NoneType"),
        (Translated("mt", lambda texts: "x" * len(texts)), "got str"),
        (Translated("mt", iter), "got list_iterator"),
        (Translated("mt", set), "got set"),
        (Translated("mt", lambda texts: [[text] for text in texts]), "one string for each"),
        (Reranked("ce", "bm25", lambda query, documents: [1.0]), r"\(1,\), float64\) for 50 docu"),
        (Reranked("ce", "bm25", lambda q, d: [math.nan] * len(d)), "'ce' .* finite"),
        (Reranked("ce", "bm25", lambda q, d: [1e300] * len(d)), "finite"),
        (Reranked("ce", "bm25", lambda q, d: None), "a NoneType .* one finite number"),
        (Reranked("ce", "bm25", lambda q, d: ["1"] * len(d)), r"a list \(shape \(50,\), <U1\)"),
        (Reranked("ce", "bm25", lambda q, d: "1" * len(d)), "a str .* one finite number"),
        (
            Reranked("ce", "bm25", lambda q, d: iter([1.0] * len(d))),
            "a list_iterator .* one finite",
        ),
        (
            Reranked("ce", "bm25", lambda q, d: [[1.0], [1.0, 2.0]]),
            "a list .* NumPy cannot read it",
        ),
        (Reranked("ce", "bm25", graded), "a Tensor .* requires grad"),
    ],
)
def test_a_hook_that_returns_something_else_is_an_error(manual, row, message):
    with pytest.raises(DataError, match=message):
        compare(*manual, [row])


def unanswered(*_):
    raise ConnectionError("no answer\n  in 30 s")


def answered_once():
    """A service that answers the first call, of all texts, and none of those that are timed."""
    calls = []

    def translate(texts):
        calls.append(texts)
        return texts if len(calls) == 1 else unanswered()

    return translate


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (Translated("mt", unanswered), "translation 'mt'"),
        (Translated("mt", unanswered, hashed_letters), "translation 'mt'"),
        (Translated("mt", answered_once()), "translation 'mt'"),
        (Reranked("ce", "bm25", unanswered), "reranker 'ce'"),
        (Reranked("ce", Translated("mt", unanswered), max), "translation 'mt'"),
    ],
)
def test_a_hook_that_raises_costs_its_own_row_alone(manual, row, said):
    found = compare(*manual, [row, "bm25"])
    assert found.rows[row.name] == f"the {said} raised ConnectionError: no answer in 30 s"
    assert found.rows["bm25"].scores.n_queries == len(manual[1])


def encodes_batches_only(texts):
    """A service that answers for many texts, and for none of those that are timed one by one."""
    return hashed_letters(texts) if len(texts) > 1 else unanswered()


def none_of_them(texts):
    return np.full((len(texts), 3), np.nan)


LOST = "ConnectionError: no answer in 30 s"


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (Both("ml", unanswered), f"{__name__}.unanswered' raised {LOST}"),
        (Both("ml", encodes_batches_only), f"encodes_batches_only' raised {LOST}"),
        (Encoders("dpr", hashed_letters, unanswered), f"unanswered' raised {LOST}"),
        (Translated("mt", list, unanswered), f"unanswered' raised {LOST}"),
        (Translated("mt", list, encodes_batches_only), f"encodes_batches_only' raised {LOST}"),
        (Both("ml", none_of_them), "none_of_them' raised VectorError: vectors of encoder"),
    ],
)
def test_an_encoder_of_a_row_that_raises_costs_its_own_row_alone(manual, row, said):
    found = compare(*manual, [row, "bm25"])
    assert found.rows[row.name].startswith("the encoder '")
    assert said in found.rows[row.name]
    assert found.rows["bm25"].scores.n_queries == len(manual[1])


# What cannot run says why


def test_what_cannot_run_is_a_row_that_says_why(stored, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    rows = [*NAMES, Both("ml", hashed_letters), Translated("mt", list), Encoders("none", "/none")]
    found = compare(*stored, rows).rows
    assert "different spaces" in found["cosine"]
    assert "different spaces" in found["centring"]
    assert found["bm25"] == "no target texts"
    assert "torch is not installed" in found["mind-the-gap"]
    assert "pip install '.[training]'" in found["mind-the-gap"]
    assert {found[name] for name in ("ml", "mt", "none")} == {"no source texts"}
    assert found["procrustes"].scores.n_queries == 80


def test_texts_without_encoders_can_be_searched_by_words_alone(manual):
    found = compare(*manual, ["cosine", "ridge", "bm25", Encoders("none", "/none", "/none")]).rows
    assert (
        found["cosine"]
        == "no source vectors: name an encoder (source_encoder=, or --source-encoder)"
    )
    assert (
        found["ridge"]
        == "no source vectors: name an encoder (source_encoder=, or --source-encoder)"
    )
    assert "cannot load '/none'" in found["none"]
    assert found["bm25"].scores.n_queries == len(manual[1])


def test_encoders_of_different_dimensions_cannot_be_compared(manual):
    row = compare(*manual, [Encoders("two", hashed_letters, reversed_letters)]).rows["two"]
    assert row == "queries of 32 and documents of 24 dimensions are not comparable"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"baselines": ["cosin"]}, "'cosin' is not known; choose cosine, centring, bm25"),
        ({"baselines": [Both]}, "is no baseline"),
        ({"baselines": ["bm25", "bm25"]}, "name two rows"),
        ({"baselines": "bm25"}, "expected a list"),
        ({"baselines": []}, "nothing to compare"),
        ({"mode": "auto"}, "choose keep or shared"),
        ({"seed": -1}, "seed=-1: choose a whole number from 0"),
        ({"aligner": "bridge"}, r"aligner='bridge' is no Aligner; pass Aligner\.load"),
        ({"source_encoder": hashed_letters}, "different dimensions: {'encoder': 32, 'train': 24"),
    ],
)
def test_what_nobody_can_mean_is_refused(stored, options, message):
    with pytest.raises(DataError, match=message):
        compare(*stored, **options)


def test_settings_of_a_baseline_are_checked_when_it_is_made():
    with pytest.raises(DataError, match="metric='dot'"):
        Both("a", len, metric="dot").fit(None)
    with pytest.raises(DataError, match="top=0"):
        Reranked("a", "cosine", max, top=0)
    for wrong in (1.5, "5", True, None):
        with pytest.raises(DataError, match=f"top={wrong!r}: .* whole number"):
            Reranked("a", "cosine", max, top=wrong)
    with pytest.raises(DataError, match="'bm26' is not known"):
        Reranked("a", "bm26", max)


def test_what_the_index_holds_beside_the_pairs_is_searched_too(manual):
    train, test = manual
    chunks = [f"{text} Or so." for text in test.target_texts]
    options = {"source_encoder": hashed_letters, "target_encoder": hashed_letters}
    alone, among = (
        compare(train, test, ["cosine", "bm25"], index=index, **options) for index in (None, chunks)
    )
    assert among.pool == alone.pool + len(set(chunks))
    for name in ("cosine", "bm25"):
        before, after = (table.rows[name].scores.means["mrr@10"] for table in (alone, among))
        assert after < before
    x, y, _ = two_views(40)
    stored = Pairs(source_vectors=x, target_vectors=y)
    with pytest.raises(DataError, match="some have no texts, and others no vectors"):
        compare(stored.select(range(20)), stored.select(range(20, 40)), ["ridge"], index=chunks)


def test_ridge_chooses_its_strength_by_pairs_that_it_was_not_fitted_on(monkeypatch):
    """Each document stands in two groups, so that folds of whole groups alone would know it."""
    x, y, _ = two_views(60)
    twice = np.repeat(y, 2, axis=0)[:60]
    pairs = Pairs(source_vectors=x, target_vectors=twice, groups=[f"g{i % 7}" for i in range(60)])
    fitted = []
    of = Moments.of
    monkeypatch.setattr(
        Moments, "of", lambda x, y, rows=None: fitted.append(rows) or of(x, y, rows)
    )
    compare(pairs, Pairs(source_vectors=x[:9] + 1, target_vectors=y[-9:]), ["ridge"])
    chosen = [rows for rows in fitted if rows is not None and len(rows) < 60]
    assert len(chosen) == RIDGE_FOLDS
    for split, rows in zip(folds(pairs, RIDGE_FOLDS, seed=0), chosen, strict=True):
        assert len(rows)
        assert not {*(rows // 2)} & {*(split.held_out // 2)}


def test_training_pairs_that_share_a_side_with_the_test_are_left_out(stored):
    train, test = stored
    x, y = (np.concatenate([train.vectors(s), test.vectors(s)]) for s in ("source", "target"))
    both = Pairs(source_vectors=x, target_vectors=y)
    leaky, clean = (compare(part, test, ["ridge"]) for part in (both, train))
    assert (leaky.leaked, leaky.n_train) == (80, 120)
    assert (leaky.rows["ridge"].ranks == clean.rows["ridge"].ranks).all()
    with pytest.raises(FitError, match="0 training pairs and 80 that share"):
        compare(test, test)


def test_an_aligner_is_a_row_with_the_scores_of_its_report(stored):
    train, test = stored
    fitted = kakehashi.fit(train, test=test, mode="keep")
    rows = compare(train, test, ["procrustes"], aligner=fitted).rows
    row, chosen = rows["aligner"], fitted.report.candidates[fitted.report.chosen]
    assert row.scores == fitted.report.served
    assert rows["aligner, not rescored"].scores == chosen.scores
    assert row.train_seconds == fitted.report.seconds
    other = Pairs(source_vectors=np.eye(40), target_vectors=np.eye(40))
    with pytest.raises(DataError, match="aligner takes vectors of"):
        compare(other.select(range(20)), other.select(range(20, 40)), ["ridge"], aligner=fitted)


@pytest.mark.parametrize("side", ["source", "target"])
def test_an_aligner_is_not_scored_with_another_encoder(text_aligner, side):
    """Vectors of the right dimension by the wrong model gave scores that looked like any others."""

    def mirrored(texts):
        return ENCODER_OF[side](texts)[:, ::-1]

    pairs = machine_pairs()
    parts = pairs.select(range(40)), pairs.select(range(40, 80))
    rows = compare(*parts, ["bm25"], **{f"{side}_encoder": mirrored}, aligner=text_aligner).rows
    name = as_encoder(mirrored).name
    assert f"The {side} encoder is {name!r}" in rows["aligner"]
    assert "trained with" in rows["aligner"]
    assert rows["bm25"].scores.n_queries == 40
    right = compare(*parts, ["bm25"], **ENCODERS, aligner=text_aligner).rows
    assert right["aligner"].scores.n_queries == 40


def test_an_aligner_that_reads_texts_reads_those_of_the_test_pairs(ngram_aligner):
    nouns = ("pump", "valve", "seal", "motor")
    rows = [f"{v} the {n} of hall {i}" for v in ("start", "drain") for n in nouns for i in range(8)]
    pairs = Pairs(rows, [f"{row} NOW".upper() for row in rows])
    train, test = pairs.select(range(0, 64, 2)), pairs.select(range(1, 64, 2))
    q = ngram_aligner.embed_queries(list(test.source_texts), modality="source")
    pool = Pool.of([test, train])
    d = ngram_aligner.embed_documents(list(pool.texts), modality="target")
    metric = ngram_aligner.report.metric
    row = compare(train, test, ["bm25"], aligner=ngram_aligner).rows["aligner"]
    assert (row.ranks == ranks(q, d, metric, relevance=pool.relevance(test))).all()
    assert len(set(row.ranks)) >= 3

    given = with_vectors(test, ngram_aligner.encoders, None)
    task = Task(train, given, Pool.of([given]), ngram_aligner.encoders, "keep", 0, None)
    system = Aligned("aligner", ngram_aligner).fit(task)()
    block = scores(q, d[task.relevance.pool], metric)
    for query, expected in enumerate(block):  # as a store is asked, and latency is measured
        np.testing.assert_allclose(system.ask(query), expected, atol=1e-5)
        np.testing.assert_allclose(system.scores(query), expected, atol=1e-5)
    assert np.abs(block[1:] - block[:-1]).max(axis=1).min() > 0.01  # unlike its neighbour


def test_an_aligner_with_two_maps_is_two_rows(keeping_aligner):
    pairs = encoded()
    train, test = pairs.select(range(0, 80, 2)), pairs.select(range(1, 80, 2))
    compared = compare(train, test, ["bm25"], aligner=keeping_aligner)
    rows = compared.rows
    assert {compared.verdict.leader, compared.verdict.rival} == {"aligner", "bm25"}
    pool = Pool.of([test, train])
    index = IndexDocuments(pool.texts, pool.vectors, name="all")
    expected = evaluate(keeping_aligner, test, index=index)
    assert list(rows["aligner"].ranks) == list(expected.ranks["rescored"])
    assert list(rows["aligner, not rescored"].ranks) == list(expected.ranks["aligned"])
    assert rows["aligner"].latency > 0


# Imports and the command line


def run(*arguments):
    command = [sys.executable, "-c", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_comparing_imports_torch_for_the_network_alone():
    code = (
        "import sys, numpy as np, kakehashi.evaluation, kakehashi.training.gradient.mind_the_gap\n"
        "from kakehashi.evaluation import compare\n"
        "x = np.random.default_rng(0).standard_normal((40, 5))\n"
        "pairs = kakehashi.Pairs(source_vectors=x, target_vectors=x[:, :4])\n"
        "compare(pairs.select(range(20)), pairs.select(range(20, 40)), ['procrustes', 'ridge'])\n"
        "print('torch' in sys.modules)"
    )
    assert run(code).stdout.strip() == "False"


@pytest.mark.slow
def test_the_command_prints_rows_and_reasons(tmp_path):
    x, y, groups = two_views(200)
    np.savez(tmp_path / "pairs.npz", source=x, target=y, group=groups)
    main = "from kakehashi.cli import main; main()"
    chosen = ["--baseline", "cosine", "--baseline", "ridge", "--fit"]
    done = run(main, "compare", tmp_path / "pairs.npz", *chosen, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["n_train"], found["n_queries"]) == (160, 40)
    assert list(found["rows"]["cosine"]) == ["reason"]
    assert set(found["rows"]["ridge"]) == {
        *METRICS,
        "intervals",
        *("accuracy", "accuracy_interval", "latency", "harmonic_mean", "train_seconds"),
    }
    assert "recall@1" in found["rows"]["aligner"]
    wrong = run(main, "compare", tmp_path / "pairs.npz", "--baseline", "rigde")
    assert wrong.returncode == 2
    assert "'rigde' is not known" in wrong.stderr
