"""What a fit reads: vectors, or n-grams of the texts beside them, and where it may."""

import numpy as np
import pytest
from support.toy_data import ENCODER_OF, ENCODERS, encoded, hashed_letters, machine_pairs

from kakehashi import Pairs, fit
from kakehashi.errors import DataError
from kakehashi.projection.cca import cca
from kakehashi.projection.moments import Moments, Spectrum
from kakehashi.projection.ngrams import CharacterNgrams
from kakehashi.report import ALONE, CHOSEN
from kakehashi.training import features as feature_module
from kakehashi.training import inputs as gather
from kakehashi.training.features import FeatureSet
from kakehashi.training.inputs import may_read_texts
from kakehashi.training.split_plan import plan_split
from kakehashi.training.sufficient_statistics import develop
from kakehashi.types import SIDES
from kakehashi.vectors import unit_rows

QUICK = {"mode": "keep"}
BOTH = {"source": CharacterNgrams(16), "target": CharacterNgrams(16)}

# -- views ------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["keep", "shared"])
@pytest.mark.parametrize("same_space", [False, True])
def test_the_prior_marks_the_features_that_both_sides_have(mode, same_space):
    texts = [f"text {i}" for i in range(20)]
    x = np.random.default_rng(0).standard_normal((20, 5))
    y = x if same_space else x[:, :4]
    pairs = Pairs(texts, texts, source_vectors=x, target_vectors=y)
    plain, read = feature_module.feature_sets(mode, pairs, same_space=same_space, ngrams=True)
    assert not plain.ngrams
    assert (plain.prior is None) != same_space
    assert set(read.ngrams) == ({"source"} if mode == "keep" else {"source", "target"})
    buckets, dy = read.ngrams["source"].dimension, y.shape[1]
    assert buckets == 256  # of few pairs
    seen = read.read(pairs)
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
    monkeypatch.setattr(feature_module, "_BUCKETS", ((80, 256),))
    [_, read] = feature_module.feature_sets("keep", encoded(), same_space=False, ngrams=True)
    assert read.ngrams["source"].dimension == 1024
    assert len(feature_module.feature_sets("keep", encoded(), same_space=False, ngrams=False)) == 1


def test_ngrams_may_count_less_than_the_vector_beside_them():
    """A weight that is near to nothing gives the map of the vectors alone."""
    pairs, features = encoded(), FeatureSet("keep", {"source": CharacterNgrams(16)})
    rows = plan_split(pairs, validation=None, test=None, seed=0)
    alone, beside = (develop(rows, v, seed=0).everything for v in (FeatureSet("keep"), features))
    np.testing.assert_array_equal(features.weights("source", 32 + 16, 0.5), [1] * 32 + [0.5] * 16)
    np.testing.assert_array_equal(features.weights("target", 24, 0.5), np.ones(24))
    settings = {"reg_source": 1e-3, "reg_target": 1e-3, "power": 1.0}
    wanted = cca(alone.spectrum(), "keep", **settings)
    asked = {"modality": "source", "role": "query"}
    products = []
    for weight in (1.0, 0.1, 1e-4):
        found = features.folded(cca(beside.spectrum(ngrams=weight), "keep", **settings), weight)
        read = features.read(pairs).source_vectors
        projected = found(read, **asked), wanted(pairs.source_vectors, **asked)
        products.append(np.einsum("ij,ij->i", *projected).mean())
    assert products[0] < products[1] < products[2]
    assert products[2] > 0.999


@pytest.mark.parametrize("mode", ["keep", "shared"])
def test_a_folded_map_of_weighted_rows_is_the_map_of_multiplied_rows(mode):
    """Scores of any pair of rows: folded, and from rows whose n-grams were multiplied by hand."""
    pairs = encoded()
    features = FeatureSet(mode, {"source": CharacterNgrams(16)} if mode == "keep" else BOTH)
    read = features.read(pairs)
    x, y = read.source_vectors, read.target_vectors
    x, y = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (x, y))
    wx, wy = features.weights("source", 48, 0.25), features.weights("target", y.shape[1], 0.25)
    settings = {"reg_source": 1.0, "reg_target": 0.5, "power": 1.5}
    fitted = develop(
        plan_split(pairs, validation=None, test=None, seed=0), features, seed=0
    ).everything
    found = features.folded(cca(fitted.spectrum(ngrams=0.25), mode, **settings), 0.25)

    a, b = (x * wx).astype(np.float64), (y * wy).astype(np.float64)
    moments = Moments(len(a), a.sum(0), b.sum(0), a.T @ a, b.T @ b, a.T @ b)
    by_hand = cca(Spectrum(moments, features.prior), mode, **settings)
    sides = {"source": (x, a), "target": (y, b)}
    got, wanted = [], []
    for side, (as_read, multiplied) in sides.items():
        head, other = getattr(found, side), getattr(by_hand, side)
        if head is None:  # keep mode: the target as it is
            got.append(y)
            wanted.append(y)
            continue
        got.append(head(as_read.astype(np.float32)))
        projected = multiplied @ other.weight + other.bias
        wanted.append(projected / np.linalg.norm(projected, axis=1, keepdims=True))
    np.testing.assert_allclose(got[0] @ got[1].T, wanted[0] @ wanted[1].T, atol=1e-4)


