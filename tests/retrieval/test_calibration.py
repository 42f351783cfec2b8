"""Calibration, and how a query is asked."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import logsumexp
from typer.testing import CliRunner

from kakehashi import Aligner
from kakehashi.cli.app import app
from kakehashi.errors import DataError
from kakehashi.retrieval.calibration import Calibration
from kakehashi.retrieval.conditional_logit import (
    ScoredDocuments,
    ScoreWeights,
    _features,
    fit_weights,
)
from kakehashi.retrieval.learn_calibration import HeldOutPairs, calibrate, nearest_pairs
from kakehashi.types import SIDES
from kakehashi.vectors import unit_rows

N = 120


def two_clouds(rng, *, gap, n=N, texts=False):
    """Pairs in clusters of three, whose sides lie `gap` apart whatever they mean."""
    meaning = np.repeat(rng.standard_normal((n // 3, 24)), 3, axis=0)
    meaning += 0.4 * rng.standard_normal((n, 24))
    sides = {}
    for side, sign in (("source", 1), ("target", -1)):
        own = np.full((n, 1), sign * gap)
        noise = 0.15 * rng.standard_normal((n, 24))
        sides[side] = unit_rows(np.hstack([meaning + noise, own]).astype(np.float32))
    words = {"source": None, "target": None}
    if texts:
        names = [f"part-{i // 3}-{i}" for i in range(n)]
        words = {"source": [f"{x} ソース" for x in names], "target": [f"{x} target" for x in names]}
    return HeldOutPairs(sides, sides, words)


def share_of_other(scores_own, scores_other, k=6):
    order = np.argsort(-np.hstack([scores_own, scores_other]), axis=1)[:, :k]
    return (order >= scores_own.shape[1]).mean()


def scored(calibration, dense, *, query, document):
    rank = 1 + np.argsort(np.argsort(-dense, axis=1), axis=1)
    return calibration.scores(dense, rank, query=query, document=document)


@pytest.mark.parametrize("gap", [3.0, 6.0])
def test_the_other_modality_gets_its_share(gap):
    held, new = (two_clouds(np.random.default_rng(seed), gap=gap) for seed in (0, 1))
    calibration = calibrate(held)
    for query, other in (("source", "target"), ("target", "source")):
        own = new.queries[query] @ new.documents[query].T
        np.fill_diagonal(own, -1)  # the query itself is in no index
        across = new.queries[query] @ new.documents[other].T
        before = share_of_other(own, across)
        after = share_of_other(
            scored(calibration, own, query=query, document=query),
            scored(calibration, across, query=query, document=other),
        )
        # Of a cluster, two documents are of the query's modality and three of the other.
        assert before < 0.3
        assert 0.4 < after < 0.7


def test_lines_rise_and_keep_the_order_within_a_modality():
    calibration = calibrate(two_clouds(np.random.default_rng(0), gap=1.0))
    dense = np.linspace(1, -1, 50)[None]
    for query in SIDES:
        for document in SIDES:
            found = scored(calibration, dense, query=query, document=document)
            assert (np.diff(found) < 0).all()


def choices(rng, *, n=200, m=12, weights=(6.0, -0.8, 2.0), lead=1.5, words=True):
    """Two modalities of m documents, one answer drawn from their softmax."""
    dense = rng.uniform(0, 1, (n, 2 * m))
    rank = np.hstack([1 + np.argsort(np.argsort(-part)) for part in (dense[:, :m], dense[:, m:])])
    shares = rng.uniform(0, 1, (n, 2 * m)) if words else np.zeros((n, 2 * m))
    utility = weights[0] * dense + weights[1] * np.log(rank) + weights[2] * shares
    utility[:, m:] += lead
    answer = (utility + rng.gumbel(size=utility.shape)).argmax(axis=1)
    answers = np.arange(2 * m) == answer[:, None]
    return {
        name: ScoredDocuments(
            dense[:, part],
            shares[:, part] if words else None,
            np.ones((n, m), bool),
            answers[:, part],
        )
        for name, part in (("target", slice(0, m)), ("source", slice(m, None)))
    }


def test_the_weights_of_a_choice_are_found_again():
    fitted_weights = fit_weights(choices(np.random.default_rng(0), n=6000))
    for weights in fitted_weights.values():
        # Similarity and place say nearly the same, so that they are known less well apart.
        assert weights.similarity == pytest.approx(6.0, abs=1.0)
        assert weights.place == pytest.approx(-0.8, abs=0.25)
        assert weights.lexical == pytest.approx(2.0, abs=0.15)
    # But for a shift that all have in common.
    difference = {
        name: weights.similarity * 0.5 + weights.offset for name, weights in fitted_weights.items()
    }
    assert difference["source"] - difference["target"] == pytest.approx(1.5, abs=0.15)


@pytest.mark.slow
def test_newton_agrees_with_scipy():
    """An independent optimiser, on the loss written out query by query."""
    given = choices(np.random.default_rng(1), words=False)
    fitted_weights = fit_weights(given)
    columns = {name: _features(choice) for name, choice in given.items()}
    every = np.concatenate([x.reshape(-1, 2) for x in columns.values()])
    mean, deviation = every.mean(axis=0), every.std(axis=0)
    z = {name: (x - mean) / deviation for name, x in columns.items()}

    def loss(beta):
        total = 0.5 * (beta[:4] ** 2).sum()
        for row in range(len(given["target"].similarity)):
            utility = np.concatenate(
                [z["target"][row] @ beta[:2], z["source"][row] @ beta[2:4] + beta[4]]
            )
            answers = np.concatenate([given[name].answers[row] for name in z])
            total += logsumexp(utility) - utility[answers].mean()
        return total

    reference = minimize(loss, np.zeros(5), method="BFGS", options={"gtol": 1e-5}).x
    for fitted, slopes in zip(
        fitted_weights.values(), (reference[:2], reference[2:4]), strict=True
    ):
        np.testing.assert_allclose(fitted[:2], slopes / deviation, rtol=1e-3)
    difference = fitted_weights["source"].offset - fitted_weights["target"].offset
    shift = (reference[:2] - reference[2:4]) / deviation @ mean
    assert difference == pytest.approx(reference[4] + shift, rel=1e-3)


def test_the_mean_answer_in_the_first_modality_scores_0():
    given = choices(np.random.default_rng(2))
    weights, own = fit_weights(given)["target"], given["target"]
    rank = 1 + np.argsort(np.argsort(-own.similarity))
    found = (
        weights.similarity * own.similarity
        + weights.place * np.log(rank)
        + weights.lexical * own.lexical
    )
    assert (found + weights.offset)[own.answers].mean() == pytest.approx(0)


def test_what_would_count_against_a_document_counts_nothing():
    """Words that the answers lack, and places that say nothing."""
    given = choices(np.random.default_rng(4), weights=(6.0, 0.0, -3.0), n=1000)
    for weights in fit_weights(given).values():
        assert weights.lexical == 0
        assert weights.place <= 0
        assert weights.similarity > 0


def test_answers_that_always_lead_give_finite_lines():
    given = choices(np.random.default_rng(5), weights=(500.0, 0.0, 0.0))
    assert np.isfinite([*fit_weights(given).values()]).all()


def test_words_count_where_there_are_texts():
    rng = np.random.default_rng(0)
    without = calibrate(two_clouds(rng, gap=1.0))
    assert without.hybrid == {}
    with pytest.raises(DataError, match="fitted without texts"):
        without.scores([0.5], [1], [1.0], query="source", document="target")
    with_texts = calibrate(two_clouds(rng, gap=1.0, texts=True))
    weights = with_texts.hybrid["source", "target"]
    assert weights.lexical > 0  # the part numbers are the same on both sides
    plain, named = (
        with_texts.scores([0.5], [1], [share], query="source", document="target")
        for share in (0.0, 1.0)
    )
    assert named - plain == pytest.approx(weights.lexical)


def test_words_that_tell_the_answers_get_a_share_in_fusion_by_rank():
    rng = np.random.default_rng(0)
    assert calibrate(two_clouds(rng, gap=1.0)).words_by_rank == {}
    seen = two_clouds(rng, gap=1.0, texts=True)
    # Vectors of which each side alone says less than all of them together.
    noisy = {s: unit_rows(x + 0.12 * rng.standard_normal(x.shape)) for s, x in seen[0].items()}
    seen = HeldOutPairs(noisy, noisy, seen.texts)
    told = calibrate(seen).words_by_rank
    assert all(0 < share <= 0.5 for share in told.values())
    # Names that are no one else's tell nothing.
    texts = {side: [f"{side} {i}" for i in range(N)] for side in SIDES}
    assert set(calibrate(seen._replace(texts=texts)).words_by_rank.values()) == {0.0}


@pytest.mark.parametrize("side", SIDES)
def test_a_pair_that_repeats_a_text_of_a_query_is_not_its_answer(monkeypatch, side):
    """Two questions about one document: each would be the other's nearest by that alone."""
    seen = []

    def spying(scores, excluded):
        seen.append(nearest_pairs(scores, excluded))
        return seen[-1]

    monkeypatch.setattr("kakehashi.retrieval.learn_calibration.nearest_pairs", spying)
    held = two_clouds(np.random.default_rng(0), gap=1.0, texts=True)
    texts = dict(held.texts)
    texts[side] = [f"{i // 2} says it" for i in range(N)]
    calibrate(held._replace(texts=texts))
    [answers] = seen
    assert answers.any(axis=1).all()
    assert not answers[np.arange(N), np.arange(N) ^ 1].any()
    assert not answers.diagonal().any()


