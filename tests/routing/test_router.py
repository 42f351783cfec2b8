"""Which modality a text is: the classifier beside scikit-learn's, real texts, and odd ones."""

import ast
import inspect
import json
import textwrap
from dataclasses import asdict, replace
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kakehashi import Pairs, read_pairs
from kakehashi.errors import DataError, FitError
from kakehashi.projection.ngrams import ngram_hashes
from kakehashi.routing.classifier import BucketRows, platt, ridge_classifier
from kakehashi.routing.learn_router import report_on
from kakehashi.routing.router import Router, RoutingReport, ScriptRouter
from kakehashi.routing.swapped import read_as

repeatable = settings(derandomize=True, deadline=None, max_examples=60)
any_text = st.text(st.characters(exclude_categories=()), max_size=60)
JA_EN = {"source": ("Hiragana", "Katakana", "Han"), "target": ("Latin",)}


@pytest.fixture(scope="module")
def manual() -> Pairs:
    path = files("kakehashi") / "demo" / "kicad_ja_en.jsonl"
    return read_pairs(str(path), on_invalid="drop")


@pytest.fixture(scope="module")
def japanese(manual) -> Router:
    return Router.fit(manual.select(range(300)))


def docstrings_and_code() -> Pairs:
    """First docstring paragraphs of the standard library, and the code of the same functions."""
    import argparse
    import calendar
    import configparser
    import inspect as inspect_
    import mailbox
    import tarfile
    import zipfile

    said, done, groups = [], [], []
    for module in (argparse, calendar, configparser, inspect_, mailbox, tarfile, zipfile):
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            if not isinstance(node, ast.FunctionDef) or len(node.body) < 2:
                continue
            text = ast.get_docstring(node)
            if text:
                node.body = node.body[1:]
                said.append(textwrap.shorten(text.split("\n\n")[0], 300))
                done.append(ast.unparse(node)[:300])
                groups.append(module.__name__)
    return Pairs(said, done, groups=groups, on_invalid="drop")


@pytest.fixture(scope="module")
def code() -> Pairs:
    return docstrings_and_code()


# -- the classifier ----------------------------------------------------------------------------


def some_rows(seed: int, n: int = 120, dimension: int = 40) -> tuple:
    rng = np.random.default_rng(seed)
    y = np.where(rng.random(n) < 0.4, 1.0, -1.0)
    first = np.where(y > 0, 0, 12)
    buckets = [np.unique(rng.integers(f, f + 28, rng.integers(1, 9))) for f in first]
    dense = np.zeros((n, dimension))
    for row, of_row in enumerate(buckets):
        dense[row, of_row] = 1 / np.sqrt(len(of_row))
    return BucketRows(buckets, dimension), dense, y, rng.random(n) + 0.1


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("reg", [0.3, 1.0, 10.0])
def test_least_squares_is_that_of_scikit_learn(seed, reg, monkeypatch):
    from sklearn.linear_model import Ridge

    x, dense, y, weights = some_rows(seed)
    np.testing.assert_allclose(x.times(np.arange(40.0)), dense @ np.arange(40.0), atol=1e-12)
    np.testing.assert_allclose(x.transposed_times(y), dense.T @ y, atol=1e-12)
    weights[::5] = 0  # rows of a fold that is held out
    theirs = Ridge(alpha=reg).fit(dense, y, sample_weight=weights)
    w, b = ridge_classifier(x, y, weights, reg=reg)
    np.testing.assert_allclose(dense @ w + b, theirs.predict(dense), atol=1e-2)
    monkeypatch.setattr("kakehashi.routing.classifier._TOLERANCE", 1e-10)
    w, b = ridge_classifier(x, y, weights, reg=reg)
    np.testing.assert_allclose(w, theirs.coef_, atol=1e-7)
    assert b == pytest.approx(theirs.intercept_, abs=1e-7)


