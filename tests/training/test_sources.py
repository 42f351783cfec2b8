"""Sources beside the pairs: how they are gathered, how they count, and what they add."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from support.toy_data import (
    ENCODER_OF,
    ENCODERS,
    encoded,
    hashed_letters,
    other_letters,
    reversed_letters,
    sentences,
)

from kakehashi import Pairs, fit
from kakehashi.data.index import IndexDocuments
from kakehashi.encoders import as_encoder
from kakehashi.errors import DataError
from kakehashi.training import sources as sources_module
from kakehashi.training.sources import TARGETS, as_sources, gather_sources
from kakehashi.training.sufficient_statistics import develop
from kakehashi.types import SIDES

QUICK = {"mode": "keep"}


ENCODERS_BY_SIDE = {side: as_encoder(encoder) for side, encoder in ENCODER_OF.items()}


def gathered(learn_from, pairs, encoders, *, same_space=False, **options):
    """The sources by name, of an index with its vectors and of Pairs."""
    found = gather_sources(
        as_sources(learn_from), pairs, encoders, same_space=same_space, cache=None, **options
    )
    return dict(found)


def index_of(texts, **options):
    return IndexDocuments(tuple(texts), reversed_letters(list(texts)), name="index", **options)


def test_texts_of_an_index_are_read_once_each_by_the_source_encoder_alone():
    asked = []

    def counting(texts):
        asked.append(texts)
        return hashed_letters(texts)

    encoders = {"source": as_encoder(counting), "target": None}
    found = gathered(index_of(["a b", "c d", "a b"]), encoded(), encoders)["index"]
    assert asked == [["a b", "c d"]]
    assert found.source_texts == found.target_texts == ("a b", "c d")
    assert np.array_equal(found.source_vectors, hashed_letters(["a b", "c d"]))
    assert np.array_equal(found.target_vectors, reversed_letters(["a b", "c d"]))


def test_an_index_may_bring_its_texts_as_the_source_encoder_sees_them():
    texts = [f"text {i}" for i in range(20)]
    index = index_of(texts, source_vectors=hashed_letters(texts), learn=7)
    nobody = dict.fromkeys(SIDES)
    found = gathered([index], encoded(), nobody)["index"]
    assert len(found) == 7
    assert np.array_equal(found.source_vectors, hashed_letters(list(found.target_texts)))
    assert np.array_equal(found.target_vectors, reversed_letters(list(found.target_texts)))
    assert gathered(replace(index, learn=0), encoded(), nobody) == {}
    assert gathered(replace(index, source_vectors=None), encoded(), nobody) == {}
    with pytest.raises(DataError, match="learn=-1: choose a whole number"):
        replace(index, learn=-1)
    with pytest.raises(DataError, match="source vectors have dimension 32 in the pairs and 24"):
        gathered(replace(index, source_vectors=reversed_letters(texts)), encoded(), nobody)


def test_vectors_of_another_encoder_are_refused():
    texts = [f"text {i}" for i in range(20)]
    index = index_of(texts, source_vectors=np.random.default_rng(0).random((20, 32)))
    stored = Pairs(texts, texts, source_vectors=index.source_vectors, target_vectors=index.vectors)
    for given in (index, stored):
        with pytest.raises(DataError, match=r"The source encoder .* gives other vectors than"):
            fit(encoded(), learn_from=given, **ENCODERS, **QUICK)


def test_sources_have_a_name_each():
    free = Pairs(
        source_vectors=encoded().source_vectors,
        target_vectors=encoded().target_vectors,
        name="starter",
    )
    nobody = dict.fromkeys(SIDES)
    assert [*gathered([free, free, free], encoded(), nobody)] == [
        "starter",
        "starter (2)",
        "starter (3)",
    ]
    found = gathered([free, index_of(["a b"])], encoded(), ENCODERS_BY_SIDE)
    assert [*found] == ["starter", "index"]
    assert [*gathered(free, encoded(), ENCODERS_BY_SIDE)] == [TARGETS, "starter"]
    assert [*gathered(free, encoded(), ENCODERS_BY_SIDE, reads_targets=False)] == ["starter"]


def test_what_is_no_source_is_refused():
    pairs, texts = encoded(), ["a b", "c d"]
    with pytest.raises(DataError, match="learn_from: texts has no target vectors; pass target_"):
        fit(pairs, learn_from=texts, **QUICK)
    for wrong, said in (
        ("chroma:db", r"is an address; read it with kakehashi.read_index\('chroma:db'\)"),
        (True, "bool is no index; pass what kakehashi.read_index returns"),
        (iter(texts), "list_iterator is no index"),
        ([pairs, None], "NoneType is no index"),
    ):
        with pytest.raises(DataError, match=f"learn_from.*{said}"):
            fit(pairs, learn_from=wrong, **ENCODERS, **QUICK)
    other = Pairs(source_vectors=pairs.target_vectors, target_vectors=pairs.target_vectors)
    with pytest.raises(DataError, match="dimension 32 in the pairs and 24"):
        fit(pairs, learn_from=other, **QUICK)


def never(texts):
    raise AssertionError(texts)


@pytest.mark.parametrize(
    ("text", "problem"), [("", "empty text"), (None, "not a string"), ("\ud800", "Unicode")]
)
def test_a_text_that_is_none_is_named_before_any_is_encoded(text, problem):
    pairs = Pairs(["a"] * 20, ["b"] * 20)
    with pytest.raises(DataError, match=f"texts: document 1: .*{problem}"):
        fit(pairs, source_encoder=never, target_encoder=never, learn_from=["a b", text])


def test_an_encoder_that_a_source_needs_is_named_before_any_text_is_encoded():
    texts = ["a b", "c d"]
    for given, encoders, side in (
        (Pairs(texts, texts, name="set"), {"target_encoder": never}, "source"),
        (Pairs(texts, texts, name="set"), {"source_encoder": never}, "target"),
    ):
        with pytest.raises(DataError, match=f"set has no {side} vectors; pass {side}_encoder="):
            fit(encoded(), learn_from=given, **encoders)


def test_pairs_to_learn_from_are_encoded_by_both_and_searched_by_none():
    pairs = encoded()
    starter = Pairs(
        [f"question {i} about it" for i in range(30)],
        [f"answer {i} to it" for i in range(30)],
        name="starter",
        licence="CC0",
    )
    made = fit(pairs, learn_from=[starter], **ENCODERS, **QUICK, ngrams=False)
    report = made.report
    assert report.candidates[report.chosen].scores.pool == 80
    assert {name: each.rows for name, each in report.learned_from.items()} == {
        TARGETS: 80,
        "starter": 30,
    }
    assert "learned from starter: 30 rows, which " in str(report)
    assert made.data.licence == "CC0"
    assert kakehashi_report(report) == report


def kakehashi_report(report):
    return type(report).from_dict(json.loads(json.dumps(report.to_dict())))


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (range(60), None),
        (range(40, 80), "20 of 40 rows of free also stand in the test part: what it judges does"),
        (
            range(60, 80),
            "20 of 20 rows of free also .*: the 0 others are too few to use, at least",
        ),
        (
            range(56, 80),
            "20 of 24 rows of free also .*: the 4 others are too few to use, at least",
        ),
        (range(4), "^4 rows of free are too few to use; give at least 5$"),
    ],
)
def test_the_report_notes_rows_that_are_not_used(rows, said):
    pairs = encoded()
    texts = [pairs.target_texts[i] for i in rows]
    x, y = hashed_letters(texts), reversed_letters(texts)
    free = Pairs(source_vectors=x, target_vectors=y, name="free")
    kept, test = pairs.select(range(60)), pairs.select(range(60, 80))
    notes = fit(kept, test=test, learn_from=free, **QUICK).report.notes
    found = [note for note in notes if "rows of free" in note]
    assert len(found) == (said is not None)
    assert said is None or re.search(said, found[0])


def test_the_targets_that_serve_unasked_are_no_note():
    notes = fit(encoded(), **ENCODERS, **QUICK, ngrams=False).report.notes
    assert not [note for note in notes if "rows of" in note]
    [said] = [note for note in notes if "learn_from=" in note]
    assert said.startswith("the index is taken to hold the 80 documents that the pairs name")


def test_texts_may_stand_in_an_array():
    [found] = as_sources(np.array(["a b", "c d"]))
    assert (found.name, found.texts) == ("texts", ("a b", "c d"))
    assert as_sources(["a b", "c d"])[0].texts == found.texts
    assert as_sources([]) == ()
    assert as_sources(None) is None


def test_texts_of_a_test_set_are_neither_fitted_nor_shipped(monkeypatch):
    """An index holds the targets of the caller's own test set, too."""
    made = []

    def spying(rows, features, *, seed):
        made.append(develop(rows, features, seed=seed))
        return made[-1]

    monkeypatch.setattr("kakehashi.training.model_selection.develop", spying)
    pairs = encoded()
    kept, test = pairs.select(range(60)), pairs.select(range(60, 80))
    index = [*pairs.target_texts, *(f"text number {i}" for i in range(20))]
    fit(kept, test=test, **ENCODERS, learn_from=index, **QUICK)
    assert len(made) == 2
    for data in made:
        [of_index] = data.judging[0].statistics.sources.values()
        assert of_index.n == data.everything.sources["texts"].n == 80


