import json
import threading
from dataclasses import replace
from fractions import Fraction
from math import comb

import numpy as np
import pytest
from support.inner_fit import inner_fit
from support.toy_data import hashed_letters, machine_pairs, two_views
from threadpoolctl import threadpool_info, threadpool_limits

from kakehashi import Pairs, fit
from kakehashi.data.index import IndexDocuments
from kakehashi.data.splits import folds, hold_out
from kakehashi.errors import DataError, FitError
from kakehashi.metrics.relevance import Relevance
from kakehashi.progress import show_progress
from kakehashi.projection.linear import procrustes
from kakehashi.projection.moments import Moments, Spectrum
from kakehashi.report import ALONE, CHOSEN, KNOWN, NEW, Report
from kakehashi.training.assemble import assemble
from kakehashi.training.features import FeatureSet
from kakehashi.training.fit_inputs import FitInputs, FitSettings
from kakehashi.training.held_out_ranks import HeldOutRanks
from kakehashi.training.hubness_bank import corrected
from kakehashi.training.judge import judge as judge_step
from kakehashi.training.learn_serving import learn_calibration
from kakehashi.training.model_selection import choose, tune
from kakehashi.training.one_thread import Limit
from kakehashi.training.prepare import prepare
from kakehashi.training.spaces import share_space
from kakehashi.training.split_plan import plan_split
from kakehashi.training.sufficient_statistics import develop
from kakehashi.training.verdict import by_chance, decide
from kakehashi.vectors import unit_rows


@pytest.mark.parametrize("mode", ["keep", "shared"])
def test_a_linear_map_is_found_between_different_dimensions(vector_pairs, mode):
    report = fit(vector_pairs, mode=mode).report
    assert report.verdict == "use"
    assert report.base is None
    assert report.candidates[report.chosen].scores.means["recall@1"] > 0.5


def test_keep_mode_leaves_targets_alone(vector_pairs):
    y = vector_pairs.target_vectors
    kept = fit(vector_pairs, mode="keep").project(y, modality="target", role="document")
    assert np.array_equal(kept, y)


def test_noise_ships_the_identity():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((120, 8))
    aligner = fit(Pairs(source_vectors=x, target_vectors=x + 1e-3))
    assert aligner.report.verdict == "do not use"
    assert aligner.projection.is_identity
    assert aligner.rescoring is None


def test_unrelated_vectors_are_not_recommended():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 200, 8))
    report = fit(Pairs(source_vectors=x, target_vectors=y[:, :7]), mode="keep").report
    assert report.verdict == "do not use"


def test_groups_are_never_parted(vector_pairs):
    groups = np.array(vector_pairs.groups)
    for split in [hold_out(vector_pairs, 0.2, seed=3), *folds(vector_pairs, 5, seed=3)]:
        assert not set(groups[split.kept]) & set(groups[split.held_out])


def test_a_leaked_row_is_left_out_of_training():
    x, y, _ = two_views(120)
    report = fit(
        Pairs(source_vectors=x, target_vectors=y),
        test=Pairs(source_vectors=x[:5], target_vectors=y[:5]),
        mode="keep",
    ).report
    assert report.leaked_rows_left_out == 5
    said = "5 of 120 pairs were left out: a side of them also stands in the test part"
    assert f"note: {said}" in str(report)


def test_the_bars_of_a_fit_have_names_of_their_own(capsys):
    pytest.importorskip("torch")
    x, y, groups = two_views(120)
    pairs = Pairs(source_vectors=x, target_vectors=y, groups=groups)
    with show_progress():
        fit(pairs, learned=True)
    names = capsys.readouterr().err.splitlines()
    assert "keep: closed forms over vectors" in names
    assert "second map: closed forms" in names
    assert "keep: training learned, to choose (1 of 5)" in names
    chosen = [name for name in names if "to choose" in name]
    assert len(chosen) == len(set(chosen))


def judge(chosen, base, bm25, *, is_identity, **rest):
    return decide(HeldOutRanks(chosen, base, bm25, **rest), is_identity=is_identity)


def test_bad_options_are_named(vector_pairs):
    with pytest.raises(DataError, match="choose one of keep, shared"):
        fit(vector_pairs, mode="both")
    with pytest.raises(
        DataError, match=r"mode='auto' is no longer there: mode='keep', .* both maps"
    ):
        fit(vector_pairs, mode="auto")
    with pytest.raises(DataError, match=r"learned='mlp' .* one of None, False, True"):
        fit(vector_pairs, learned="mlp")
    with pytest.raises(FitError, match="at least 10"):
        fit(vector_pairs.select([0, 1, 2]))


