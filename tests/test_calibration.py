"""Calibration, the domain, and how a query is asked."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from typer.testing import CliRunner

from kakehashi import Aligner
from kakehashi.calibration import Calibration, Line, Seen, _logistic, calibrate
from kakehashi.cli.app import app
from kakehashi.domain import Domain
from kakehashi.errors import DataError
from kakehashi.pairs import SIDES
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
    return Seen(sides, sides, words)


def share_of_other(scores_own, scores_other, k=6):
    order = np.argsort(-np.hstack([scores_own, scores_other]), axis=1)[:, :k]
    return (order >= scores_own.shape[1]).mean()


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
            calibration.log_odds(own, query=query, document=query),
            calibration.log_odds(across, query=query, document=other),
        )
        # Of a cluster, two documents are of the query's modality and three of the other.
        assert before < 0.3
        assert 0.4 < after < 0.7


def test_lines_rise_and_keep_the_order_within_a_modality():
    calibration = calibrate(two_clouds(np.random.default_rng(0), gap=1.0))
    scores = np.linspace(-1, 1, 50)
    for query in SIDES:
        for document in SIDES:
            odds = calibration.log_odds(scores, query=query, document=document)
            assert (np.diff(odds) > 0).all()


def test_newton_agrees_with_scikit_learn():
    rng = np.random.default_rng(3)
    x = rng.standard_normal((400, 2)) * [1.0, 5.0] + [0.0, 2.0]
    y = (x @ [1.5, -0.3] + rng.logistic(size=400) > 0.4).astype(float)
    ours = _logistic(x, y)
    reference = LogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000).fit(x, y)
    np.testing.assert_allclose(ours[:2], reference.coef_[0], rtol=1e-3)
    np.testing.assert_allclose(ours[2], reference.intercept_[0], rtol=1e-3, atol=1e-3)


def test_classes_that_can_be_told_apart_give_finite_lines():
    x = np.linspace(0, 1, 100)[:, None]
    assert np.isfinite(_logistic(x, (x[:, 0] > 0.5).astype(float))).all()


def test_words_count_where_there_are_texts():
    rng = np.random.default_rng(0)
    without = calibrate(two_clouds(rng, gap=1.0))
    assert without.hybrid == {}
    with pytest.raises(DataError, match="fitted without texts"):
        without.log_odds([0.5], [1.0], query="source", document="target")
    with_texts = calibrate(two_clouds(rng, gap=1.0, texts=True))
    line = with_texts.hybrid["source", "target"]
    assert line.lexical > 0  # the part numbers are the same on both sides
    plain, named = (
        with_texts.log_odds([0.5], [share], query="source", document="target")
        for share in (0.0, 1.0)
    )
    assert named - plain == pytest.approx(line.lexical)


def test_too_few_pairs_or_scores_that_order_nothing_give_no_calibration():
    assert calibrate(two_clouds(np.random.default_rng(0), gap=1.0, n=27)) is None
    rng = np.random.default_rng(0)
    noise = {s: unit_rows(rng.standard_normal((60, 8)).astype(np.float32)) for s in SIDES}
    against = {"source": noise["source"], "target": -noise["source"]}
    assert calibrate(Seen(against, against, {"source": None, "target": None})) is None


def test_a_calibration_survives_json_and_refuses_what_is_none():
    calibration = calibrate(two_clouds(np.random.default_rng(0), gap=1.0, texts=True))
    record = json.loads(json.dumps(calibration.to_dict()))
    assert Calibration.from_dict(record) == calibration
    record["plain"]["source target"] = [float("nan"), 0, 0]
    with pytest.raises(ValueError, match="not finite"):
        Calibration.from_dict(record)
    with pytest.raises(KeyError):
        Calibration.from_dict({"plain": {}, "hybrid": {}, "n_pairs": 3})


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=20), st.floats(0, 1))
def test_log_odds_are_the_line(scores, share):
    lines = {(q, d): Line(2.0, 3.0, -1.0) for q in SIDES for d in SIDES}
    calibration = Calibration(lines, lines, 30)
    odds = calibration.log_odds(scores, [share] * len(scores), query="source", document="target")
    np.testing.assert_allclose(odds, 2 * np.array(scores) + 3 * share - 1, atol=1e-12)


class TestDomain:
    rng = np.random.default_rng(0)
    sources = unit_rows((rng.standard_normal((300, 16)) + 4 * np.eye(16)[0]).astype(np.float32))
    strangers = unit_rows((rng.standard_normal((100, 16)) - 4 * np.eye(16)[0]).astype(np.float32))
    domain = Domain(Domain.sample(sources, np.arange(200)), None)

    def tuned(self, found, found_misread):
        return self.domain.tuned(
            self.sources[200:],
            self.strangers,
            reciprocal=found,
            reciprocal_misread=found_misread,
        )

    def test_similarity_is_the_mean_cosine_to_the_ten_nearest(self):
        cosines = self.sources[200:] @ self.domain.bank.astype(np.float32).T
        nearest = np.sort(cosines, axis=1)[:, -10:].mean(axis=1)
        np.testing.assert_allclose(
            self.domain.similarity(self.sources[200:] * 7), nearest, atol=1e-5
        )

    def test_a_threshold_parts_what_the_map_finds_from_what_it_harms(self):
        good, bad = np.full(100, 0.9), np.full(100, 0.2)
        tuned = self.tuned((good, bad), (bad, good))
        assert tuned.trusts(self.sources[200:]).mean() > 0.98
        assert tuned.trusts(self.strangers).mean() < 0.02
        assert tuned.report.mrr_misread == pytest.approx((0.2, 0.9), abs=0.02)

    def test_no_threshold_where_the_map_is_never_the_worse_choice(self):
        good, bad = np.full(100, 0.9), np.full(100, 0.2)
        tuned = self.tuned((good, bad), (good, bad))
        assert tuned.threshold is None
        assert tuned.trusts(self.strangers).all()
        assert tuned.report.targets_refused == 0

    def test_it_is_rebuilt_from_its_state_and_refuses_what_is_none(self):
        good, bad = np.full(100, 0.9), np.full(100, 0.2)
        tuned = self.tuned((good, bad), (bad, good))
        record, tensors = tuned.state()
        again = Domain.from_state(json.loads(json.dumps(record)), tensors)
        assert (again.threshold, again.report) == (tuned.threshold, tuned.report)
        np.testing.assert_array_equal(again.bank, tuned.bank)
        with pytest.raises(ValueError, match="float16 matrix"):
            Domain.from_state(record, {"bank": tensors["bank"].astype(np.float32)})
        with pytest.raises(ValueError, match="out of range"):
            Domain.from_state({**record, "threshold": 7.0}, tensors)


class TestAsking:
    def test_a_declared_modality_is_taken_at_its_word(self, real_aligner):
        for modality in SIDES:
            query = real_aligner.ask("R12 10kΩ", modality)
            [vector] = real_aligner.embed(["R12 10kΩ"], modality=modality, role="query")
            np.testing.assert_array_equal(query.vector, vector)
            assert (query.modality, query.how) == (modality, "declared")

    def test_the_router_decides_and_says_so(self, real_aligner):
        japanese = real_aligner.ask("部品の値を変更します。")
        assert (japanese.modality, japanese.how) == ("source", "routed")
        assert 0 < japanese.similarity < 1
        english = real_aligner.ask("Change the value of the symbol.")
        assert (english.modality, english.how) == ("target", "routed")

    def test_what_is_neither_goes_to_the_target_encoder(self, real_aligner):
        query = real_aligner.ask("→ 12 ←")
        assert (query.modality, query.how) == ("target", "unsure")

    def test_beyond_the_threshold_the_target_encoder_is_asked(self, real_aligner):
        domain = replace(real_aligner.serving.domain, threshold=0.99)
        wary = replace(real_aligner, serving=replace(real_aligner.serving, domain=domain))
        query = wary.ask("部品の値を変更します。")
        [vector] = wary.embed(["部品の値を変更します。"], modality="target", role="query")
        np.testing.assert_array_equal(query.vector, vector)
        assert (query.modality, query.how) == ("target", "out of domain")
        assert wary.ask("部品の値を変更します。", "source").how == "declared"

    def test_an_unknown_modality_is_refused(self, real_aligner):
        with pytest.raises(DataError, match="'Source'; a modality is source or target, or auto"):
            real_aligner.ask("a", "Source")

    def test_without_a_router_the_modality_has_to_be_named(self, aligner):
        assert aligner.serving.router is None  # fitted on vectors
        with pytest.raises(DataError, match="no router"):
            aligner.ask("a")

    def test_all_of_it_is_saved_with_the_aligner(self, real_aligner, use):
        again = Aligner.load(real_aligner.path).bind(source=use)
        assert again.serving.calibration == real_aligner.serving.calibration
        assert again.serving.router.report == real_aligner.serving.router.report
        before, after = (a.ask("部品の値を変更します。") for a in (real_aligner, again))
        np.testing.assert_array_equal(before.vector, after.vector)
        assert before[1:] == after[1:]

    def test_info_says_what_was_learned_for_serving(self, real_aligner):
        ran = CliRunner().invoke(app, ["info", str(real_aligner.path)])
        assert ran.exit_code == 0
        for words in ("150 pairs: ", "training queries; ", "of vectors and words, on 30 held-out"):
            assert words in " ".join(ran.output.split())
        ran = CliRunner().invoke(app, ["info", str(real_aligner.path), "--json"])
        learned = json.loads(ran.output)["serving"]
        assert learned["calibration"]["n_pairs"] == 30
        assert learned["router"]["report"]["error"] <= 0.02