@pytest.mark.parametrize("shift", [0.2, 1.0, 50.0])
def test_the_logistic_is_that_of_scikit_learn_on_softened_labels(shift):
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(3)
    y = np.repeat([1.0, -1.0], [30, 90])
    scores = shift * y + rng.standard_normal(120)
    weights = np.where(y > 0, 2.0, 2 / 3)
    slope, offset = platt(scores, y, weights)
    soft = np.where(y > 0, 31 / 32, 1 / 92)  # each row counts a little for the other class, too
    twice = np.concatenate([scores, scores])[:, None]
    theirs = LogisticRegression(C=np.inf, tol=1e-12, max_iter=10_000).fit(
        twice,
        np.repeat([1, 0], 120),
        sample_weight=np.concatenate([weights * soft, weights * (1 - soft)]),
    )
    found, expected = (
        s * scores + o for s, o in ((slope, offset), (theirs.coef_[0, 0], theirs.intercept_[0]))
    )
    np.testing.assert_allclose(found, expected, atol=2e-3)


@pytest.mark.parametrize("scores", [np.zeros(8), np.full(8, 1e3), np.linspace(-1e-200, 1e-200, 8)])
def test_the_logistic_of_scores_that_say_nothing_or_too_much_is_finite(scores):
    y = np.repeat([1.0, -1.0], 4)
    assert np.isfinite(platt(scores, y, np.ones(8))).all()


def test_rows_without_buckets_are_zero():
    x = BucketRows([np.empty(0, np.intp)] * 3, 5)
    assert np.array_equal(x.times(np.ones(5)), np.zeros(3))
    assert x.transposed_times(np.ones(3)).dtype == np.float64
    w, b = ridge_classifier(x, np.array([1.0, 1, -1]), np.ones(3), reg=1.0)
    assert (w == 0).all()
    assert b == pytest.approx(1 / 3)


def test_ngrams_of_one_length_precede_those_of_the_next():
    both, ones = ngram_hashes("abc", (1, 3)), ngram_hashes("abc", (1,))
    assert len(both) == 4
    assert np.array_equal(both[:3], ones)
    assert len(np.unique(ngram_hashes("abcabc", (1, 2, 3)))) == 3 + 3 + 3


# -- the threshold -----------------------------------------------------------------------------