def test_by_default_the_targets_of_the_pairs_are_read_unasked(monkeypatch):
    nobody = dict.fromkeys(SIDES)
    pairs = encoded()
    found = gathered(None, pairs, ENCODERS_BY_SIDE)[TARGETS]
    assert found.target_texts == pairs.target_texts
    assert np.array_equal(found.source_vectors, hashed_letters(pairs.target_texts))
    assert found.target_vectors is not None
    assert gathered(None, pairs, nobody) == gathered([], pairs, ENCODERS_BY_SIDE) == {}
    one_space = pairs.with_vectors(pairs.target_vectors, None)
    shared = gathered(None, one_space, nobody, same_space=True)[TARGETS]
    assert np.array_equal(shared.source_vectors, pairs.target_vectors)
    monkeypatch.setattr(sources_module, "MAX_READ", 79)
    assert gathered(None, pairs, ENCODERS_BY_SIDE) == {}


def test_so_many_targets_of_one_space_are_thinned(monkeypatch):
    monkeypatch.setattr("kakehashi.training.index_as_seen.MAX_NGRAM_PAIRS", 7)
    pairs = encoded()
    one_space = pairs.with_vectors(pairs.target_vectors, None)
    found = gathered(None, one_space, dict.fromkeys(SIDES), same_space=True)[TARGETS]
    assert len(found) == 7
    assert set(found.target_texts) < set(pairs.target_texts)
    assert np.array_equal(found.target_vectors, reversed_letters(found.target_texts))