def test_a_map_that_only_avoids_the_fitted_documents_is_not_advised():
    """No fitted document answers a test query: to rank all of them last is no achievement."""
    first, fifth, alone = np.full(60, 1), np.full(60, 5), np.full(60, 3)
    chance = by_chance(Relevance(np.arange(300), [np.array([i]) for i in range(60)]))
    few = by_chance(Relevance(np.arange(6), [np.array([i % 6]) for i in range(60)]))
    same = HeldOutRanks(alone, alone, chance=few)
    for base, said in ((fifth, "lead queries away"), (None, "random order")):
        avoids = judge(first, base, None, is_identity=False, chance=chance, alone=same)
        assert avoids.advice == "do not use"
        assert said in avoids.reason
        one = replace(same, chosen=np.where(np.arange(60) < 3, first, alone))
        by_luck = judge(first, base, None, is_identity=False, chance=chance, alone=one)
        assert by_luck.advice == "do not use"
        helps = replace(same, chosen=first)
        helped = judge(first, base, None, is_identity=False, chance=chance, alone=helps)
        assert helped.advice == "use"


@pytest.mark.parametrize("helps", [False, True])
def test_a_map_ships_only_if_it_is_shown_to_help_out_of_fold(helps, monkeypatch):
    """Of nearly equal sides a map, had luck chosen one, adds nothing; an offset it takes away."""
    lucky = []

    def choose(candidates, base, clusters, **by):
        lucky.append(max((c for c in candidates if c is not base), key=lambda c: c.score))
        return lucky[-1]

    monkeypatch.setattr("kakehashi.training.model_selection.choose", choose)
    rng = np.random.default_rng(1)
    y = rng.standard_normal((300, 12))
    x = y + 0.15 * rng.standard_normal(y.shape) + (4.0 if helps else 0.0)
    aligner = inner_fit(Pairs(source_vectors=x, target_vectors=y), mode="keep", same_space=True)
    report = aligner.report
    base, chosen = report.base, report.candidates[report.chosen].scores
    if helps:
        assert (report.verdict, report.chosen) == ("use", lucky[0].name)
        assert not aligner.projection.is_identity
        assert chosen.means["mrr@10"] > base.means["mrr@10"]
    else:
        assert (report.verdict, report.chosen) == ("do not use", "identity")
        assert aligner.projection.is_identity
        assert report.candidates[lucky[0].name].scores.means["mrr@10"] <= base.means["mrr@10"]
        assert "untouched vectors" in report.describes


@pytest.mark.parametrize(
    ("ours", "theirs", "advice", "ships"),
    [
        ([1] * 40, [3] * 40, "use", True),
        ([3] * 40, [1] * 40, "do not use", False),
        ([1, 3] * 20, [3, 1] * 20, "do not use", False),
    ],
)
def test_the_verdict_follows_the_paired_test_against_the_base(ours, theirs, advice, ships):
    verdict = judge(np.array(ours), np.array(theirs), None, is_identity=False)
    assert (verdict.advice, verdict.beats_base) == (advice, ships)


def test_a_map_that_loses_to_bm25_is_not_advised_but_ships_where_it_beats_the_base():
    ours, base, bm25 = (np.full(40, rank) for rank in (3, 9, 1))
    verdict = judge(ours, base, bm25, is_identity=False)
    assert verdict.advice == "do not use"
    assert "BM25 alone finds more" in verdict.reason
    assert verdict.beats_base


@pytest.mark.parametrize(("a", "m"), [(1, 1), (1, 7), (3, 12), (9, 12), (12, 12), (40, 90)])
def test_a_random_order_finds_what_its_definition_says(a, m):
    chances = [Fraction(comb(m - r, a - 1), comb(m, a)) for r in range(1, min(10, m) + 1)]
    expected = float(sum(p / r for r, p in enumerate(chances, 1)))
    relevance = Relevance(np.arange(m), [np.arange(a)] * 3)
    assert by_chance(relevance) == pytest.approx(expected, rel=1e-12)


def test_hundreds_of_answers_to_one_question_are_judged():
    """One in fourteen of 5,000 documents answers: more ways to draw them than a float can hold."""
    relevance = Relevance(np.arange(5000), [np.arange(350)] * 40)
    chance = by_chance(relevance)
    verdict = judge(np.full(40, 1), None, None, is_identity=False, chance=chance)
    assert verdict.advice == "use"