def judged(log_odds, y, familiar=None):
    log_odds, y = np.array(log_odds, float), np.array(y, float)
    familiar = np.ones(len(y), bool) if familiar is None else np.array(familiar)
    weights = np.where(y > 0, 0.5 / (y > 0).sum(), 0.5 / (y < 0).sum())
    return report_on(log_odds, familiar, y, weights, n_pairs=len(y) // 2)


def test_without_errors_nothing_is_undecided_but_a_tie():
    assert judged([3, 1, -1, -3], [1, 1, -1, -1]) == RoutingReport(2, 0, 0, 0, 0, 0, 0)
    tie = judged([3, 0, -1, -3], [1, 1, -1, -1])
    assert (tie.threshold, tie.error, tie.source_as_target) == (0, 0.25, 0.5)


def test_the_threshold_is_the_smallest_that_leaves_few_wrong_answers():
    n = 50
    y = np.repeat([1, -1], n)
    log_odds = y * np.tile(np.arange(1, n + 1), 2).astype(float)
    log_odds[3] *= -1  # a source of log-odds -4
    found = judged(log_odds, y)  # one wrong answer of a hundred may stand
    assert (found.threshold, found.error, found.source_as_target) == (0, 0.01, 0.02)
    log_odds[n + 6] *= -1  # a target of log-odds 7
    found = judged(log_odds, y)
    assert found.threshold == 7  # beyond 4, one wrong answer of 92 would be left
    assert (found.error_answered, found.unsure) == (0, pytest.approx(0.14))


@given(seed=st.integers(0, 500), noise=st.sampled_from([0.1, 0.5, 1.0, 3.0]), n=st.integers(5, 80))
@repeatable
def test_no_smaller_threshold_would_do(seed, noise, n):
    rng = np.random.default_rng(seed)
    y = np.repeat([1.0, -1.0], n)
    log_odds = np.round(2 * y + noise * rng.standard_normal(2 * n), 1)  # with ties
    familiar = rng.random(2 * n) > 0.02
    found = judged(log_odds, y, familiar)
    best = None
    for threshold in np.unique([0, *np.abs(log_odds)]):
        answered = familiar & (np.abs(log_odds) > threshold)
        unsure, wrong = (
            1 - answered.mean(),
            (log_odds * y <= 0)[answered].mean() if answered.any() else 0,
        )
        if unsure <= 0.2 + 1e-9 and (best is None or wrong < best[1] > 0.01):
            best = threshold, wrong, unsure
    if best is not None:
        assert found.threshold == best[0]
        assert found.error_answered == pytest.approx(best[1], abs=1e-9)
        assert found.unsure == pytest.approx(best[2], abs=1e-9)
        assert found.reached is bool(best[1] <= 0.01)


# -- routers of real texts ---------------------------------------------------------------------


def test_japanese_and_english_are_told_apart(manual, japanese):
    test = manual.select(range(300, 500))
    assert japanese.report.error < 0.02
    assert japanese.report.n_pairs == 300
    assert np.mean([side == "source" for side in japanese.route(test.source_texts)]) > 0.97
    assert np.mean([side == "target" for side in japanese.route(test.target_texts)]) > 0.97
    log_odds = japanese.log_odds(test.source_texts)
    assert log_odds.dtype == np.float64
    assert log_odds.shape == (200,)
    assert (log_odds > 0).mean() > 0.97


def test_docstrings_and_code_are_told_apart(code):
    rows = np.array(code.groups) != "zipfile"
    router = Router.fit(code.select(np.flatnonzero(rows)))
    assert router.report.error < 0.02
    test = code.select(np.flatnonzero(~rows))
    for side in ("source", "target"):
        assert np.mean([found == side for found in router.route(test.texts(side))]) > 0.95


def test_what_was_promised_on_held_out_groups_is_kept_on_others(manual):
    order = np.random.default_rng(0).permutation(len(manual))
    router = Router.fit(manual.select(order[:200]))
    test = manual.select(order[200:])
    answers = [*router.route(test.source_texts), *router.route(test.target_texts)]
    expected = ["source"] * len(test) + ["target"] * len(test)
    wrong = [a is not None and a != e for a, e in zip(answers, expected, strict=True)]
    assert np.mean(wrong) < 0.02
    assert np.mean([a is None for a in answers]) < 0.1


def test_log_odds_are_odds():
    """Of texts that lie near the border, about as many are wrong as their odds say."""
    rng = np.random.default_rng(0)
    letters = np.array(list("abcdefghij"))
    tilt = np.linspace(1, 2.2, 10)

    def texts(weights, n):
        return ["".join(rng.choice(letters, 12, p=weights / weights.sum())) for _ in range(n)]

    router = Router.fit(Pairs(texts(tilt, 900), texts(tilt[::-1], 900)))
    x, y = router.log_odds(texts(tilt, 900)), router.log_odds(texts(tilt[::-1], 900))
    p = 1 / (1 + np.exp(-np.concatenate([x, y])))
    is_source = np.repeat([1, 0], 900)
    for low in (0.1, 0.3, 0.5, 0.7):
        inside = (p >= low) & (p < low + 0.2)
        assert is_source[inside].mean() == pytest.approx(p[inside].mean(), abs=0.09)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "\n\t\u3000", "\0", "12", "!!!", "→→→", "☃☃ 3", "\ud800", "🙂"),
        *(
            "Откройте файл в редакторе.",
            "Как дела?",
            "엔진 오일을 확인하십시오.",
            "Ανοίξτε το αρχείο",
        ),
    ],
)
def test_what_is_of_neither_side_is_undecided(japanese, text):
    assert japanese.route([text]) == [None]
    assert np.isfinite(japanese.log_odds([text])).all()


def test_a_new_topic_width_and_capitals_are_still_of_their_side(japanese):
    assert japanese.route(["昨日の天気は晴れでした。", "ﾌｧｲﾙを開く"]) == ["source", "source"]
    texts = ["The weather was fine yesterday.", "OPEN THE FILE MENU", "Ｏｐｅｎ ｔｈｅ ｆｉｌｅ"]
    assert japanese.route(texts) == ["target"] * 3


def test_case_tells_apart_where_nothing_else_does():
    parts, things = ("reset", "check", "drain", "fit"), ("pump", "valve", "tank", "seal")
    texts = [f"{p} the {t} {n}" for p in parts for t in things for n in ("now", "soon")]
    router = Router.fit(Pairs(texts, [text.upper() for text in texts]))
    assert router.report.error == 0
    assert router.route(["check the oil", "CHECK THE OIL"]) == ["source", "target"]


