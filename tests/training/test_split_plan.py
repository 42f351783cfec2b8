"""Which rows a fit is made from: none that chooses or judges, paired or not."""

import numpy as np
import pytest
from support.toy_data import encoded, hashed_letters, reversed_letters, two_views

from kakehashi import Pairs, fit
from kakehashi.projection.ngrams import CharacterNgrams
from kakehashi.training import sufficient_statistics as development
from kakehashi.training.features import FeatureSet
from kakehashi.training.sources import Source
from kakehashi.training.split_plan import plan_split
from kakehashi.training.sufficient_statistics import develop
from kakehashi.types import SIDES
from kakehashi.vectors import unit_rows

BOTH = {"source": CharacterNgrams(16), "target": CharacterNgrams(16)}
VIEWS = pytest.mark.parametrize(
    "features", [FeatureSet("keep"), FeatureSet("shared", BOTH)], ids=["plain", "read"]
)


def same_texts(texts):
    return Pairs(
        texts, texts, source_vectors=hashed_letters(texts), target_vectors=reversed_letters(texts)
    )


def of(rows):
    """The rows as a source of a fit."""
    return (Source("free", rows),)


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


def row_numbers(all_pairs, some, side="source"):
    """Find rows again by their bits."""
    known = {row.tobytes(): i for i, row in enumerate(np.asarray(all_pairs.vectors(side)))}
    rows = some.vectors(side) if isinstance(some, Pairs) else getattr(some, side)
    return sorted(known[row.tobytes()] for row in np.asarray(rows))


@VIEWS
def test_every_pair_is_held_out_once_and_asks_the_whole_index(features):
    pairs = encoded()
    rows = plan_split(pairs, validation=None, test=None, seed=0)
    read, data = features.read(pairs), develop(rows, features, seed=0)
    assert rows.test is None
    assert len(data.parts) == len(data.judging) == len(rows.parts) == 5
    asked_once = []
    for chooses, judges, planned in zip(data.parts, data.judging, rows.parts, strict=True):
        train, held = planned.train, row_numbers(pairs, planned.held_out)
        assert sorted([*train, *held]) == list(range(80))
        assert judges.statistics is chooses.statistics
        fitted = judges.statistics
        assert_moments(fitted.moments, read, train)
        assert row_numbers(read, fitted.bank) == sorted(train)
        assert row_numbers(read, fitted.training.sample(999)) == sorted(train)
        for asked in (chooses.queries, judges.queries):
            assert np.array_equal(asked.source, read.source_vectors[held])
            assert np.array_equal(asked.documents, read.target_vectors)
            assert [int(of_one[0]) for of_one in asked.relevance.answers] == held
        assert list(rows.unfitted(planned)) == held
        asked_once += held
    assert sorted(asked_once) == list(range(80))
    assert_moments(data.everything.moments, read, np.arange(80))
    assert len(data.everything.training.sample(999)) == 80


@VIEWS
def test_what_is_fitted_beside_a_test_part_holds_no_row_of_it(features, monkeypatch):
    monkeypatch.setattr("kakehashi.training.split_plan.CROSS_VALIDATE_BELOW", 80)
    pairs = encoded()
    rows = plan_split(pairs, validation=None, test=None, seed=0)
    read, data = features.read(pairs), develop(rows, features, seed=0)
    fitted, test = rows.test.train, row_numbers(pairs, rows.test.held_out)
    assert sorted([*fitted, *test]) == list(range(80))
    assert len(test) == 16
    chose = []
    for part, planned in zip(data.parts, rows.parts, strict=True):
        train, held = planned.train, row_numbers(pairs, planned.held_out)
        assert not {*train} & ({*held} | {*test})
        assert_moments(part.statistics.moments, read, train)
        asked = part.queries
        assert np.array_equal(asked.documents, read.target_vectors[fitted])  # not those that judge
        assert [int(of_one[0]) for of_one in asked.relevance.answers] == [
            int(np.flatnonzero(fitted == row)[0]) for row in held
        ]
        chose += [*held]
    assert sorted(chose) == sorted(fitted)
    [judging] = data.judging
    assert_moments(judging.statistics.moments, read, fitted)
    assert row_numbers(read, judging.statistics.training.sample(999)) == sorted(fitted)
    assert row_numbers(read, judging.statistics.bank) == sorted(fitted)
    assert_moments(data.everything.moments, read, np.arange(80))
    assert len(data.everything.training.sample(999)) == 80
    assert np.array_equal(judging.queries.source, features.read(rows.questions).source_vectors)
    assert np.array_equal(judging.queries.documents, read.target_vectors)  # the whole index
    assert [int(of_one[0]) for of_one in judging.queries.relevance.answers] == test
    assert list(rows.unfitted(rows.test)) == test


