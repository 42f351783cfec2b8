"""The learning curve: its parts, its forecast, and what it says."""

import json
from dataclasses import replace

import numpy as np
import pytest
from support.toy_data import ENCODERS, hashed_letters, machine_pairs, reversed_letters, two_views

import kakehashi
from kakehashi.data.splits import nested_rows
from kakehashi.evaluation import curve as curve_module
from kakehashi.evaluation.forecast import forecast, next_gain
from kakehashi.training import prepare as prepare_module
from kakehashi.training.fit_inputs import FitInputs, FitSettings
from kakehashi.training.prepare import prepare
from kakehashi.training.sufficient_statistics import develop

SIZES = (100, 200, 400, 800)
ENCODERS_OF_VIEWS = {
    "source_encoder": lambda texts: hashed_letters(texts)[:, :24],
    "target_encoder": lambda texts: reversed_letters(texts)[:, :16],
}


def noisy_views(n, seed=0):
    x, y, groups = two_views(n, noise=1.2, seed=seed)
    return kakehashi.Pairs(source_vectors=x, target_vectors=y, groups=groups)


@pytest.fixture(scope="module")
def pairs():
    return noisy_views(400)


@pytest.fixture(scope="module")
def curve(pairs):
    return kakehashi.evaluation.learning_curve(pairs, repeats=2)


@pytest.fixture
def fits(monkeypatch):
    """Every fit that is made, as it is prepared; tuning and judging are left out."""
    made = []
    some = prepare(FitInputs(noisy_views(60)), None, None, FitSettings())
    real = curve_module._judged(some)

    def judged(prepared):
        made.append(prepared)
        n = len(prepared.plan.test.held_out)
        return replace(real, served=np.arange(1, n + 1))

    monkeypatch.setattr(curve_module, "_judged", judged)
    return made


@pytest.mark.slow
def test_every_size_has_to_beat_the_target_encoder_which_reads_a_query_once(monkeypatch):
    """Between two encoders every verdict of a curve is against the same rival."""
    asked, made, real = [], [], curve_module._judged

    def target(texts):
        asked.extend(texts)
        return reversed_letters(texts)

    def judged(prepared):
        made.append(real(prepared))
        return made[-1]

    pairs = machine_pairs()
    monkeypatch.setattr(curve_module, "_judged", judged)
    kakehashi.evaluation.learning_curve(
        pairs, source_encoder=hashed_letters, target_encoder=target, repeats=1
    )
    assert len(made) == 3
    assert made[0].target_encoder is not None
    assert all(each.target_encoder == made[0].target_encoder for each in made)
    queries = [text for text in asked if text in pairs.source_texts]
    assert len(queries) == len(set(queries)) == made[0].target_encoder.n_queries


@pytest.mark.parametrize("b", [0.1, 0.5, 1.0])
def test_a_power_law_is_continued_exactly(b):
    def score(n):
        return 1 - 3 * np.asarray(n, float) ** -b / 4

    found = next_gain(SIZES, score(SIZES))
    assert found == pytest.approx(score(1600) - score(800))
    uneven = (60, 100, 450, 800)
    assert next_gain(uneven, score(uneven)) == pytest.approx(found)


def test_the_forecast_stays_within_what_a_score_can_be():
    assert next_gain(SIZES, np.array([0.9, 0.8, 0.7, 0.6])) == 0
    assert next_gain(SIZES, np.ones(4)) == 0
    assert next_gain(SIZES, np.zeros(4)) == 0
    assert next_gain((10, 20), np.array([0.2, 0.6])) == pytest.approx(0.2)  # .8, .4, .2
    many = next_gain(SIZES, np.random.default_rng(0).random((500, 4)))
    assert many.shape == (500,)
    assert (many >= 0).all()


