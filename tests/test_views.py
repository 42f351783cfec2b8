"""What a fit reads, which rows it reads it from, and what unpaired texts add."""

import zlib

import numpy as np
import pytest
from conftest import ENCODERS, hashed_letters, machine_pairs, reversed_letters, two_views

from kakehashi import Pairs, development, fit, gather, search, views
from kakehashi.development import develop
from kakehashi.encoders import as_encoder
from kakehashi.errors import DataError
from kakehashi.gather import gather_unpaired, may_read_texts
from kakehashi.pairs import SIDES
from kakehashi.planning import plan
from kakehashi.projection.moments import Moments, Spectrum, _leading
from kakehashi.projection.ngrams import CharacterNgrams
from kakehashi.rungs import rungs
from kakehashi.vectors import unit_rows
from kakehashi.views import View

QUICK = {"learned": "none", "mode": "keep"}
BOTH = {"source": CharacterNgrams(16), "target": CharacterNgrams(16)}


def encoded(pairs=None):
    pairs = machine_pairs() if pairs is None else pairs
    return pairs.with_vectors(
        hashed_letters(pairs.source_texts), reversed_letters(pairs.target_texts)
    )


def same_texts(texts):
    return Pairs(
        texts, texts, source_vectors=hashed_letters(texts), target_vectors=reversed_letters(texts)
    )


def assert_moments(found, pairs, rows):
    """Hold moments against sums over these rows alone."""
    x, y = (unit_rows(np.asarray(pairs.vectors(s), np.float32)).astype(float)[rows] for s in SIDES)
    assert found.n == len(rows)
    for name, expected in {
        "sum_x": x.sum(axis=0),
        "sum_y": y.sum(axis=0),
        "xx": x.T @ x,
        "yy": y.T @ y,
        "xy": x.T @ y,
    }.items():
        np.testing.assert_allclose(getattr(found, name), expected, atol=1e-4)


# -- moments of unpaired rows, and of few directions ------------------------------------------