@VIEWS
def test_sets_of_the_callers_are_kept_apart_and_the_test_set_is_never_fitted(features):
    whole = encoded()
    pairs, validation, test = (whole.select(r) for r in (range(50), range(40, 65), range(60, 80)))
    rows = plan_split(pairs, validation=validation, test=test, seed=0)
    data = develop(rows, features, seed=0)
    [part] = data.parts
    # 60 to 64 stand in the test set and may not choose; 40 to 49 choose and are not fitted.
    chose = (
        row_numbers(features.read(whole), FeatureSet("keep").read(rows.validation))
        if not features.ngrams
        else None
    )
    assert chose is None or chose == list(range(40, 60))
    assert len(part.queries.source) == 20
    read = features.read(whole)
    assert_moments(part.statistics.moments, read, np.arange(40))
    assert row_numbers(read, part.statistics.training.sample(999)) == list(range(40))
    for fitted in (data.judging[0].statistics, data.everything):
        assert_moments(fitted.moments, read, np.arange(60))
        assert row_numbers(read, fitted.training.sample(999)) == list(range(60))


@VIEWS
def test_rows_of_a_held_out_text_are_left_out(features):
    pairs = encoded()
    extra = [f"other text number {i}" for i in range(30)]
    free = same_texts([*pairs.target_texts, *extra])
    rows = plan_split(pairs, validation=None, test=None, sources=of(free), seed=0)
    data, read = develop(rows, features, seed=0), features.read(free)
    for part, planned in zip(data.parts, rows.parts, strict=True):
        hidden = {*planned.held_out.target_texts}
        kept = [i for i, text in enumerate(free.target_texts) if text not in hidden]
        assert len(kept) < 110
        assert_moments(part.statistics.sources["free"], read, kept)
    assert_moments(data.everything.sources["free"], read, np.arange(110))


def test_vectors_without_texts_are_told_by_their_vectors():
    pairs = encoded()
    y = pairs.target_vectors
    free = Pairs(source_vectors=hashed_letters(pairs.target_texts), target_vectors=y)
    rows = plan_split(pairs, validation=None, test=None, sources=of(free), seed=0)
    data = develop(rows, FeatureSet("keep"), seed=0)
    for part, planned in zip(data.parts, rows.parts, strict=True):
        held = row_numbers(pairs, planned.held_out, "target")
        assert_moments(part.statistics.sources["free"], free, np.setdiff1d(np.arange(80), held))


def test_vectors_without_texts_say_nothing_of_ngrams():
    """Their n-grams are the same in every row, and half of the length, as in any other set."""
    pairs = encoded()
    free = Pairs(
        source_vectors=hashed_letters(pairs.target_texts), target_vectors=pairs.target_vectors
    )
    rows = plan_split(pairs, validation=None, test=None, sources=of(free), seed=0)
    vectors = develop(rows, FeatureSet("keep"), seed=0).everything.sources["free"]
    data = develop(rows, FeatureSet("keep", {"source": CharacterNgrams(16)}), seed=0)
    beside = data.everything.sources["free"]
    np.testing.assert_allclose(beside.centred().xy[:-16], vectors.centred().xy / 2**0.5, atol=1e-4)
    np.testing.assert_allclose(beside.centred().xy[-16:], 0, atol=1e-4)


def test_a_fold_may_leave_no_row_of_a_source():
    """Six texts, of which a fold holds two: there the pairs alone are fitted."""
    pairs = encoded()
    rows = plan_split(pairs, validation=None, test=None, seed=0)
    held = rows.parts[0].held_out.target_texts[:2]
    free = same_texts([*held, "a b", "c d", "e f", "g h"])
    rows = plan_split(pairs, validation=None, test=None, sources=of(free), seed=0)
    data = develop(rows, FeatureSet("keep"), seed=0)
    assert data.everything.sources["free"].n == 6
    assert data.parts[0].statistics.sources == {}
    alone = data.parts[0].statistics.spectrum(weights={"free": 30.0})
    np.testing.assert_allclose(alone.cxy, data.parts[0].statistics.spectrum().cxy)
    fit(pairs, learn_from=free, mode="keep")