def test_the_interval_holds_the_gain_and_narrows_with_queries_and_agreeing_fits():
    def width(n_queries, shift):
        found = forecast(SIZES, values(n_queries, shift))
        low, high = found.interval
        assert low < found.gain < high
        return high - low

    def values(n_queries, shift):
        hit = (np.arange(n_queries) * 7919) % n_queries / n_queries
        found = []
        for n in SIZES:
            score = 1 - 3 * n**-0.4
            fits = (score,) if n == SIZES[-1] else (score - shift, score, score + shift)
            found.append(np.stack([(hit < s).astype(float) for s in fits]))
        return found

    assert width(2000, 0.0) < width(200, 0.0)
    assert width(2000, 0.0) < width(2000, 0.05)
    assert forecast(SIZES, values(200, 0.05)) == forecast(SIZES, values(200, 0.05))


def test_queries_of_one_document_are_drawn_together():
    rng = np.random.default_rng(0)
    by_document = [rng.random((1, 40)).repeat(10, axis=1) * n / 1000 for n in SIZES]
    clusters = np.arange(40).repeat(10)
    low, high = forecast(SIZES, by_document, clusters).interval
    one_by_one = forecast(SIZES, by_document).interval
    assert high - low > one_by_one[1] - one_by_one[0]


def test_an_interval_never_leaves_the_scores():
    all_found = [np.ones((1, 20))] * 3
    assert forecast((10, 20, 40), all_found).interval[1] == 0
    none_found = [np.zeros((1, 20))] * 3
    assert forecast((10, 20, 40), none_found).interval[0] == 0


def test_every_beginning_of_the_order_is_whole_documents_but_one(pairs):
    rows = np.arange(0, 400, 2)
    order = nested_rows(pairs, seed=3, rows=rows)
    assert np.array_equal(np.sort(order), rows)
    assert not np.array_equal(order, nested_rows(pairs, seed=4, rows=rows))
    for n in (10, 51, 100):
        inside = {pairs.groups[i] for i in order[:n]}
        outside = {pairs.groups[i] for i in order[n:]}
        assert len(inside & outside) <= 1


def test_parts_are_nested_and_no_test_row_is_in_any(pairs, fits):
    kakehashi.evaluation.learning_curve(pairs, repeats=2, seed=5)
    parts = [prepared.inputs.pairs for prepared in fits]
    seen = [{row.tobytes() for row in part.source_vectors} for part in parts]
    assert [len(part) for part in seen] == [320, 160, 160, 80, 80, 40, 40]
    assert seen[5] < seen[3] < seen[1] < seen[0]
    assert seen[6] < seen[4] < seen[2] < seen[0]
    assert seen[1] != seen[2]
    tests = [prepared.plan.test.held_out for prepared in fits]
    assert all(test is tests[0] for test in tests)
    held_out = {row.tobytes() for row in tests[0].source_vectors}
    assert len(held_out) == 80
    assert not seen[0] & held_out
    assert not {g for part in parts for g in part.groups} & set(tests[0].groups)


def test_pairs_that_share_a_side_with_a_test_of_your_own_are_left_out(pairs, fits):
    test = pairs.select(range(350, 400))
    found = kakehashi.evaluation.learning_curve(pairs, test=test, repeats=1, sizes=[350, 20, 20])
    assert [point.n_pairs for point in found.points] == [20, 350]
    assert [len(prepared.inputs.pairs) for prepared in fits] == [350, 20]


def test_sizes_may_be_read_but_once(pairs, fits):
    found = kakehashi.evaluation.learning_curve(pairs, sizes=(n for n in (40, 20)), repeats=1)
    assert [point.n_pairs for point in found.points] == [20, 40]


def test_a_test_set_that_holds_the_pairs_is_named_as_the_cause(pairs, fits):
    with pytest.raises(kakehashi.KakehashiError) as raised:
        kakehashi.evaluation.learning_curve(pairs, test=pairs)
    assert "0 pairs beside the test part (400 share a side with it" in str(raised.value)
    assert "or a test set of other pairs" in str(raised.value)
    with pytest.raises(kakehashi.KakehashiError, match=r"from 10 to 350.*\(50 share a side"):
        kakehashi.evaluation.learning_curve(pairs, test=pairs.select(range(50)), sizes=[20, 400])
    assert not fits


