"""Unpaired texts: how they are gathered, how they count, and what they add."""

import re
import zlib
from dataclasses import replace

import numpy as np
import pytest
from support.toy_data import (
    ENCODER_OF,
    ENCODERS,
    encoded,
    hashed_letters,
    reversed_letters,
    two_views,
)

from kakehashi import Pairs, fit
from kakehashi.data.index import IndexDocuments
from kakehashi.encoders import as_encoder
from kakehashi.errors import DataError
from kakehashi.projection.moments import Moments, Spectrum
from kakehashi.training import unpaired as unpaired_module
from kakehashi.training.split_plan import plan_split
from kakehashi.training.sufficient_statistics import develop, unpaired_note
from kakehashi.training.unpaired import gather_unpaired
from kakehashi.types import SIDES
from kakehashi.vectors import unit_rows

QUICK = {"mode": "keep"}


def test_unpaired_texts_are_read_by_both_encoders_once_each():
    asked = []

    def counting(texts):
        asked.append(texts)
        return hashed_letters(texts)

    encoders = {"source": as_encoder(counting), "target": as_encoder(reversed_letters)}
    found = gather_unpaired(
        ["a b", "c d", "a b"], encoded(), encoders, same_space=False, cache=None
    )
    assert asked == [["a b", "c d"]]
    assert found.source_texts == found.target_texts == ("a b", "c d")
    assert np.array_equal(found.source_vectors, hashed_letters(["a b", "c d"]))
    assert np.array_equal(found.target_vectors, reversed_letters(["a b", "c d"]))


def test_unpaired_texts_without_encoders_are_refused():
    pairs, texts = encoded(), ["a b", "c d"]
    for given, missing in (({}, "source"), ({"source_encoder": hashed_letters}, "target")):
        with pytest.raises(DataError, match=f"need both encoders; pass {missing}_encoder="):
            fit(pairs, unpaired=texts, **given, **QUICK)
    for wrong in ("one text", True, False, iter(texts)):
        with pytest.raises(DataError, match="expected a list of texts, what read_index"):
            fit(pairs, unpaired=wrong, **ENCODERS, **QUICK)
    for none in ([], (), np.array([], str)):
        assert gather_unpaired(none, pairs, {}, same_space=False, cache=None) is None
    other = Pairs(source_vectors=pairs.target_vectors, target_vectors=pairs.target_vectors)
    with pytest.raises(DataError, match="dimension 32 in the pairs and 24"):
        fit(pairs, unpaired=other, **QUICK)


def never(texts):
    raise AssertionError(texts)


@pytest.mark.parametrize(
    ("text", "problem"), [("", "empty text"), (None, "not a string"), ("\ud800", "Unicode")]
)
def test_an_unpaired_text_that_is_none_is_named_before_any_is_encoded(text, problem):
    pairs = Pairs(["a"] * 20, ["b"] * 20)
    with pytest.raises(DataError, match=f"unpaired: .* is .*{problem}"):
        fit(pairs, source_encoder=never, target_encoder=never, unpaired=["a b", text])


def test_unpaired_pairs_without_vectors_are_named_before_any_text_is_encoded():
    texts = ["a b", "c d"]
    for given, side in ((Pairs(texts, texts), "source"), (encoded_source(texts), "target")):
        with pytest.raises(DataError, match=f"unpaired: Pairs need .* have no {side} vectors; .*"):
            fit(
                Pairs(["a"] * 20, ["b"] * 20),
                source_encoder=never,
                target_encoder=never,
                unpaired=given,
            )


def encoded_source(texts):
    return Pairs(texts, texts, source_vectors=hashed_letters(texts))


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (range(60), None),
        (range(40, 80), "20 of 40 unpaired rows also stand in the test part: what it judges does"),
        (
            range(60, 80),
            "20 of 20 unpaired rows also .*: the 0 others are too few to use, at least",
        ),
        (
            range(56, 80),
            "20 of 24 unpaired rows also .*: the 4 others are too few to use, at least",
        ),
        (range(4), "^4 unpaired rows are too few to use; give at least 5$"),
    ],
)
def test_the_report_notes_unpaired_rows_that_are_not_used(rows, said):
    pairs = encoded()
    texts = [pairs.target_texts[i] for i in rows]
    free = Pairs(source_vectors=hashed_letters(texts), target_vectors=reversed_letters(texts))
    kept, test = pairs.select(range(60)), pairs.select(range(60, 80))
    notes = fit(kept, test=test, unpaired=free, **QUICK).report.notes
    found = [note for note in notes if "unpaired" in note]
    assert len(found) == (said is not None)
    assert said is None or re.search(said, found[0])


@pytest.mark.parametrize(
    ("of_index", "rows"), [(True, "documents of the index"), (False, "unpaired rows")]
)
def test_documents_of_an_index_are_called_so_where_they_are_not_used(of_index, rows):
    plan = plan_split(encoded(), validation=None, test=None, seed=0, unpaired=encoded())
    assert re.search(
        f"of 80 {rows} also stand in the test part", unpaired_note(plan, of_index=of_index)
    )


def test_the_targets_that_serve_unasked_are_no_note():
    notes = fit(encoded(), **ENCODERS, **QUICK, ngrams=False).report.notes
    assert not [note for note in notes if "unpaired rows" in note]
    [said] = [note for note in notes if "unpaired=" in note]
    assert said.startswith("the index is taken to hold the 80 documents that the pairs name")