def test_a_validation_set_does_not_choose_by_rows_of_the_test_set():
    x, y, _ = two_views(200)

    def part(rows):
        return Pairs(source_vectors=x[rows], target_vectors=y[rows])

    with pytest.raises(FitError, match="what judges must not choose"):
        fit(part(range(100)), validation=part(range(100, 200)), test=part(range(100, 200)))
    rows = plan_split(
        part(range(100)), validation=part(range(100, 160)), test=part(range(150, 200)), seed=0
    )
    assert len(develop(rows, FeatureSet("keep"), seed=0).parts[0].queries.source) == 50


def test_a_row_leaks_in_any_precision():
    x, y, _ = two_views(120)
    test = Pairs(source_vectors=x[:7].astype(np.float16), target_vectors=y[:7].astype(np.float64))
    report = fit(Pairs(source_vectors=x, target_vectors=y), test=test, mode="keep").report
    assert report.leaked_rows_left_out == 7


def test_few_held_out_queries_advise_nothing():
    x, y, _ = two_views(45)
    pairs, test = (
        Pairs(source_vectors=x[r], target_vectors=y[r]) for r in (slice(36), slice(36, None))
    )
    report = fit(pairs, test=test, mode="keep").report
    assert report.verdict == "do not use"
    assert "too few to tell" in report.reason


def test_the_correction_does_not_depend_on_the_length_of_targets():
    x, y, groups = two_views(400)
    offsets = []
    for scale in (0.1, 1, 10):
        pairs = Pairs(source_vectors=x, target_vectors=scale * y, groups=groups)
        data = develop(
            plan_split(pairs, validation=None, test=None, seed=0), FeatureSet("keep"), seed=0
        )
        [p] = corrected(
            procrustes(data.everything.spectrum(), "keep", target_mean=0.0),
            "keep",
            data.everything.bank,
            [{"strength": 1.0, "offset_reg": 1.0}],
        )
        offsets.append(p.query_offset)
    assert offsets[0] == pytest.approx(offsets[1], abs=1e-5)
    assert offsets[2] == pytest.approx(offsets[1], abs=1e-5)