def test_sides_that_are_alike_are_left_undecided():
    rng = np.random.default_rng(5)

    def texts():
        return ["".join(rng.choice(list("abcdefgh"), 10)) for _ in range(100)]

    report = Router.fit(Pairs(texts(), texts())).report
    assert report.error > 0.3
    assert not report.reached
    assert "at most 20% and 1% were wanted" in str(report)
    same = [f"text {i} of many" for i in range(60)]
    router = Router.fit(Pairs(same, same))
    assert router.route(same) == [None] * 60
    assert not router.report.reached


def test_few_documents_with_many_notes_weigh_as_much_as_the_notes():
    notes = [f"{word} leaks at bolt {n}" for word in ("pump", "seal", "tank") for n in range(40)]
    documents = [f"Procedure {n % 12}: Tighten all bolts." for n in range(120)]
    router = Router.fit(Pairs(notes, documents, groups=[n % 12 for n in range(120)]))
    assert router.report.error == 0
    assert router.route(["valve leaks", "Procedure 99: Replace all seals."]) == ["source", "target"]
    assert np.median(router.log_odds(notes)) > 1
    assert np.median(router.log_odds(documents)) < -1


def test_a_text_that_repeats_in_another_group_is_not_its_own_witness():
    """Learned by heart, the targets would score well; a router of new texts does not."""
    rng = np.random.default_rng(2)
    known = ["".join(rng.choice(list("abcdefgh"), 10)) for _ in range(20)]
    rows = range(200)
    fresh = ["".join(rng.choice(list("abcdefgh"), 10)) for _ in rows]
    pairs = Pairs(fresh, [known[i % 20] for i in rows], groups=list(rows))
    assert Router.fit(pairs).report.target_as_source > 0.2


# -- same again --------------------------------------------------------------------------------