def test_unpaired_texts_may_stand_in_an_array():
    encoders = {side: as_encoder(encoder) for side, encoder in ENCODER_OF.items()}
    found = gather_unpaired(
        np.array(["a b", "c d"]), encoded(), encoders, same_space=False, cache=None
    )
    assert found.target_texts == ("a b", "c d")


def test_unpaired_texts_of_a_test_set_are_neither_fitted_nor_shipped(monkeypatch):
    """An index holds the targets of the caller's own test set, too."""
    made = []

    def spying(rows, features, *, seed):
        made.append(develop(rows, features, seed=seed))
        return made[-1]

    monkeypatch.setattr("kakehashi.training.model_selection.develop", spying)
    pairs = encoded()
    kept, test = pairs.select(range(60)), pairs.select(range(60, 80))
    index = [*pairs.target_texts, *(f"text number {i}" for i in range(20))]
    fit(kept, test=test, **ENCODERS, unpaired=index, **QUICK)
    assert len(made) == 2
    for data in made:
        assert data.development.unpaired.n == data.everything.unpaired.n == 80


def test_by_default_the_targets_of_the_pairs_are_read_unasked(monkeypatch):
    encoders = {side: as_encoder(encoder) for side, encoder in ENCODER_OF.items()}
    nobody = dict.fromkeys(SIDES)
    pairs = encoded()
    found = gather_unpaired(None, pairs, encoders, same_space=False, cache=None)
    assert found.target_texts == pairs.target_texts
    assert np.array_equal(found.source_vectors, hashed_letters(pairs.target_texts))
    assert found.target_vectors is not None
    assert gather_unpaired(None, pairs, nobody, same_space=False, cache=None) is None
    assert gather_unpaired([], pairs, encoders, same_space=False, cache=None) is None
    shared = gather_unpaired(None, pairs, nobody, same_space=True, cache=None)
    assert np.array_equal(shared.source_vectors, pairs.target_vectors)
    monkeypatch.setattr(unpaired_module, "MAX_ENCODED_TARGETS", 79)
    assert gather_unpaired(None, pairs, encoders, same_space=False, cache=None) is None


def test_so_many_targets_of_one_space_are_thinned(monkeypatch):
    monkeypatch.setattr(unpaired_module, "MAX_NGRAM_PAIRS", 7)
    pairs = encoded()
    found = gather_unpaired(None, pairs, dict.fromkeys(SIDES), same_space=True, cache=None)
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


@pytest.mark.slow
def test_unpaired_texts_make_up_for_few_pairs():
    """Thirty pairs, and six hundred texts of which nobody knows the other side."""
    texts = list(dict.fromkeys(sentences(np.random.default_rng(0), 800)))
    pairs = Pairs(texts[:30], texts[:30])
    test = Pairs(texts[30:130], texts[30:130])
    found = {}
    for unpaired in (texts[130:], []):
        aligner = fit(
            pairs,
            source_encoder=hashed_letters,
            target_encoder=other_letters,
            test=test,
            unpaired=unpaired,
            ngrams=False,
            **QUICK,
        )
        found[bool(unpaired)] = aligner.report.candidates["cca"]
    assert found[True].parameters["unpaired"] > 0
    assert found[False].parameters["unpaired"] == 0
    gain = found[True].scores.means["mrr@10"] - found[False].scores.means["mrr@10"]
    assert gain > 0.05


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


def test_an_index_is_searched_whole_and_a_sample_of_it_is_read(monkeypatch):
    """Its stored vectors serve; the source encoder reads a few of its texts."""
    monkeypatch.setattr("kakehashi.training.unpaired.MAX_READ_OF_INDEX", 12)
    read = []

    def source(texts):
        read.extend(texts)
        return hashed_letters(texts)

    pairs = encoded()
    chunks = tuple(f"chunk number {i} of the index" for i in range(50))
    index = IndexDocuments((*pairs.target_texts[:30], *chunks), None)
    stored = IndexDocuments(index.texts, reversed_letters(list(index.texts)))
    reports = []
    for given in (index, stored):
        read.clear()
        encoders = {"source_encoder": source, "target_encoder": reversed_letters}
        report = fit(pairs, **encoders, unpaired=given, **QUICK, ngrams=False).report
        assert report.candidates[report.chosen].scores.pool == 80 + 50
        assert len({*read} & {*index.texts}) == 12
        assert not [note for note in report.notes if "is taken to hold" in note]
        reports.append(report)
    assert reports[0].candidates == {
        name: replace(row, cpu_seconds=reports[0].candidates[name].cpu_seconds)
        for name, row in reports[1].candidates.items()
    }
    unread = fit(pairs, unpaired=IndexDocuments(None, stored.vectors), **QUICK, ngrams=False)
    assert unread.report.candidates[unread.report.chosen].scores.pool == 80
    assert any("80 documents without texts are not searched" in n for n in unread.report.notes)
    vectors = Pairs(source_vectors=pairs.source_vectors, target_vectors=pairs.target_vectors)
    searched = fit(vectors, unpaired=IndexDocuments(None, stored.vectors), **QUICK).report
    assert searched.candidates[searched.chosen].scores.pool > 100
    with pytest.raises(DataError, match="5 dimensions, the target encoder's 24"):
        fit(pairs, unpaired=IndexDocuments(None, np.eye(5)), **QUICK)