def test_so_many_rows_are_thinned_before_their_texts_are_read(monkeypatch):
    monkeypatch.setattr(development, "MAX_NGRAM_PAIRS", 20)
    pairs, free = encoded(), same_texts([f"other {i}" for i in range(70)])
    rows = plan_split(pairs, validation=None, test=None, sources=of(free), seed=0)
    read = FeatureSet("keep", {"source": CharacterNgrams(16)})
    assert develop(rows, FeatureSet("keep"), seed=0).everything.sources["free"].n == 70
    assert 10 <= develop(rows, read, seed=0).everything.sources["free"].n <= 20


@pytest.mark.parametrize("change", ["noise", "float16", "length"])
def test_a_text_is_a_held_out_one_but_for_rounding(change):
    """Vectors of one text from two runs differ in their last bits, and are one text still."""
    x, y, _ = two_views(120)
    again = y + 1e-7 * np.random.default_rng(1).standard_normal(y.shape).astype(np.float32)
    again = {"noise": again, "float16": y.astype(np.float16), "length": 3 * again}[change]
    free = Pairs(source_vectors=x, target_vectors=again)
    rows = plan_split(
        Pairs(source_vectors=x, target_vectors=y),
        validation=None,
        test=None,
        sources=of(free),
        seed=0,
    )
    data = develop(rows, FeatureSet("keep"), seed=0)
    for part, planned in zip(data.parts, rows.parts, strict=True):
        assert part.statistics.sources["free"].n == len(planned.train)
    assert data.everything.sources["free"].n == 120


def test_new_questions_about_fitted_documents_are_held_out_too():
    """Of a document with three questions one is asked, and the others are fitted."""
    n = 60
    sources = [f"question {i} about {d}" for i in range(3) for d in range(n)]
    targets = [f"document {d}" for _ in range(3) for d in range(n)]
    x, y = hashed_letters(sources), reversed_letters(targets)
    pairs = Pairs(sources, targets, source_vectors=x, target_vectors=y, groups=[*range(n)] * 3)
    plan = plan_split(pairs, validation=None, test=None, seed=0)
    for part in plan.parts:
        fitted = pairs.select(part.train)
        named, about = set(fitted.target_texts), part.known.target_texts
        assert set(about) <= named
        assert len(set(about)) == len(about) == int(0.1 * (len(part.train) + len(about)))
        assert not named & set(part.held_out.target_texts)
        assert not set(fitted.source_texts) & set(part.questions.source_texts)
        assert len(part.questions) == len(part.held_out) + len(part.known)
    assert list(plan.final_rows) == list(range(3 * n))
    assert plan.pool.texts == tuple(targets[:n])
    assert int(plan.known.sum()) == sum(len(part.known) for part in plan.parts)
    held_out = sum(len(part.held_out) for part in plan.parts)
    assert held_out == 3 * n
    assert len(plan.questions) == held_out + plan.known.sum()
    for part in plan.parts:  # no document that was fitted, though one of them was asked for
        searched = {plan.pool.texts[i] for i in plan.unfitted(part)}
        assert searched >= set(part.held_out.target_texts)
        assert not searched & set(pairs.select(part.train).target_texts)


def test_a_question_that_is_asked_of_two_documents_is_not_drawn():
    """The other row would be fitted, and the question would be no new one."""
    sources = [f"q{i % 30}" for i in range(60)]
    targets = [f"d{i % 20}" for i in range(60)]
    vectors = {"source_vectors": hashed_letters(sources), "target_vectors": hashed_letters(targets)}
    plan = plan_split(Pairs(sources, targets, **vectors), validation=None, test=None, seed=0)
    assert plan.known is None
    assert all(part.known is None for part in plan.parts)


def test_texts_of_an_index_are_documents_of_the_index_that_judges():
    pairs = encoded()
    free = same_texts([*pairs.target_texts[:10], *(f"chunk {i}" for i in range(30))])
    plan = plan_split(pairs, validation=None, test=None, documents=[free], seed=0)
    assert len(plan.pool) == 110
    data = develop(plan, FeatureSet("keep"), seed=0)
    assert len(data.judging[0].queries.documents) == 110
    assert len(data.parts[0].queries.documents) == 110
    assert len(plan.unfitted(plan.parts[0])) == 30 + len(plan.parts[0].held_out)
    assert plan.holds_others
    nameless = Pairs(source_vectors=free.source_vectors, target_vectors=free.target_vectors)
    plan = plan_split(pairs, validation=None, test=None, documents=[nameless], seed=0)
    assert not plan.holds_others
    half = pairs.select(range(40))
    assert not plan_split(
        half, validation=None, test=pairs.select(range(40, 80)), seed=0
    ).holds_others
    assert len(plan.pool) == 80  # a document without a text cannot be told from the others
