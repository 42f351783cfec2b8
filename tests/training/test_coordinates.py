"""Maps that are solved in coordinates are those of all dimensions, once they are lifted."""

from functools import partial

import numpy as np
import pytest

from kakehashi import Pairs
from kakehashi.metrics.ranking import reciprocal
from kakehashi.projection.cca import cca
from kakehashi.projection.coordinates import leading
from kakehashi.projection.linear import centring, procrustes, ridge
from kakehashi.projection.ngrams import CharacterNgrams
from kakehashi.training import features as feature_module
from kakehashi.training.features import FeatureSet, prior_of
from kakehashi.training.hubness_bank import corrected
from kakehashi.training.map_ranks import rank
from kakehashi.training.split_plan import plan_split
from kakehashi.training.sufficient_statistics import develop
from kakehashi.types import SIDES

WIDE = 90
SHRUNK = {"reg_source": 1.0, "reg_target": 0.5, "power": 1.5}
FORMS = {
    "cca": partial(cca, **SHRUNK),
    "cca with prior": partial(cca, prior=0.5, **SHRUNK),
    "ridge": partial(ridge, reg=1.0, towards="zero"),
    "ridge to identity": partial(ridge, reg=1.0, towards="identity", target_mean=0.5),
    "centring": centring,
}
OF_ONE_SPACE = ("cca with prior", "ridge to identity", "centring")


def some_pairs(n, target_width=WIDE, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, WIDE)) + 0.3
    y = (x + 0.5 * rng.standard_normal((n, WIDE)))[:, :target_width] - 0.1
    texts = [f"part {rng.integers(10**6)} of {i}" for i in range(n)]
    return Pairs(texts, texts, source_vectors=x, target_vectors=y)


def similarities(data, projection, asked):
    served = data.features.finish(projection)
    sides = (("source", "query"), ("target", "document"))
    x, y = (
        served(
            np.asarray(asked.vectors(side), np.float32),
            modality=side,
            role=role,
            texts=asked.texts(side),
        )
        for side, role in sides
    )
    return x @ (y / np.linalg.norm(y, axis=1, keepdims=True)).T


def developed(monkeypatch, pairs, features, directions):
    monkeypatch.setattr(feature_module, "VECTOR_DIRECTIONS", directions)
    monkeypatch.setattr(feature_module, "NGRAM_DIRECTIONS", directions)
    plan = plan_split(pairs, validation=None, test=None, seed=0)
    return develop(plan, features, seed=0)


@pytest.mark.parametrize("mode", ["keep", "shared"])
@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("same_space", [True, False])
def test_few_rows_give_the_map_of_all_dimensions(monkeypatch, mode, name, same_space):
    """32 fitted rows span 64 directions of one space; 48 span 48 directions of each of two."""
    if name in OF_ONE_SPACE and not same_space:
        pytest.skip("there is nothing that both sides share")
    pairs = some_pairs(32 if same_space else 48, WIDE if same_space else 70)
    prior = np.eye(WIDE) if same_space else None
    features = FeatureSet(mode, {}, same_space, prior)
    asked = some_pairs(50, pairs.target_vectors.shape[1], seed=1)
    found = []
    for directions in (WIDE, 64):
        data = developed(monkeypatch, pairs, features, directions)
        plain = FORMS[name](data.everything.spectrum(), mode)
        found.append(similarities(data, plain, asked))
        if mode == "shared":
            bank = data.everything.bank
            [with_hubness] = corrected(plain, mode, bank, [{"strength": 0.5}])
            found[-1] = np.hstack([found[-1], similarities(data, with_hubness, asked)])
    assert len(data.everything.moments.sum_x) <= 64
    np.testing.assert_allclose(*found, atol=1e-4)


def test_ngrams_beside_the_vector_have_a_basis_of_their_own(monkeypatch):
    pairs, asked = some_pairs(32), some_pairs(50, seed=1)
    features = FeatureSet("keep", {"source": CharacterNgrams(128)}, True, np.eye(WIDE + 128, WIDE))
    found = []
    for directions in (128, 64):
        data = developed(monkeypatch, pairs, features, directions)
        made = cca(data.everything.spectrum(ngrams=0.5), "keep", prior=0.5, **SHRUNK)
        made = data.features.folded(made, 0.5)
        found.append(similarities(data, made, asked))
    assert data.everything.moments.xy.shape == (64 + 32, 64)
    np.testing.assert_allclose(*found, atol=1e-4)


@pytest.mark.parametrize("same_space", [True, False])
def test_sides_that_share_ngrams_give_the_map_of_all_dimensions(monkeypatch, same_space):
    """What no row has seen of vectors that share nothing must not lengthen a document."""
    pairs, asked = some_pairs(32 if same_space else 48), some_pairs(50, seed=1)
    ngrams = dict.fromkeys(SIDES, CharacterNgrams(64))
    prior = prior_of(dict.fromkeys(SIDES, WIDE), dict.fromkeys(SIDES, 64), same_space=same_space)
    features = FeatureSet("shared", ngrams, same_space, prior)
    found = []
    for directions in (128, 64):
        data = developed(monkeypatch, pairs, features, directions)
        made = cca(data.everything.spectrum(ngrams=0.5), "shared", prior=0.5, **SHRUNK)
        made = data.features.folded(made, 0.5)
        found.append(similarities(data, made, asked))
    np.testing.assert_allclose(*found, atol=1e-4)


@pytest.mark.parametrize("same_space", [True, False])
def test_a_basis_does_not_tell_which_held_out_rows_belong_together(monkeypatch, same_space):
    """It is made of all rows. Of pairs in random order, folds must find no more than chance."""
    rng = np.random.default_rng(0)
    n, wide = 32 if same_space else 60, WIDE if same_space else 70
    x, y = rng.standard_normal((n, WIDE)), rng.standard_normal((n, wide))
    pairs = Pairs(source_vectors=x, target_vectors=y)
    features = FeatureSet("keep", {}, same_space, np.eye(WIDE) if same_space else None)
    data = developed(monkeypatch, pairs, features, 64)
    found = [
        reciprocal(rank(procrustes(part.statistics.spectrum(), "keep"), part.queries, "ip"))
        for part in data.parts
    ]
    assert np.concatenate(found).mean() < 0.2


def test_leading_directions_hold_the_most_variance():
    rng = np.random.default_rng(0)
    rows = (rng.standard_normal((300, 60)) * np.geomspace(1, 1e-2, 60)).astype(np.float32)
    rows = rows @ np.linalg.qr(rng.standard_normal((60, 60)))[0].astype(np.float32)
    basis = leading(rows, 12, seed=0)
    np.testing.assert_allclose(basis.T @ basis, np.eye(12), atol=1e-5)
    best = np.sort(np.linalg.eigvalsh(rows.T @ rows))[-12:].sum()
    assert (rows @ basis).astype(np.float64).ravel() @ (rows @ basis).ravel() > 0.999 * best