def test_every_fit_is_of_closed_forms_from_the_pairs_alone(pairs, fits):
    texts = kakehashi.Pairs([f"a {i}" for i in range(80)], [f"b {i}" for i in range(80)])
    for given, mode, ngrams in ((pairs, "keep", False), (texts, "shared", True)):
        fits.clear()
        models = {} if given is pairs else ENCODERS_OF_VIEWS
        kakehashi.evaluation.learning_curve(given, mode=mode, seed=7, repeats=1, **models)
        assert len(fits) > 2
        for prepared in fits:
            settings = prepared.settings
            assert (settings.mode, settings.seed, settings.learned) == (mode, 7, False)
            assert prepared.plan.sources == ()
            assert len(prepared.feature_sets) == 1 + ngrams
            assert {features.mode for features in prepared.feature_sets} == {mode}


def test_every_fit_is_given_the_texts_which_are_encoded_once(fits):
    asked = []

    def counting(texts):
        asked.extend(texts)
        return hashed_letters(texts)[:, :24]

    pairs = machine_pairs()
    index = ["open the door", "close the door", "open the door"]
    encoders = ENCODERS_OF_VIEWS | {"source_encoder": counting}
    found = kakehashi.evaluation.learning_curve(pairs, **encoders, learn_from=index, repeats=1)
    assert len(fits) > 2
    for prepared in fits:
        [(name, rows)] = prepared.plan.sources
        assert (name, rows.target_texts) == ("texts", ("open the door", "close the door"))
    assert asked.count("open the door") == 1
    assert found.learned_from == found.to_dict()["learned_from"] == {"texts": 2}
    assert "from pairs and 2 rows of texts" in str(found)
    with pytest.raises(
        kakehashi.KakehashiError, match="texts has no target vectors; pass target_enc"
    ):
        kakehashi.evaluation.learning_curve(noisy_views(60), source_encoder=never, learn_from=index)
    with pytest.raises(kakehashi.KakehashiError, match="texts: document 1: not a string"):
        kakehashi.evaluation.learning_curve(
            pairs, source_encoder=never, target_encoder=never, learn_from=["a", None]
        )


def never(texts):
    raise AssertionError(texts)


@pytest.mark.slow
def test_texts_that_judge_are_in_no_fit(monkeypatch):
    """An index holds the held-out targets, too; no sum that is fitted may."""
    made = []

    def spying(rows, features, *, seed):
        made.append((rows, develop(rows, features, seed=seed)))
        return made[-1][1]

    monkeypatch.setattr("kakehashi.training.model_selection.develop", spying)
    pairs = machine_pairs()
    index = [*pairs.target_texts, *(f"text number {i}" for i in range(20))]
    found = kakehashi.evaluation.learning_curve(
        pairs, **ENCODERS, learn_from=index, sizes=[30, 64], repeats=1
    )
    assert found.learned_from == {"texts": 100}
    assert len(made) == 4  # with and without n-grams
    for rows, data in made:
        assert len(set(rows.test.held_out.target_texts)) == 16
        for fitted in (data.judging[0].statistics, data.everything):
            assert fitted.sources["texts"].n == 100 - 16
        for part, planned in zip(data.parts, rows.parts, strict=True):
            assert part.statistics.sources["texts"].n == 100 - 16 - len(planned.held_out)


def test_one_question_of_the_spaces_for_all_sizes(pairs, fits, monkeypatch):
    asked = []
    monkeypatch.setattr(
        prepare_module, "share_space", lambda pairs, *_: asked.append(len(pairs)) or False
    )
    kakehashi.evaluation.learning_curve(pairs, repeats=1)
    assert asked == [320]
    assert [prepared.same_space for prepared in fits] == [False] * 4


def test_scores_are_those_of_the_reports(pairs, curve):
    split = kakehashi.data.splits.hold_out(pairs, 0.2, seed=0)
    kept, test = pairs.select(split.kept), pairs.select(split.held_out)
    report = kakehashi.fit(kept, test=test, learn_from=[], learned=False).report
    last = curve.points[-1]
    assert last.n_pairs == len(kept) == 320
    # Other orders of the rows give hubs that round otherwise, and a near tie another setting.
    assert last.scores.means == pytest.approx(report.served.means, abs=0.01)
    assert last.chosen == (report.chosen,)
    assert [len(point.verdicts) for point in curve.points] == [2, 2, 2, 1]
    assert curve.points[0].per_query["recall@1"].shape == (2, 80)