@pytest.mark.slow
def test_texts_of_the_index_make_up_for_few_pairs():
    """Thirty pairs, and six hundred texts of which nobody knows the other side."""
    texts = list(dict.fromkeys(sentences(np.random.default_rng(0), 800)))
    pairs = Pairs(texts[:30], texts[:30])
    test = Pairs(texts[30:130], texts[30:130])
    found = {}
    for more in (texts[130:], []):
        aligner = fit(
            pairs,
            source_encoder=hashed_letters,
            target_encoder=other_letters,
            test=test,
            learn_from=more,
            ngrams=False,
            **QUICK,
        )
        found[bool(more)] = aligner.report.candidates["cca"]
    assert found[True].parameters["weights"]["texts"] > 0
    assert found[False].parameters["weights"] == {}
    gain = found[True].scores.means["mrr@10"] - found[False].scores.means["mrr@10"]
    assert gain > 0.05


def test_an_index_is_searched_whole_and_a_sample_of_it_is_read(monkeypatch):
    """Its stored vectors serve; the source encoder reads a few of its texts."""
    monkeypatch.setattr("kakehashi.training.index_as_seen.MAX_READ", 12)
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
        report = fit(pairs, **encoders, learn_from=given, **QUICK, ngrams=False).report
        assert report.candidates[report.chosen].scores.pool == 80 + 50
        assert len({*read} & {*index.texts}) == 12
        assert not [note for note in report.notes if "is taken to hold" in note]
        reports.append(report)
    assert reports[0].candidates == {
        name: replace(row, cpu_seconds=reports[0].candidates[name].cpu_seconds)
        for name, row in reports[1].candidates.items()
    }
    unread = fit(pairs, learn_from=IndexDocuments(None, stored.vectors), **QUICK, ngrams=False)
    assert unread.report.candidates[unread.report.chosen].scores.pool == 80
    assert any("80 documents without texts are not searched" in n for n in unread.report.notes)
    vectors = Pairs(source_vectors=pairs.source_vectors, target_vectors=pairs.target_vectors)
    searched = fit(vectors, learn_from=IndexDocuments(None, stored.vectors), **QUICK).report
    assert searched.candidates[searched.chosen].scores.pool > 100
    with pytest.raises(DataError, match="5 dimensions, the target encoder's 24"):
        fit(pairs, learn_from=IndexDocuments(None, np.eye(5)), **QUICK)