def test_too_few_pairs_or_scores_that_order_nothing_give_no_calibration():
    assert calibrate(two_clouds(np.random.default_rng(0), gap=1.0, n=27)) is None
    one_question = two_clouds(np.random.default_rng(0), gap=1.0, texts=True)
    texts = {"source": ["the same question"] * N, "target": one_question.texts["target"]}
    assert calibrate(one_question._replace(texts=texts)) is None
    rng = np.random.default_rng(0)
    noise = {s: unit_rows(rng.standard_normal((60, 8)).astype(np.float32)) for s in SIDES}
    against = {"source": noise["source"], "target": -noise["source"]}
    assert calibrate(HeldOutPairs(against, against, {"source": None, "target": None})) is None


def test_a_calibration_survives_json_and_refuses_what_is_none():
    calibration = calibrate(two_clouds(np.random.default_rng(0), gap=1.0, texts=True))
    record = json.loads(json.dumps(calibration.to_dict()))
    assert Calibration.from_dict(record) == calibration
    record["plain"]["source target"] = [float("nan"), 0, 0, 0]
    with pytest.raises(ValueError, match="not finite"):
        Calibration.from_dict(record)
    with pytest.raises(KeyError):
        Calibration.from_dict({"plain": {}, "hybrid": {}, "n_pairs": 3})


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=20), st.floats(0, 1))
def test_scores_are_the_line(dense, share):
    fitted_weights = {(q, d): ScoreWeights(2.0, -0.5, 3.0, -1.0) for q in SIDES for d in SIDES}
    calibration = Calibration(fitted_weights, fitted_weights, 30)
    n = len(dense)
    rank = np.arange(1, n + 1)
    found = calibration.scores(dense, rank, [share] * n, query="source", document="target")
    expected = 2 * np.array(dense) - 0.5 * np.log(rank) + 3 * share - 1
    np.testing.assert_allclose(found, expected, atol=1e-12)