@pytest.mark.parametrize("weight", [0.3, 1.0, 3.0])
def test_pooling_is_a_covariance_of_weighted_rows(weight):
    x, y, _ = two_views(70, 6, 5)
    u, v, _ = two_views(200, 6, 5, seed=9)
    v = unit_rows(v + 0.4)
    found = Spectrum(Moments.of(x, y).pooled(Moments.of(u, v), weight))
    paired, unpaired = np.hstack([x, y]).astype(float), np.hstack([u, v]).astype(float)
    # Every unpaired row moved to the mean of the pairs, and counted so that all of them together
    # weigh as much as was asked.
    moved = unpaired - unpaired.mean(axis=0) + paired.mean(axis=0)
    weights = np.concatenate([np.ones(70), np.full(200, weight * 70 / 200)])
    rows = np.vstack([paired, moved])
    expected = np.cov(rows.T, aweights=weights, ddof=0)
    np.testing.assert_allclose(found.mean_x, x.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(found.mean_y, y.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(found.cxx, expected[:6, :6], atol=1e-6)
    np.testing.assert_allclose(found.cyy, expected[6:, 6:], atol=1e-6)
    np.testing.assert_allclose(found.cxy, expected[:6, 6:], atol=1e-6)


@pytest.mark.parametrize("shape", [(300, 260), (260, 300)])
def test_few_directions_are_the_leading_ones_of_the_full_decomposition(shape):
    rng = np.random.default_rng(0)
    u = np.linalg.qr(rng.standard_normal((shape[0], 200)))[0]
    v = np.linalg.qr(rng.standard_normal((shape[1], 200)))[0]
    s = 0.93 ** np.arange(200)
    matrix = (u * s) @ v.T
    a, found, b = _leading(matrix, 40)
    assert (a.shape, found.shape, b.shape) == ((shape[0], 40), (40,), (shape[1], 40))
    np.testing.assert_allclose(found, s[:40], rtol=1e-4)
    np.testing.assert_allclose((a * found) @ b.T, (u[:, :40] * s[:40]) @ v[:, :40].T, atol=2e-3)
    np.testing.assert_allclose(a.T @ a, np.eye(40), atol=1e-9)
    assert np.array_equal(_leading(matrix, 40)[0], a)  # from a seeded start


def test_the_whitened_decomposition_of_few_directions_is_that_of_all():
    rng = np.random.default_rng(2)
    hidden = rng.standard_normal((2000, 60)) * 0.9 ** np.arange(60)
    x = hidden @ rng.standard_normal((60, 130)) + 0.1 * rng.standard_normal((2000, 130))
    y = hidden @ rng.standard_normal((60, 120)) + 0.1 * rng.standard_normal((2000, 120))
    moments = Moments.of(x.astype(np.float32), y.astype(np.float32))
    every = Spectrum(moments).whitened_svd(1.0, 1.0, 0.0, None)
    few = Spectrum(moments).whitened_svd(1.0, 1.0, 0.0, 20)
    np.testing.assert_allclose(few[1], every[1][:20], rtol=1e-3)
    products = [(a[:, :20] * s[:20]) @ b[:, :20].T for a, s, b in (every, few)]
    error = np.linalg.norm(products[1] - products[0]) / np.linalg.norm(products[0])
    assert error < 0.02
    cached = Spectrum(moments)
    first = cached.whitened_svd(1.0, 1.0, 0.0, 20)
    assert cached.whitened_svd(1.0, 1.0, 0.0, 20) is first
    assert cached.whitened_svd(1.0, 1.0, 0.0, 10)[1].shape == (10,)


# -- views ------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["keep", "shared"])
@pytest.mark.parametrize("same_space", [False, True])
def test_the_prior_marks_the_features_that_both_sides_have(mode, same_space):
    texts = [f"text {i}" for i in range(20)]
    x = np.random.default_rng(0).standard_normal((20, 5))
    y = x if same_space else x[:, :4]
    pairs = Pairs(texts, texts, source_vectors=x, target_vectors=y)
    plain, read = views.views(mode, pairs, same_space=same_space, ngrams=True)
    assert not plain.ngrams
    assert (plain.prior is None) != same_space
    assert set(read.ngrams) == ({"source"} if mode == "keep" else {"source", "target"})
    buckets, dy = read.ngrams["source"].dimension, y.shape[1]
    assert buckets == 256  # of few pairs
    seen = read.of(pairs)
    assert seen.source_vectors.shape == (20, 5 + buckets)
    assert seen.target_vectors.shape == (20, dy if mode == "keep" else dy + buckets)
    if mode == "keep" and not same_space:
        assert read.prior is None
        return
    # Feature by feature: the same value on both sides for a text that both encoders see alike.
    expected = np.zeros((5 + buckets, seen.target_vectors.shape[1]))
    for i in range(5 + buckets):
        if i < 5 and same_space:
            expected[i, i] = 1
        if i >= 5 and mode == "shared":
            expected[i, i - 5 + dy] = 1
    assert np.array_equal(read.prior, expected)
    assert read.directions == (None if mode == "keep" else dy)


def test_many_pairs_are_read_into_more_buckets(monkeypatch):
    monkeypatch.setattr(views, "_BUCKETS", ((80, 256),))
    [_, read] = views.views("keep", encoded(), same_space=False, ngrams=True)
    assert read.ngrams["source"].dimension == 1024
    assert len(views.views("keep", encoded(), same_space=False, ngrams=False)) == 1


def test_a_projection_of_a_view_reads_what_the_view_read():
    pairs, view = encoded(), View("shared", BOTH)
    read = view.of(pairs)
    for side in SIDES:
        expected = BOTH[side].beside(pairs.vectors(side), pairs.texts(side))
        assert np.array_equal(read.vectors(side), expected)
        assert pairs.vectors(side).shape[1] == expected.shape[1] - 16  # the pairs stay as they are
    assert View("keep").of(pairs) is pairs
    assert View("keep", {"source": BOTH["source"]}).of(pairs).target_vectors is pairs.target_vectors


def test_keys_of_vectors_are_those_of_the_vectors_that_are_there():
    """Pairs with other vectors put in must not remember what the old ones hashed to."""
    pairs = encoded()
    vectors = Pairs(source_vectors=pairs.source_vectors, target_vectors=pairs.target_vectors)
    before = vectors.keys("source")
    read = vectors.with_vectors(2.5 * pairs.source_vectors, None)
    assert not np.array_equal(read.keys("source"), before)
    assert np.array_equal(vectors.keys("source"), before)
    assert np.array_equal(read.keys("target"), vectors.keys("target"))


# -- who is fitted ----------------------------------------------------------------------------

VIEWS = pytest.mark.parametrize("view", [View("keep"), View("shared", BOTH)], ids=["plain", "read"])


def row_numbers(all_pairs, some, side="source"):
    """Find rows again by their bits."""
    known = {row.tobytes(): i for i, row in enumerate(np.asarray(all_pairs.vectors(side)))}
    rows = some.vectors(side) if isinstance(some, Pairs) else getattr(some, side)
    return sorted(known[row.tobytes()] for row in np.asarray(rows))


@VIEWS
def test_what_is_fitted_holds_no_row_that_chooses_or_judges(view):
    pairs = encoded()
    rows = plan(pairs, validation=None, test=None, seed=0)
    read, data = view.of(pairs), develop(rows, view, seed=0)
    fitted, test = rows.judged.train, row_numbers(pairs, rows.judged.held)
    assert sorted([*fitted, *test]) == list(range(80))
    assert len(test) == 16
    assert len(data.parts) == len(rows.parts) == 5
    chose = []
    for part, planned in zip(data.parts, rows.parts, strict=True):
        train, held = planned.train, row_numbers(pairs, planned.held)
        assert not {*train} & ({*held} | {*test})
        assert_moments(part.fitted.moments, read, train)
        asked = part.questions
        assert np.array_equal(asked.source, read.source_vectors[held])
        assert np.array_equal(asked.documents, read.target_vectors[held])
        assert row_numbers(read, part.fitted.bank) == sorted(train)
        assert row_numbers(read, part.fitted.training.sample(999)) == sorted(train)
        chose += [*held]
    assert sorted(chose) == sorted(fitted)
    assert_moments(data.fitted.moments, read, fitted)
    assert row_numbers(read, data.fitted.training.sample(999)) == sorted(fitted)
    assert row_numbers(read, data.fitted.bank) == sorted(fitted)
    assert_moments(data.everything.moments, read, np.arange(80))
    assert len(data.everything.training.sample(999)) == 80
    assert np.array_equal(data.test.source, view.of(rows.judged.held).source_vectors)


@VIEWS
def test_sets_of_the_callers_are_kept_apart_and_the_test_set_is_never_fitted(view):
    whole = encoded()
    pairs, validation, test = (whole.select(r) for r in (range(50), range(40, 65), range(60, 80)))
    rows = plan(pairs, validation=validation, test=test, seed=0)
    data = develop(rows, view, seed=0)
    [part] = data.parts
    # 60 to 64 stand in the test set and may not choose; 40 to 49 choose and are not fitted.
    chose = (
        row_numbers(view.of(whole), View("keep").of(rows.validation)) if not view.ngrams else None
    )
    assert chose is None or chose == list(range(40, 60))
    assert len(part.questions.source) == 20
    read = view.of(whole)
    assert_moments(part.fitted.moments, read, np.arange(40))
    assert row_numbers(read, part.fitted.training.sample(999)) == list(range(40))
    for fitted in (data.fitted, data.everything):
        assert_moments(fitted.moments, read, np.arange(60))
        assert row_numbers(read, fitted.training.sample(999)) == list(range(60))


@VIEWS
def test_unpaired_rows_of_a_held_out_text_are_left_out(view):
    pairs = encoded()
    extra = [f"unpaired text number {i}" for i in range(30)]
    free = same_texts([*pairs.target_texts, *extra])
    rows = plan(pairs, validation=None, test=None, unpaired=free, seed=0)
    data, read = develop(rows, view, seed=0), view.of(free)
    judged = {*rows.judged.held.target_texts}
    for part, planned in zip(data.parts, rows.parts, strict=True):
        hidden = judged | {*planned.held.target_texts}
        kept = [i for i, text in enumerate(free.target_texts) if text not in hidden]
        assert len(kept) < 110
        assert_moments(part.fitted.unpaired, read, kept)
    kept = [i for i, text in enumerate(free.target_texts) if text not in judged]
    assert_moments(data.fitted.unpaired, read, kept)
    assert_moments(data.everything.unpaired, read, np.arange(110))


def test_unpaired_vectors_without_texts_are_told_by_their_vectors():
    pairs = encoded()
    y = pairs.target_vectors
    free = Pairs(source_vectors=hashed_letters(pairs.target_texts), target_vectors=y)
    rows = plan(pairs, validation=None, test=None, unpaired=free, seed=0)
    data = develop(rows, View("keep"), seed=0)
    held = row_numbers(pairs, rows.judged.held, "target")
    assert_moments(data.fitted.unpaired, free, np.setdiff1d(np.arange(80), held))


def test_unpaired_vectors_without_texts_are_not_read_by_their_texts():
    """The rungs over vectors count them; those with n-grams go on without."""
    pairs = encoded()
    free = Pairs(
        source_vectors=hashed_letters(pairs.target_texts), target_vectors=pairs.target_vectors
    )
    rows = plan(pairs, validation=None, test=None, unpaired=free, seed=0)
    assert develop(rows, View("keep"), seed=0).fitted.unpaired is not None
    read = View("keep", {"source": CharacterNgrams(16)})
    data = develop(rows, read, seed=0)
    assert data.fitted.unpaired is data.parts[0].fitted.unpaired is None
    [name] = rungs(read, unpaired=data.fitted.unpaired is not None)
    assert name == "cca+ngrams"


def test_source_texts_and_stored_target_vectors_of_one_space_are_enough():
    texts = machine_pairs().source_texts
    pairs = Pairs(texts, target_vectors=hashed_letters(machine_pairs().target_texts))
    report = fit(pairs, source=hashed_letters, **QUICK).report
    assert "cca+ngrams" in report.rungs
    assert report.base is not None


def test_a_fold_may_leave_no_unpaired_row():
    """Six unpaired texts, of which a fold holds two: there the pairs alone are fitted."""
    pairs = encoded()
    rows = plan(pairs, validation=None, test=None, seed=0)
    held = rows.parts[0].held.target_texts[:2]
    free = same_texts([*held, "a b", "c d", "e f", "g h"])
    rows = plan(pairs, validation=None, test=None, unpaired=free, seed=0)
    data = develop(rows, View("keep"), seed=0)
    assert data.fitted.unpaired.n == 6
    assert data.parts[0].fitted.unpaired is None
    alone = data.parts[0].fitted.spectrum(0.3)
    np.testing.assert_allclose(alone.cxy, data.parts[0].fitted.spectrum().cxy)
    fit(pairs, unpaired=free, **QUICK)


def test_so_many_unpaired_rows_are_thinned_before_their_texts_are_read(monkeypatch):
    monkeypatch.setattr(development, "MAX_NGRAM_PAIRS", 20)
    pairs, free = encoded(), same_texts([f"unpaired {i}" for i in range(70)])
    rows = plan(pairs, validation=None, test=None, unpaired=free, seed=0)
    read = View("keep", {"source": CharacterNgrams(16)})
    assert develop(rows, View("keep"), seed=0).fitted.unpaired.n == 70
    assert 10 <= develop(rows, read, seed=0).fitted.unpaired.n <= 20


# -- what may be read -------------------------------------------------------------------------


def test_texts_are_read_by_default_where_the_fit_encodes_them():
    pairs, nobody = encoded(), dict.fromkeys(SIDES)
    sources = Pairs(pairs.source_texts, target_vectors=pairs.target_vectors)
    vectors = Pairs(source_vectors=pairs.source_vectors, target_vectors=pairs.target_vectors)
    one = {"source": hashed_letters, "target": None}
    for mode, ngrams, encoders, sets, expected in (
        ("keep", None, ENCODERS, [pairs], True),
        ("shared", None, ENCODERS, [pairs], True),
        ("keep", None, nobody, [pairs], False),  # vectors are at hand where it serves, texts?
        ("keep", True, nobody, [pairs], True),
        ("keep", False, ENCODERS, [pairs], False),
        ("keep", None, one, [sources], True),
        ("shared", None, one, [pairs], False),
        ("shared", None, ENCODERS, [sources], False),
        ("keep", None, ENCODERS, [vectors], False),
        ("keep", None, ENCODERS, [pairs, vectors], False),
    ):
        assert may_read_texts(mode, ngrams, encoders, sets) is expected


def test_texts_that_are_asked_for_and_missing_are_named():
    pairs = encoded()
    sources = Pairs(pairs.source_texts, target_vectors=pairs.target_vectors)
    vectors = Pairs(source_vectors=pairs.source_vectors, target_vectors=pairs.target_vectors)
    with pytest.raises(DataError, match="reads the target texts; give them in every set"):
        fit(sources, source=hashed_letters, mode="shared", ngrams=True)
    with pytest.raises(DataError, match="reads the source texts"):
        fit(pairs, test=vectors, ngrams=True, **QUICK)


@pytest.mark.parametrize("which", ["pairs", "test"])
def test_n_grams_of_too_many_pairs_are_not_read(which, monkeypatch):
    monkeypatch.setattr(gather, "MAX_NGRAM_PAIRS", 60)
    pairs = encoded()
    few = pairs.select(range(40))
    sets = [pairs, few] if which == "pairs" else [few, pairs]
    assert may_read_texts("keep", None, ENCODERS, [few]) is True
    assert may_read_texts("keep", None, ENCODERS, sets) is False
    with pytest.raises(DataError, match="at most 60 pairs, these are 80"):
        may_read_texts("keep", True, ENCODERS, sets)


def test_the_rung_of_n_grams_is_tried_only_where_texts_may_be_read():
    pairs = encoded()
    for ngrams in (True, False):
        report = fit(pairs, ngrams=ngrams, **QUICK).report
        assert ("cca+ngrams" in report.rungs) is ngrams
        assert ("cca+ngrams+hubness" in report.rungs) is ngrams


def test_a_fit_that_chose_n_grams_scores_as_it_serves(monkeypatch):
    """What the report says is what a store would find from the vectors that are served."""
    monkeypatch.setattr(
        "kakehashi.ladder.choose", lambda found, *_: next(c for c in found if "ngrams" in c.name)
    )
    pairs = machine_pairs()
    aligner = fit(pairs, **ENCODERS, mode="keep", learned="none", refit=False)
    assert aligner.reads("source")
    assert not aligner.reads("target")
    assert aligner.report.chosen == "cca+ngrams"
    test = plan(encoded(), validation=None, test=None, seed=0).judged.held
    q = aligner.embed(list(test.source_texts), modality="source", role="query")
    d = aligner.embed(list(test.target_texts), modality="target", role="document")
    recall = np.mean((q @ d.T).argmax(axis=1) == np.arange(len(test)))
    scores = aligner.report.rungs["cca+ngrams"].scores
    assert recall == pytest.approx(scores.means["recall@1"])


# -- unpaired texts ---------------------------------------------------------------------------


def test_unpaired_texts_are_read_by_both_encoders_once_each():
    asked = []

    def counting(texts):
        asked.append(texts)
        return hashed_letters(texts)

    encoders = {"source": as_encoder(counting), "target": as_encoder(reversed_letters)}
    found = gather_unpaired(["a b", "c d", "a b"], encoded(), encoders, False, None, False)
    assert asked == [["a b", "c d"]]
    assert found.source_texts == found.target_texts == ("a b", "c d")
    assert np.array_equal(found.source_vectors, hashed_letters(["a b", "c d"]))
    assert np.array_equal(found.target_vectors, reversed_letters(["a b", "c d"]))


def test_unpaired_texts_without_encoders_are_refused():
    pairs, texts = encoded(), ["a b", "c d"]
    for given, missing in (({}, "source"), ({"source": hashed_letters}, "target")):
        with pytest.raises(DataError, match=f"need both encoders; pass {missing}="):
            fit(pairs, unpaired=texts, **given, **QUICK)
    for wrong in ("one text", [], (), True, np.array([], str), iter(texts)):
        with pytest.raises(DataError, match="expected a list of texts, Pairs of stored"):
            fit(pairs, unpaired=wrong, **ENCODERS, **QUICK)
    other = Pairs(source_vectors=pairs.target_vectors, target_vectors=pairs.target_vectors)
    with pytest.raises(DataError, match="dimension 32 in the pairs and 24"):
        fit(pairs, unpaired=other, **QUICK)


@pytest.mark.parametrize(
    ("text", "problem"), [("", "empty text"), (None, "not a string"), ("\ud800", "Unicode")]
)
def test_an_unpaired_text_that_is_none_is_named_before_any_is_encoded(text, problem):
    def never(texts):
        raise AssertionError(texts)

    pairs = Pairs(["a"] * 20, ["b"] * 20)
    with pytest.raises(DataError, match=f"unpaired: .* is .*{problem}"):
        fit(pairs, source=never, target=never, unpaired=["a b", text])


def test_unpaired_texts_may_stand_in_an_array():
    encoders = {side: as_encoder(encoder) for side, encoder in ENCODERS.items()}
    found = gather_unpaired(np.array(["a b", "c d"]), encoded(), encoders, False, None, False)
    assert found.target_texts == ("a b", "c d")


def test_by_default_the_targets_of_the_pairs_are_read_unasked(monkeypatch):
    encoders = {side: as_encoder(encoder) for side, encoder in ENCODERS.items()}
    nobody = dict.fromkeys(SIDES)
    pairs = encoded()
    found = gather_unpaired(None, pairs, encoders, False, None, False)
    assert found.target_texts == pairs.target_texts
    assert np.array_equal(found.source_vectors, hashed_letters(pairs.target_texts))
    assert found.target_vectors is not None
    assert gather_unpaired(None, pairs, nobody, False, None, False) is None
    assert gather_unpaired(False, pairs, encoders, False, None, False) is None
    shared = gather_unpaired(None, pairs, nobody, True, None, False)
    assert np.array_equal(shared.source_vectors, pairs.target_vectors)
    monkeypatch.setattr(gather, "MAX_ENCODED_TARGETS", 79)
    assert gather_unpaired(None, pairs, encoders, False, None, False) is None


def test_so_many_targets_of_one_space_are_thinned(monkeypatch):
    monkeypatch.setattr(gather, "MAX_NGRAM_PAIRS", 7)
    pairs = encoded()
    found = gather_unpaired(None, pairs, dict.fromkeys(SIDES), True, None, False)
    assert 4 <= len(found) <= 7
    assert set(found.target_texts) < set(pairs.target_texts)
    assert np.array_equal(found.target_vectors, reversed_letters(found.target_texts))


def other_letters(texts):
    """Encode as ``hashed_letters``, but hash otherwise: another space of the same letters."""
    vectors = np.full((len(texts), 28), 1e-3, np.float32)
    for row, text in enumerate(texts):
        padded = f" {text.lower()} "
        for i in range(len(padded) - 1):
            vectors[row, zlib.crc32(b"x" + padded[i : i + 2].encode()) % 28] += 1
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def sentences(rng, n):
    words = ["".join(rng.choice(list("aeioubdgklmnprstvz"), 5)) for _ in range(120)]
    return [" ".join(rng.choice(words, 4)) for _ in range(n)]


def test_unpaired_texts_make_up_for_few_pairs():
    """Thirty pairs, and six hundred texts of which nobody knows the other side."""
    texts = list(dict.fromkeys(sentences(np.random.default_rng(0), 800)))
    pairs = Pairs(texts[:30], texts[:30])
    test = Pairs(texts[30:130], texts[30:130])
    found = {}
    for unpaired in (texts[130:], False):
        aligner = fit(
            pairs,
            source=hashed_letters,
            target=other_letters,
            test=test,
            unpaired=unpaired,
            ngrams=False,
            **QUICK,
        )
        found[bool(unpaired)] = aligner.report.rungs["cca"]
    assert found[True].parameters["unpaired"] > 0
    assert found[False].parameters["unpaired"] == 0
    gain = found[True].scores.means["mrr@10"] - found[False].scores.means["mrr@10"]
    assert gain > 0.05


def test_the_best_of_all_folds_comes_first_where_a_few_of_them_tuned(monkeypatch):
    monkeypatch.setattr(search, "_TUNED_ON", 10)
    turned = 0
    for seed in range(8):
        x, y, _ = two_views(60, 8, 6, seed=seed, noise=0.8)
        texts = [f"{i * 37 % 101} {seed}" for i in range(60)]
        pairs = Pairs(texts, texts, source_vectors=x, target_vectors=y)
        view = View("keep", {"source": CharacterNgrams(8)})
        data = develop(plan(pairs, validation=None, test=None, seed=0), view, seed=0)
        [(name, rung)] = rungs(view, unpaired=False).items()
        ranked = search._tuned(name, data, rung, "ip")
        assert len(ranked) == search._TOP
        assert [len(c.per_query) for c in ranked] == [48, 48]  # every fold counts in the end
        turned += ranked[0].score < ranked[1].score
    assert turned == 0


@pytest.mark.parametrize("change", ["noise", "float16", "length"])
def test_an_unpaired_text_is_a_held_out_one_but_for_rounding(change):
    """Vectors of one text from two runs differ in their last bits, and are one text still."""
    x, y, _ = two_views(120)
    again = y + 1e-7 * np.random.default_rng(1).standard_normal(y.shape).astype(np.float32)
    again = {"noise": again, "float16": y.astype(np.float16), "length": 3 * again}[change]
    free = Pairs(source_vectors=x, target_vectors=again)
    rows = plan(
        Pairs(source_vectors=x, target_vectors=y),
        validation=None,
        test=None,
        unpaired=free,
        seed=0,
    )
    data = develop(rows, View("keep"), seed=0)
    assert data.fitted.unpaired.n == len(rows.judged.train)
    for part, planned in zip(data.parts, rows.parts, strict=True):
        assert part.fitted.unpaired.n == len(planned.train)
    assert data.everything.unpaired.n == 120