def test_a_seed_gives_the_same_curve(pairs):
    once, again = (
        kakehashi.evaluation.learning_curve(pairs, sizes=[30, 60], repeats=1).to_dict()
        for _ in range(2)
    )
    assert once == again
    assert json.loads(json.dumps(once))["points"][0]["n_pairs"] == 30


def test_it_prints_sizes_scores_and_the_next_doubling(curve):
    text = str(curve)
    assert "80 held-out questions in the whole index: 400 documents, mode keep" in text
    assert "fits of closed forms, over vectors alone, from pairs alone" in text
    found = curve.next_doubling["recall@1"]
    low, high = found.interval
    assert (
        "the next doubling (320 -> 640 pairs) is likely to bring "
        f"{found.gain:+.3f} [{low:+.3f}, {high:+.3f}] recall@1" in text
    )
    assert low <= found.gain <= high


def test_where_no_fit_is_advised_the_curve_says_so():
    x, y, _ = two_views(120)
    shuffled = np.random.default_rng(0).permutation(y)
    pairs = kakehashi.Pairs(source_vectors=x, target_vectors=shuffled)
    found = kakehashi.evaluation.learning_curve(pairs, repeats=1)
    assert "every fit says 'do not use'" in found.notes[-1]
    assert "do not use" in str(found)


def test_what_is_too_small_is_said(fits):
    found = kakehashi.evaluation.learning_curve(noisy_views(60), repeats=1)
    assert [point.n_pairs for point in found.points] == [12, 24, 48]
    assert found.notes[0] == "6 pairs are too few to fit on; 10 are the least"
    with pytest.raises(kakehashi.KakehashiError, match="16 pairs beside the test part"):
        kakehashi.evaluation.learning_curve(noisy_views(20))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "auto"}, "mode='auto': choose keep or shared"),
        ({"seed": -1}, "seed=-1: choose a whole number from 0"),
        ({"repeats": 0}, "repeats=0: .* 1 or more"),
        ({"sizes": [9, 20]}, "9 is not a number of pairs from 10 to 320"),
        ({"sizes": [20, 321]}, "321 is not a number of pairs from 10 to 320"),
        ({"sizes": [20.5, 40]}, "20.5 is not a number"),
        ({"sizes": [40]}, "needs two. Give more pairs, or more sizes.$"),
        ({"sizes": 5}, "sizes=5: pass a list of numbers"),
        ({"sizes": iter([20, 321])}, "321 is not a number of pairs from 10 to 320"),
    ],
)
def test_what_makes_no_curve_is_refused_before_any_fit(pairs, fits, options, message):
    with pytest.raises(kakehashi.KakehashiError, match=message):
        kakehashi.evaluation.learning_curve(pairs, **options)
    assert not fits


def test_a_size_that_cannot_be_fitted_is_named(pairs, monkeypatch):
    def judged(prepared):
        raise kakehashi.errors.FitError("Every pair shares a text.")

    monkeypatch.setattr(curve_module, "_judged", judged)
    with pytest.raises(kakehashi.KakehashiError, match=r"on 320 pairs .* larger sizes\. Every"):
        kakehashi.evaluation.learning_curve(pairs)


def test_texts_need_an_encoder_and_are_encoded_once(fits):
    texts = [f"pump {i} of hall {i % 7}" for i in range(80)]
    pairs = kakehashi.Pairs(texts, [text.upper() for text in texts])
    with pytest.raises(kakehashi.KakehashiError, match="pass source_encoder="):
        kakehashi.evaluation.learning_curve(pairs)
    asked = []

    def encode(texts):
        asked.extend(texts)
        return hashed_letters(texts)[:, :24]

    def encode_target(texts):
        return reversed_letters(texts)[:, :16]

    kakehashi.evaluation.learning_curve(
        pairs, source_encoder=encode, target_encoder=encode_target, repeats=1
    )
    assert sorted(text for text in asked if text in texts) == sorted(texts)
    assert len(fits) == 3