class TestAsking:
    def test_a_declared_modality_is_taken_at_its_word(self, real_aligner):
        for modality in SIDES:
            query = real_aligner.prepare_query("R12 10kΩ", modality)
            [vector] = real_aligner.embed_queries(["R12 10kΩ"], modality=modality)
            np.testing.assert_array_equal(query.vector, vector)
            assert (query.modality, query.how) == (modality, "declared")

    def test_the_router_decides_and_says_so(self, real_aligner):
        japanese = real_aligner.prepare_query("部品の値を変更します。")
        assert (japanese.modality, japanese.how) == ("source", "routed")
        english = real_aligner.prepare_query("Change the value of the symbol.")
        assert (english.modality, english.how) == ("target", "routed")

    def test_what_is_neither_goes_to_the_target_encoder(self, real_aligner):
        query = real_aligner.prepare_query("→ 12 ←")
        assert (query.modality, query.how) == ("target", "unsure")

    def test_an_unknown_modality_is_refused(self, real_aligner):
        with pytest.raises(DataError, match="'Source'; a modality is source or target, or auto"):
            real_aligner.prepare_query("a", "Source")

    def test_without_a_router_the_modality_has_to_be_named(self, aligner):
        assert aligner.router is None  # fitted on vectors
        with pytest.raises(DataError, match="no router"):
            aligner.prepare_query("a")

    def test_all_of_it_is_saved_with_the_aligner(self, real_aligner, use):
        again = Aligner.load(real_aligner.path).with_encoders(source_encoder=use)
        assert again.calibration == real_aligner.calibration
        assert again.router.report == real_aligner.router.report
        before, after = (a.prepare_query("部品の値を変更します。") for a in (real_aligner, again))
        np.testing.assert_array_equal(before.vector, after.vector)
        assert before[1:] == after[1:]

    def test_info_says_what_was_learned_for_serving(self, real_aligner):
        ran = CliRunner().invoke(app, ["info", str(real_aligner.path)])
        assert ran.exit_code == 0
        for words in ("150 pairs: ", "of vectors and words, on 30 held-out"):
            assert words in " ".join(ran.output.split())
        ran = CliRunner().invoke(app, ["info", str(real_aligner.path), "--json"])
        learned = json.loads(ran.output)["retrieval"]
        assert learned["calibration"]["n_pairs"] == 30
        assert learned["router"]["report"]["error"] <= 0.02