@pytest.mark.parametrize("per_target", [1, 10])
def test_noise_is_not_advised_however_small_the_pool(per_target):
    rng = np.random.default_rng(3)
    targets = np.repeat(rng.standard_normal((200 // per_target, 7)), per_target, axis=0)
    pairs = Pairs(source_vectors=rng.standard_normal((200, 8)), target_vectors=targets)
    assert fit(pairs, mode="keep").report.verdict == "do not use"


@pytest.mark.parametrize(
    ("scale", "expected"), [([1.0], "ip"), ([3.0], "cosine"), ([0.99, 1.01], "cosine")]
)
def test_the_metric_is_read_off_the_length_of_the_targets(scale, expected):
    x, y, _ = two_views(100)
    y = y * np.resize(scale, (100, 1))
    assert fit(Pairs(source_vectors=x, target_vectors=y), mode="keep").report.metric == expected


@pytest.mark.slow
def test_spaces_are_told_apart_by_the_vectors():
    rng = np.random.default_rng(0)
    y = rng.standard_normal((200, 12))
    x = y + rng.standard_normal(y.shape)
    turned = x @ np.linalg.qr(rng.standard_normal((12, 12)))[0]
    assert fit(Pairs(source_vectors=x, target_vectors=y), mode="keep").report.base is not None
    assert fit(Pairs(source_vectors=turned, target_vectors=y), mode="keep").report.base is None


@pytest.mark.slow
def test_spaces_of_few_strong_directions_do_not_pass_for_one_by_luck():
    """Their products agree by chance in a tenth of all draws, however many rows there are."""
    called = {"unrelated": 0, "the same": 0}
    for seed in range(40):
        rng = np.random.default_rng(seed)
        hidden = rng.standard_normal((200, 20)) / np.sqrt(1 + np.arange(20))
        a, b = (np.linalg.qr(rng.standard_normal((64, 20)))[0].T for _ in range(2))
        x, unrelated, same = (
            hidden @ basis + 0.05 * rng.standard_normal((200, 64)) for basis in (a, b, a)
        )
        for name, y in (("unrelated", unrelated), ("the same", same)):
            pairs = Pairs(source_vectors=x, target_vectors=y)
            called[name] += share_space(pairs, {"source": None, "target": None}, 0)
    assert called["unrelated"] <= 2
    assert called["the same"] == 40


def test_few_pairs_of_unrelated_spaces_rarely_pass_for_one():
    called = {"unrelated": 0, "the same": 0}
    for seed in range(40):
        rng = np.random.default_rng(seed)
        hidden = rng.standard_normal((12, 20)) / np.sqrt(1 + np.arange(20))
        a, b = (np.linalg.qr(rng.standard_normal((64, 20)))[0].T for _ in range(2))
        x, unrelated, same = (
            hidden @ basis + 0.05 * rng.standard_normal((12, 64)) for basis in (a, b, a)
        )
        for name, y in (("unrelated", unrelated), ("the same", same)):
            pairs = Pairs(source_vectors=x, target_vectors=y)
            called[name] += share_space(pairs, {"source": None, "target": None}, 0)
    assert called["unrelated"] <= 5  # 26 of them win by more than the bar
    assert called["the same"] == 40


def test_the_spaces_and_the_metric_are_found_without_the_pairs_that_judge(monkeypatch):
    rng = np.random.default_rng(0)
    x = unit_rows(rng.standard_normal((50, 8)).astype(np.float32))
    y = x + 0
    held_out = hold_out(Pairs(source_vectors=x, target_vectors=y), 0.2, seed=0, at_most=5000)
    y[held_out.held_out] *= 3
    pairs = Pairs(source_vectors=x, target_vectors=y)
    seen = []
    monkeypatch.setattr(
        "kakehashi.training.prepare.share_space",
        lambda *given: seen.append(given[-1]) or share_space(*given),
    )
    others = unit_rows(rng.standard_normal((10, 8)).astype(np.float32))
    inputs = FitInputs(pairs, Pairs(source_vectors=others, target_vectors=others))
    prepared = prepare(inputs, None, None, FitSettings())
    assert (prepared.same_space, prepared.metric) == (True, "ip")
    assert list(seen[0]) == list(held_out.kept)


@pytest.mark.slow
def test_two_encoders_that_are_one_share_a_space_whatever_the_pairs_say():
    """One encoder may know one of the two languages only; its vectors are of one space still."""
    pairs = machine_pairs()
    order = np.random.default_rng(0).permutation(len(pairs))
    shuffled = Pairs(pairs.source_texts, [pairs.target_texts[i] for i in order])
    quick = {"mode": "keep", "ngrams": False, "learn_from": []}
    report = fit(
        shuffled, source_encoder=hashed_letters, target_encoder=hashed_letters, **quick
    ).report
    assert report.base is not None
    vectors = shuffled.with_vectors(
        *map(hashed_letters, (pairs.source_texts, shuffled.target_texts))
    )
    assert fit(vectors, **quick).report.base is None  # by themselves they look like two

    def mirrored(texts):
        return hashed_letters(texts)[:, ::-1]

    assert (
        fit(shuffled, source_encoder=hashed_letters, target_encoder=mirrored, **quick).report.base
        is None
    )


def test_groups_on_both_sides_of_a_split_of_the_callers_are_noted(vector_pairs):
    test, train = vector_pairs.select(range(0, 400, 8)), vector_pairs.select(range(1, 400, 2))
    notes = fit(train, test=test, mode="keep").report.notes
    assert any("50 of 50 groups of the test set" in note for note in notes)


def test_every_question_of_a_document_is_learned_from():
    """A chunk with two questions is two pairs, and neither is the other's negative."""
    x, y, _ = two_views(200, noise=1.0)
    targets = np.concatenate([y[:100], y[:100]])
    sources = np.concatenate([x[:100], x[:100] + 0.1 * x[100:]])
    both = Spectrum(Moments.of(sources, targets))
    first = Spectrum(Moments.of(sources[:100], targets[:100]))
    heads = [procrustes(s, "keep", target_mean=0.0).source.weight for s in (both, first)]
    assert np.abs(heads[0] - heads[1]).max() > 1e-3
    report = fit(Pairs(source_vectors=sources, target_vectors=targets), mode="keep").report
    assert report.candidates[report.chosen].scores.pool == 100
    about_new, about_known = report.beside[NEW], report.beside[KNOWN]
    assert about_new[CHOSEN].n_queries + about_known[CHOSEN].n_queries == report.sizes["test"]


def test_an_encoder_that_did_not_make_the_stored_vectors_is_refused():
    x, y, _ = two_views(40)
    texts = [f"text {i}" for i in range(40)]
    pairs = Pairs(texts, texts, source_vectors=x, target_vectors=y)
    with pytest.raises(DataError, match="gives 32 dimensions, the stored source vectors have 24"):
        fit(pairs, source_encoder=hashed_letters)
    stored = pairs.with_vectors(hashed_letters(texts), y)
    with pytest.raises(DataError, match="gives other vectors than those stored"):
        fit(stored, source_encoder=lambda texts: hashed_letters(texts)[:, ::-1])
    half = stored.with_vectors(stored.source_vectors.astype(np.float16), None)
    fit(half, source_encoder=hashed_letters, mode="keep", ngrams=False)


def ranks_with(gains, n):
    """Return ranks of n queries, of which so many more are found first than before."""
    ours, before = np.full(n, 2), np.full(n, 2)
    ours[:gains] = 1
    return ours, before


@pytest.mark.parametrize("n", [100, 300])
def test_noise_is_not_advised_where_bm25_finds_nothing_either(n):
    """BM25 without a shared word finds nothing; any random order finds more."""
    rng = np.random.default_rng(n)
    pairs = Pairs(
        [f"q{i}" for i in range(n)],
        [f"d{i}" for i in range(n)],
        source_vectors=rng.standard_normal((n, 16)),
        target_vectors=rng.standard_normal((n, 12)),
    )
    report = fit(pairs, mode="keep").report
    assert report.verdict == "do not use"
    assert "random order" in report.reason


@pytest.mark.parametrize("seed", [None, -1, 1.5, True, "0", 2**63])
def test_a_seed_is_a_whole_number(seed):
    x, y, _ = two_views(40)
    with pytest.raises(DataError, match="seed="):
        fit(Pairs(source_vectors=x, target_vectors=y), seed=seed)


def test_a_seed_may_come_from_numpy(tmp_path):
    x, y, _ = two_views(60)
    pairs = Pairs(source_vectors=x, target_vectors=y)
    aligner = fit(pairs, mode="keep", seed=np.int64(3))
    aligner.save(tmp_path / "a")
    assert aligner.report.seed == 3


def test_what_ships_is_fitted_on_everything_but_a_test_set_of_the_callers(monkeypatch):
    x, y, groups = two_views(300)
    pairs = Pairs(source_vectors=x, target_vectors=y, groups=groups)
    options = {"mode": "keep", "learned": False}
    calibrated = []

    def spying(projection, held_out, *args, **options):
        calibrated.append((projection, held_out))
        return learn_calibration(projection, held_out, *args, **options)

    monkeypatch.setattr("kakehashi.training.assemble.learn_calibration", spying)
    aligner = fit(pairs, **options)
    sizes = aligner.report.sizes
    assert (sizes["fitted"], sizes["test"]) == (300, 300)
    assert 235 <= sizes["development"] <= 245
    assert aligner.report.describes.endswith("fitted again on 300 to ship")
    first = plan_split(pairs, validation=None, test=None, seed=0).parts[0]
    [(projection, held_out)] = calibrated  # by a map that has not seen what it learns from
    assert np.array_equal(held_out.source_vectors, first.held_out.source_vectors)
    alone = inner_fit(pairs.select(first.train), test=first.held_out, **options)
    assert alone.report.describes == "the very weights that ship"
    served = (p(x[:9], modality="source", role="query") for p in (projection, alone.projection))
    if alone.report.candidates[alone.report.chosen].parameters == (
        aligner.report.candidates[aligner.report.chosen].parameters
    ):
        np.testing.assert_allclose(*served, atol=1e-5)
    assert alone.report.sizes == {
        "fitted": len(first.train),
        "development": len(first.train),
        "test": len(first.held_out),
    }


def test_a_process_wide_setting_outlasts_the_first_of_two_that_need_it():
    seen = ["before"]
    limit = Limit(lambda: seen.append("changed") or (lambda: seen.append("put back")))
    with limit:
        thread = threading.Thread(target=limit.__enter__)
        thread.start()
        thread.join()
    assert seen == ["before", "changed"]
    limit.__exit__()
    assert seen == ["before", "changed", "put back"]
    with limit:
        assert seen[-1] == "changed"


def test_queries_that_repeat_are_not_enough():
    ours, before = ranks_with(30, 30)
    found = judge(ours, before, None, is_identity=False, n_different=9, clusters=np.arange(30) % 9)
    assert (found.advice, found.beats_base) == ("do not use", False)
    assert "9 held-out queries are too few" in found.reason
    rng = np.random.default_rng(0)
    y = rng.standard_normal((9, 8)).repeat(10, axis=0).astype(np.float32)
    report = fit(Pairs(source_vectors=y[:, ::-1], target_vectors=y), mode="keep").report
    assert "held-out queries are too few to tell" in report.reason


def test_the_choice_is_given_the_groups_of_the_folds(vector_pairs, monkeypatch):
    seen = []

    def spying(candidates, base, clusters, **by):
        seen.append((candidates, clusters))
        return choose(candidates, base, clusters, **by)

    monkeypatch.setattr("kakehashi.training.model_selection.choose", spying)
    fit(vector_pairs, mode="keep")
    candidates, clusters = seen[0]
    parts = plan_split(vector_pairs, validation=None, test=None, seed=0).parts
    groups = [group for part in parts for group in part.held_out.groups]
    assert len(clusters) == len(groups) == len(candidates[0].per_query)
    assert len(set(zip(clusters, groups, strict=True))) == len(set(clusters)) == len(set(groups))


def test_blas_has_one_thread_while_a_fit_runs_and_what_it_had_after_it(vector_pairs, monkeypatch):
    def threads():
        return [blas["num_threads"] for blas in threadpool_info() if blas["user_api"] == "blas"]

    seen = []
    for name, real in (("tune", tune), ("judge", judge_step), ("assemble", assemble)):

        def spying(*args, real=real, **options):
            seen.append(threads())
            return real(*args, **options)

        monkeypatch.setattr(f"kakehashi.training.fit.{name}", spying)
    with threadpool_limits(limits=2, user_api="blas"):
        before = threads()
        if 2 not in before:
            # Some builds cannot be told: Apple's Accelerate, an OpenBLAS without threads. There
            # fit has nothing to limit, and what follows would hold whatever it did.
            pytest.skip("this BLAS has no threads to limit")
        fit(vector_pairs, mode="keep")
        assert threads() == before
    assert seen == [[1] * len(before)] * 3


def test_a_map_that_loses_on_one_kind_of_question_does_not_ship():
    """It pushes questions away from the documents that pairs name, and gains on all others."""
    ours, base = np.full(60, 1), np.full(60, 3)
    ours[40:], base[40:] = 3, 1
    known = np.arange(60) >= 40
    assert judge(ours, base, None, is_identity=False).advice == "use"
    verdict = judge(ours, base, None, is_identity=False, known=known, clusters=np.arange(60))
    assert (verdict.advice, verdict.beats_base) == ("do not use", False)
    assert "finds less on new questions about documents that pairs name" in verdict.reason


def found_first(aligner, x, y):
    """Return the document that each query finds first, by hand: alone, and as it is served."""
    asked = aligner.project(x, modality="source", role="query")
    stored = aligner.project(y, modality="target", role="document")
    order = np.argsort(-(asked @ stored.T), axis=1, kind="stable")
    if aligner.rescoring is None:
        return order[:, 0], order[:, 0]
    hits = order[:, : aligner.rescoring.n_hits]
    again = aligner.rescoring.documents(y)[hits]
    scores = np.einsum("nd,nkd->nk", aligner.rescoring.query(x), again)
    best = scores.argmax(axis=1)[:, None]
    return order[:, 0], np.take_along_axis(hits, best, axis=1)[:, 0]


@pytest.mark.parametrize("mode", ["keep", "shared"])
def test_the_report_is_what_a_store_of_the_whole_index_would_measure(mode):
    """Recompute recall by hand from projected vectors; the small pool stands beside it, named."""
    x, y, groups = two_views(400, noise=1.0)
    pairs = Pairs(source_vectors=x, target_vectors=y, groups=groups)
    split = hold_out(pairs, 0.2, seed=0, at_most=5000)
    held = split.held_out
    aligner = fit(pairs.select(split.kept), test=pairs.select(held), mode=mode, learned=False)
    report = aligner.report
    assert (aligner.rescoring is not None) == (mode == "keep")
    alone, served = found_first(aligner, x[held], y)
    _, among_few = found_first(aligner, x[held], y[held])
    for scores, pool, found, wanted in (
        (report.candidates[report.chosen].scores, 400, alone, held),
        (report.served, 400, served, held),
        (report.beside[ALONE][CHOSEN], 80, among_few, np.arange(80)),
    ):
        assert (scores.n_queries, scores.pool) == (len(held), pool)
        recall = np.mean(found == wanted)
        assert 0 < recall < 1
        assert recall == pytest.approx(scores.means["recall@1"])
    assert Report.from_dict(json.loads(json.dumps(report.to_dict()))) == report
    printed = str(report)
    assert "80 held-out questions in the whole index, 400 documents:" in printed
    assert "among the documents that no fitted pair names (80 questions, 80 documents):" in printed


@pytest.mark.parametrize("mode", ["keep", "shared"])
def test_every_pair_is_asked_once_of_a_map_without_its_fold(mode):
    """By hand: each fold's map, its own questions, the whole index and the fold's documents."""
    x, y, groups = two_views(400, noise=1.0)
    pairs = Pairs(source_vectors=x, target_vectors=y, groups=groups)
    prepared = prepare(FitInputs(pairs), None, None, FitSettings(mode=mode, learned=False))
    tuned = tune(prepared)
    judged = judge_step(prepared, tuned)
    whole, alone = [], []
    splits = folds(pairs, 5, seed=0)
    for split, chosen in zip(splits, tuned.judged, strict=True):
        part = chosen.data.judging[len(whole)]
        assert part.statistics.moments.n == len(split.kept)
        built = chosen.recipe.build(part.statistics)
        asked = unit_rows(built(x[split.held_out], modality="source", role="query"))
        stored = unit_rows(built(y, modality="target", role="document"))
        whole.append((asked @ stored.T).argmax(axis=1) == split.held_out)
        alone.append((asked @ stored[split.held_out].T).argmax(axis=1) == np.arange(len(asked)))
    scores = judged.scores[tuned.chosen]
    assert (scores.n_queries, scores.pool) == (400, 400)
    assert 0 < scores.means["recall@1"] < 1
    assert scores.means["recall@1"] == pytest.approx(np.concatenate(whole).mean())
    small = judged.beside[ALONE][CHOSEN]
    assert (small.n_queries, small.pool) == (400, 80)
    assert small.means["recall@1"] == pytest.approx(np.concatenate(alone).mean())


def test_a_larger_index_is_drawn_from_and_the_report_says_so(vector_pairs, monkeypatch):
    monkeypatch.setattr("kakehashi.training.split_plan.MAX_POOL", 150)
    sets = {
        name: vector_pairs.select(range(a, a + 40)) for name, a in (("validation", 0), ("test", 40))
    }
    report = fit(vector_pairs, **sets, mode="keep", learned=False).report
    assert report.candidates[report.chosen].scores.pool == 150
    assert any("holds 400 documents; 150 of them stand in for it" in n for n in report.notes)


def test_many_documents_are_thinned_while_settings_are_chosen(vector_pairs, monkeypatch):
    plan = plan_split(vector_pairs, validation=None, test=None, seed=0)
    assert len(plan.choosing(0)) == 400
    half = vector_pairs.select(range(0, 400, 2))
    plan = plan_split(vector_pairs, validation=half, test=half.select(range(20)), seed=0)
    monkeypatch.setattr("kakehashi.training.split_plan.CHOOSING_CELLS", 1)
    chosen = plan.choosing(0)
    answers = plan.pool.positions(plan.parts[0].questions)
    assert set(answers) <= set(chosen)
    assert len(chosen) == 2 * len(answers)


def test_maps_that_were_not_chosen_are_asked_in_the_whole_index_too(vector_pairs, monkeypatch):
    """Else their scores, among the few documents that choose, would stand beside its size."""
    monkeypatch.setattr("kakehashi.training.split_plan.CHOOSING_CELLS", 1)
    pairs = vector_pairs.select(range(100))
    near = np.repeat(pairs.target_vectors, 20, axis=0)
    near = near + 0.05 * np.random.default_rng(0).standard_normal(near.shape).astype(np.float32)
    report = fit(pairs, learned=False, learn_from=IndexDocuments(None, near, learn=0)).report
    chosen = report.candidates[report.chosen].scores
    assert chosen.pool == 2100
    assert chosen.means["mrr@10"] < report.candidates[report.chosen].validation - 0.2
    for candidate in report.candidates.values():
        assert candidate.scores.means["mrr@10"] < candidate.validation - 0.2