def test_a_projection_of_a_view_reads_what_the_view_read():
    pairs, features = encoded(), FeatureSet("shared", BOTH)
    read = features.read(pairs)
    for side in SIDES:
        expected = BOTH[side].beside(pairs.vectors(side), pairs.texts(side))
        assert np.array_equal(read.vectors(side), expected)
        assert pairs.vectors(side).shape[1] == expected.shape[1] - 16  # the pairs stay as they are
    assert FeatureSet("keep").read(pairs) is pairs
    assert (
        FeatureSet("keep", {"source": BOTH["source"]}).read(pairs).target_vectors
        is pairs.target_vectors
    )


def test_keys_of_vectors_are_those_of_the_vectors_that_are_there():
    """Pairs with other vectors put in must not remember what the old ones hashed to."""
    pairs = encoded()
    vectors = Pairs(source_vectors=pairs.source_vectors, target_vectors=pairs.target_vectors)
    before = vectors.keys("source")
    read = vectors.with_vectors(2.5 * pairs.source_vectors, None)
    assert not np.array_equal(read.keys("source"), before)
    assert np.array_equal(vectors.keys("source"), before)
    assert np.array_equal(read.keys("target"), vectors.keys("target"))


# -- what may be read -------------------------------------------------------------------------


def test_texts_are_read_by_default_where_the_fit_encodes_them():
    pairs, nobody = encoded(), dict.fromkeys(SIDES)
    sources = Pairs(pairs.source_texts, target_vectors=pairs.target_vectors)
    vectors = Pairs(source_vectors=pairs.source_vectors, target_vectors=pairs.target_vectors)
    one = {"source": hashed_letters, "target": None}
    for mode, ngrams, encoders, sets, expected in (
        ("keep", None, ENCODER_OF, [pairs], True),
        ("shared", None, ENCODER_OF, [pairs], True),
        ("keep", None, nobody, [pairs], False),  # vectors are at hand where it serves, texts?
        ("keep", True, nobody, [pairs], True),
        ("keep", False, ENCODER_OF, [pairs], False),
        ("keep", None, one, [sources], True),
        ("shared", None, one, [pairs], False),
        ("shared", None, ENCODER_OF, [sources], False),
        ("keep", None, ENCODER_OF, [vectors], False),
        ("keep", None, ENCODER_OF, [pairs, vectors], False),
    ):
        assert may_read_texts(mode, ngrams, encoders, sets) is expected


def test_texts_that_are_asked_for_and_missing_are_named():
    pairs = encoded()
    sources = Pairs(pairs.source_texts, target_vectors=pairs.target_vectors)
    vectors = Pairs(source_vectors=pairs.source_vectors, target_vectors=pairs.target_vectors)
    with pytest.raises(DataError, match="reads the target texts; give them in every set"):
        fit(sources, source_encoder=hashed_letters, mode="shared", ngrams=True)
    with pytest.raises(DataError, match="reads the source texts"):
        fit(pairs, test=vectors, ngrams=True, **QUICK)


@pytest.mark.parametrize("which", ["pairs", "test"])
def test_n_grams_of_too_many_pairs_are_not_read(which, monkeypatch):
    monkeypatch.setattr(gather, "MAX_NGRAM_PAIRS", 60)
    pairs = encoded()
    few = pairs.select(range(40))
    sets = [pairs, few] if which == "pairs" else [few, pairs]
    assert may_read_texts("keep", None, ENCODER_OF, [few]) is True
    assert may_read_texts("keep", None, ENCODER_OF, sets) is False
    with pytest.raises(DataError, match="at most 60 pairs, these are 80"):
        may_read_texts("keep", True, ENCODER_OF, sets)


@pytest.mark.slow
def test_the_rung_of_n_grams_is_tried_only_where_texts_may_be_read():
    pairs = encoded()
    for ngrams in (True, False):
        report = fit(pairs, ngrams=ngrams, **QUICK).report
        assert ("cca+ngrams" in report.candidates) is ngrams
        assert ("cca+ngrams+hubness" in report.candidates) is ngrams


def test_a_fit_that_chose_n_grams_scores_as_it_serves(monkeypatch):
    """What the report says is what a store would find from the vectors that are served."""
    monkeypatch.setattr(
        "kakehashi.training.model_selection.choose",
        lambda found, *_, **by: next(c for c in found if "ngrams" in c.name),
    )
    pairs = machine_pairs()
    pairs, test = pairs.select(range(16, 80)), pairs.select(range(16))
    aligner = fit(pairs, test=test, **ENCODERS, mode="keep")
    assert aligner.reads("source")
    assert not aligner.reads("target")
    assert aligner.report.chosen == "cca+ngrams"
    q = aligner.embed_queries(list(test.source_texts), modality="source")
    d = aligner.embed_documents(list(test.target_texts), modality="target")
    assert aligner.report.metric == "cosine"
    recall = np.mean((q @ unit_rows(d).T).argmax(axis=1) == np.arange(len(test)))
    scores = aligner.report.beside[ALONE][CHOSEN]
    assert aligner.report.describes == "the very weights that ship"
    assert recall == pytest.approx(scores.means["recall@1"])


def test_source_texts_and_stored_target_vectors_of_one_space_are_enough():
    texts = machine_pairs().source_texts
    pairs = Pairs(texts, target_vectors=hashed_letters(machine_pairs().target_texts))
    report = fit(pairs, source_encoder=hashed_letters, **QUICK).report
    assert "cca+ngrams" in report.candidates
    assert report.base is not None