def test_a_fit_is_repeatable_and_a_seed_changes_the_folds_only(manual):
    pairs = manual.select(range(60))
    first, again, other = (Router.fit(pairs, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first.weights, again.weights)
    assert first.report == again.report
    assert first.state()[0] == again.state()[0]
    assert np.corrcoef(first.weights, other.weights)[0, 1] > 0.999


def test_of_many_pairs_a_sample_is_read(monkeypatch, manual):
    monkeypatch.setattr("kakehashi.routing.learn_router._MAX_PAIRS", 50)
    assert Router.fit(manual).report.n_pairs == 50


def test_a_row_does_not_depend_on_the_batch(manual, japanese):
    texts = [*manual.source_texts[:20], "", *manual.target_texts[:20]]
    alone = np.concatenate([japanese.log_odds([text]) for text in texts])
    assert np.array_equal(alone, japanese.log_odds(texts))
    assert japanese.route([]) == []
    assert japanese.log_odds([]).shape == (0,)


def test_the_log_odds_that_serve_are_those_of_the_fit(code):
    """What is summed over a text by itself is the sparse product of the fit."""
    router = Router.fit(code)
    from kakehashi.routing.text_features import features_of

    texts = code.source_texts[:50]
    rows = BucketRows([features_of(text).buckets for text in texts], len(router.weights))
    expected = rows.times(router.weights.astype(np.float64)) + router.intercept
    np.testing.assert_allclose(router.log_odds(texts), expected, rtol=1e-9)


def test_state_is_json_and_comes_back_whole(japanese, manual):
    record, tensors = japanese.state()
    again = Router.from_state(json.loads(json.dumps(record)), tensors)
    assert again.report == japanese.report
    assert again.state()[0] == record
    assert np.array_equal(
        again.log_odds(manual.target_texts), japanese.log_odds(manual.target_texts)
    )
    assert again.route(manual.source_texts) == japanese.route(manual.source_texts)
    assert "weights" not in repr(again)


@given(text=any_text, threshold=st.floats(0, 9), least=st.floats(0, 1), intercept=st.floats(-9, 9))
@repeatable
def test_any_router_comes_back_as_it_was(japanese, text, threshold, least, intercept):
    router = replace(
        japanese,
        intercept=intercept,
        least_known=least,
        report=replace(japanese.report, threshold=threshold),
    )
    record, tensors = router.state()
    again = Router.from_state(json.loads(json.dumps(record)), tensors)
    assert again.state()[0] == record
    assert again.route([text]) == router.route([text])
    assert np.array_equal(again.log_odds([text]), router.log_odds([text]))


@given(texts=st.lists(any_text, max_size=4))
@example(texts=["a" * 100_000, "ﷺ" * 1000, "語" * 5000, "\u0301", "İ", "\ud800a", "ﬁ"])
@repeatable
def test_routing_never_raises_on_any_text(japanese, texts):
    scripts = ScriptRouter(**JA_EN)
    for router in (japanese, scripts):
        answers = router.route(texts)
        assert len(answers) == len(texts)
        assert set(answers) <= {"source", "target", None}
    assert np.isfinite(japanese.log_odds(texts)).all()


@given(texts=st.lists(st.tuples(any_text, any_text), min_size=10, max_size=14))
@repeatable
def test_a_fit_on_any_texts_gives_a_router_or_says_why_not(texts):
    try:
        pairs = Pairs(*zip(*texts, strict=True), on_invalid="drop")
        router = Router.fit(pairs)
    except (DataError, FitError):
        return
    assert np.isfinite(router.weights).all()
    Router.from_state(*router.state())


# -- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize("router", ["japanese", "scripts"])
@pytest.mark.parametrize("texts", ["one text", {"a"}, iter(["a"]), 5, None])
def test_texts_that_are_no_list_are_refused(router, texts, request):
    found = request.getfixturevalue(router)
    with pytest.raises(DataError, match="texts: expected a list of strings"):
        found.route(texts)
    with pytest.raises(DataError, match="text 1 is not a string"):
        found.route(["a", 5])


def test_pairs_that_cannot_teach_are_refused(manual, vector_pairs):
    with pytest.raises(DataError, match=r"source side has vectors only.*source_texts"):
        Router.fit(vector_pairs)
    with pytest.raises(DataError, match="expected Pairs, got str; read the file"):
        Router.fit("pairs.jsonl")
    with pytest.raises(FitError, match=r"9 pair\(s\) .* at least 10, or use ScriptRouter"):
        Router.fit(manual.select(range(9)))
    with pytest.raises(FitError, match="All 20 pairs are linked"):
        Router.fit(Pairs([f"note {i}" for i in range(20)], ["one document"] * 20))
    with pytest.raises(DataError, match="seed=-1"):
        Router.fit(manual, seed=-1)


def without(record, name):
    return {k: v for k, v in record.items() if k != name}


@pytest.mark.parametrize(
    "change",
    [
        lambda r, t: (without(r, "intercept"), t),
        lambda r, t: (without(r, "report"), t),
        lambda r, t: ({**r, "intercept": float("nan")}, t),
        lambda r, t: ({**r, "intercept": True}, t),
        lambda r, t: ({**r, "least_known": "0.5"}, t),
        lambda r, t: ({**r, "report": None}, t),
        lambda r, t: ({**r, "report": without(r["report"], "threshold")}, t),
        lambda r, t: ({**r, "report": {**r["report"], "threshold": -1.0}}, t),
        lambda r, t: ({**r, "report": {**r["report"], "n_pairs": 1.5}}, t),
        lambda r, t: ({**r, "report": {**r["report"], "more": 1}}, t),
        lambda r, t: (r, without(t, "known")),
        lambda r, t: (r, {**t, "more": t["known"]}),
        lambda r, t: (r, {**t, "weights": t["weights"][:-1]}),
        lambda r, t: (r, {**t, "weights": t["weights"].astype(np.float64)}),
        lambda r, t: (r, {**t, "weights": t["weights"] * np.float32(np.nan)}),
        lambda r, t: (r, {**t, "known": t["known"].astype(np.int8)}),
        lambda r, t: (r, {**t, "known": t["known"][:, None]}),
    ],
)
def test_a_state_that_does_not_fit_is_refused(japanese, change):
    with pytest.raises((ValueError, KeyError)):
        Router.from_state(*change(*japanese.state()))


# -- by script ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scripts() -> ScriptRouter:
    return ScriptRouter(**JA_EN)


@pytest.mark.parametrize(
    ("text", "side"),
    [
        ("ファイルを開く", "source"),
        ("ﾌｧｲﾙ", "source"),
        ("人々", "source"),
        ("サーバー", "source"),
        ("Open the file", "target"),
        ("Ｏｐｅｎ", "target"),
        ("naïve œuvre", "target"),
        ("ab 開閉", None),
        ("KiCad を起動して開く", "source"),
        ("", None),
        ("123 → !!", None),
        ("файл", None),
        ("файл abc", None),
        ("\ud800", None),
    ],
)
def test_most_letters_decide(scripts, text, side):
    assert scripts.route([text]) == [side]


def test_scripts_route_the_manual(scripts, manual):
    found = scripts.route(manual.source_texts)
    assert np.mean([side == "source" for side in found]) > 0.9
    found = scripts.route(manual.target_texts)
    assert np.mean([side == "target" for side in found]) > 0.99


def test_unknown_missing_and_common_scripts_are_named():
    with pytest.raises(
        DataError, match=r"scripts of the source: 'Kanji' is not known; choose.*Han"
    ):
        ScriptRouter(source=("Kanji",), target=("Latin",))
    with pytest.raises(DataError, match="scripts of the target: none is given"):
        ScriptRouter(source=("Han",), target=())
    with pytest.raises(DataError, match="scripts of the source: expected a list"):
        ScriptRouter(source="Han", target=("Latin",))
    with pytest.raises(DataError, match=r"Latin cannot tell source from target.*Router\.fit"):
        ScriptRouter(source=("Latin", "Greek"), target=("Latin",))
    assert repr(ScriptRouter(("Greek",), ["Latin"])) == (
        "ScriptRouter(source=('Greek',), target=('Latin',))"
    )


def test_every_script_that_is_known_is_told():
    letters = {"Cyrillic": "ж", "Greek": "λ", "Hangul": "한", "Arabic": "س", "Hebrew": "ש"}
    letters |= {"Thai": "ก", "Devanagari": "क", "Han": "語", "Georgian": "გ", "Ethiopic": "ሀ"}
    for name, letter in letters.items():
        assert ScriptRouter(source=(name,), target=("Latin",)).route([letter]) == ["source"]


def test_both_are_routes(japanese, scripts):
    routers = [japanese, scripts]
    assert [router.route(["開く"]) for router in routers] == [["source"]] * 2
    assert set(asdict(japanese.report)) == set(RoutingReport.__annotations__)


def test_swapped_columns_show_themselves(manual, japanese):
    test = manual.select(range(600, 900))
    right = read_as(japanese, test)
    assert (right.columns, right.read) == ("right", 150)
    swapped = read_as(japanese, Pairs(test.target_texts, test.source_texts))
    assert swapped.columns == "swapped"
    assert str(swapped) == (
        f"the router reads {swapped.source_as_target} of 150 sources as targets, and "
        f"{swapped.target_as_source} of 150 targets as sources"
    )
    assert min(swapped[:2]) > 140
    assert read_as(japanese, Pairs(test.target_texts, test.target_texts)).columns == "source"
    assert read_as(japanese, Pairs(test.source_texts, test.source_texts)).columns == "target"


def test_columns_are_not_judged_where_nothing_can_tell(manual, japanese):
    assert read_as(None, manual) is None
    bare = Pairs(manual.source_texts, target_vectors=np.ones((len(manual), 2)))
    assert read_as(japanese, bare) is None
    few = manual.select(range(5))
    assert read_as(japanese, Pairs(few.target_texts, few.source_texts)).columns == "right"
    poor = replace(japanese, report=replace(japanese.report, error=0.3))
    assert read_as(poor, manual) is None


def test_a_report_says_what_is_left_undecided_only_where_something_is():
    report = RoutingReport(300, 0.012, 0.01, 0.014, 0.005, 0.031, 0.4)
    assert str(report) == (
        "300 pairs: 1.2% of held-out texts read as the wrong side (source 1.0%, target 1.4%); "
        "it leaves 3.1% undecided and reads 0.5% wrongly"
    )
    assert str(replace(report, unsure=0.0)).endswith("target 1.4%); it left no text undecided")
    assert "was chosen on these texts" in str(replace(report, n_pairs=99))
    poor = replace(report, error_answered=0.02)
    assert str(poor).endswith("2.0% wrongly; at most 20% and 1% were wanted")
