"""Pseudo-pairs: mutual nearest neighbours, which a second fit may learn from."""

from dataclasses import replace

import numpy as np
import pytest
from support.inner_fit import inner_fit
from support.toy_data import ENCODERS, encoded, machine_pairs, reversed_letters, two_views

from kakehashi import Pairs, fit
from kakehashi.data.index import IndexDocuments
from kakehashi.errors import DataError
from kakehashi.evaluation import evaluate
from kakehashi.pairing import mining as pseudo
from kakehashi.pairing import pseudo_pairs


@pytest.fixture(scope="session")
def tested(aligner):
    """The aligner of the other tests, as if it shipped the weights that were tested."""
    return unrefitted(aligner)


def unrefitted(aligner):
    sizes = aligner.report.sizes
    report = replace(aligner.report, sizes={**sizes, "fitted": sizes["development"]})
    return replace(aligner, report=report)


def by_hand(aligner, x, y):
    asked = aligner.project(x, modality="source", role="query").astype(np.float64)
    stored = aligner.project(y, modality="target", role="document").astype(np.float64)
    asked, stored = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (asked, stored))
    products = asked @ stored.T
    return [(i, j) for i, j in enumerate(products.argmax(axis=1)) if products[:, j].argmax() == i]


@pytest.mark.parametrize("rows", [7, 1024])
def test_they_are_each_others_nearest(tested, rows, monkeypatch):
    monkeypatch.setattr(pseudo, "_ROWS", rows)  # whatever the parts that are looked at
    x, y, _ = two_views(90, seed=3)
    x, y = x[:80], y[10:]
    found = pseudo_pairs(tested, x, y)
    expected = by_hand(tested, x, y)
    assert 10 < len(expected) < 80
    np.testing.assert_array_equal(found.source_vectors, x[[i for i, _ in expected]])
    np.testing.assert_array_equal(found.target_vectors, y[[j for _, j in expected]])
    as_lists = pseudo_pairs(tested, x.tolist(), y.tolist())
    np.testing.assert_array_equal(as_lists.source_vectors, found.source_vectors)


def test_texts_are_encoded_and_a_text_counts_once(ngram_aligner):
    ngram_aligner = unrefitted(ngram_aligner)
    pairs = machine_pairs()
    sources, targets = list(pairs.source_texts[:30]), list(pairs.target_texts[10:50])
    found = pseudo_pairs(ngram_aligner, sources * 2, targets)
    again = pseudo_pairs(ngram_aligner, sources, targets)
    assert found.source_texts == again.source_texts
    assert set(found.source_texts) <= set(sources)
    assert set(found.target_texts) <= set(targets)
    assert len(set(found.target_texts)) == len(found)
    at = [pairs.source_texts.index(text) for text in found.source_texts]
    np.testing.assert_allclose(found.source_vectors, encoded().source_vectors[at], atol=1e-6)
    with pytest.raises(DataError, match="reads the source texts"):
        pseudo_pairs(ngram_aligner, encoded().source_vectors, targets)


@pytest.mark.slow
def test_a_second_fit_finds_more():
    """Forty pairs, and 660 sources and targets in other orders that nobody has paired."""
    x, y, groups = two_views(1000, noise=1.2, seed=5)
    few = Pairs(source_vectors=x[:40], target_vectors=y[:40], groups=groups[:40])
    test = Pairs(source_vectors=x[700:], target_vectors=y[700:], groups=groups[700:])
    options = {"mode": "shared", "test": test}
    first = fit(few, **options)
    shuffled = np.random.default_rng(0).permutation(np.arange(40, 700))
    more = pseudo_pairs(first, x[40:700], y[shuffled])
    index = IndexDocuments(None, y[40:700])  # searched by the questions that choose
    second = fit(few, **options, learn_from=[index, more])
    recall = [evaluate(a, test).aligned.means["recall@1"] for a in (first, second)]
    assert recall[1] > recall[0] + 0.05
    assert second.report.learned_from["pseudo-pairs"].rows == len(more)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ([], "source texts: none are given"),
        (["pump", ""], "source texts: '' is empty text"),
        ("pump", "source texts: expected a list of strings"),
        ([None], "source texts: None is not a string"),
    ],
)
def test_what_cannot_be_paired_is_named(text_aligner, source, message):
    with pytest.raises(DataError, match=message):
        pseudo_pairs(unrefitted(text_aligner).with_encoders(**ENCODERS), source, ["PUMP."])


@pytest.mark.slow
def test_a_map_that_was_fitted_on_its_test_part_makes_none():
    """Pairs of noise: their map knows them by heart, and would tell the next fit's test."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 200, 256)).astype(np.float32)
    again = [v + 0.05 * rng.standard_normal(v.shape).astype(np.float32) for v in (x, y)]
    noise = Pairs(source_vectors=x, target_vectors=y)
    options = {"mode": "keep", "learned": False, "same_space": False}
    with pytest.raises(DataError, match="a test set of your own"):
        pseudo_pairs(inner_fit(noise, **options), *again)
    kept, test = noise.select(range(160)), noise.select(range(160, 200))
    own = inner_fit(kept, test=test, **options)
    assert not own.report.refitted
    more = pseudo_pairs(own, *again)
    second = inner_fit(kept, test=test, **options, learn_from=more)
    assert second.report.verdict == "do not use"


def test_an_identity_was_fitted_on_nothing():
    pairs = machine_pairs()
    given = pairs.with_vectors(*(reversed_letters(pairs.target_texts),) * 2)
    same = inner_fit(given, same_space=True, ngrams=False)
    assert same.projection.is_identity
    assert same.report.refitted
    assert len(pseudo_pairs(same, given.source_vectors, given.target_vectors)) == len(pairs)
