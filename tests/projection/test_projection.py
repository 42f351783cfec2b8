"""The closed forms against independent implementations, and the properties they rest on."""

import numpy as np
import pytest
from scipy.linalg import orthogonal_procrustes
from sklearn.cross_decomposition import CCA
from sklearn.linear_model import Ridge
from support.toy_data import two_views

from kakehashi.projection.cca import cca
from kakehashi.projection.hubness import HubnessCorrection, QueryPull, hubness, hubness_by_spread
from kakehashi.projection.hubness_model import HubnessModel
from kakehashi.projection.linear import procrustes, ridge
from kakehashi.projection.moments import Moments, Spectrum, _leading
from kakehashi.vectors import unit_rows as unit


def test_moments_add_up_and_match_numpy():
    x, y, _ = two_views(300)
    whole, a, b = Moments.of(x, y), Moments.of(x[:100], y[:100]), Moments.of(x[100:], y[100:])
    np.testing.assert_allclose((whole - a).xy, b.xy, atol=1e-4)
    np.testing.assert_allclose(Spectrum(a + b).cxx, np.cov(x.T.astype(float), bias=True), atol=1e-6)


def test_procrustes_is_scipys():
    x, y, _ = two_views(200, 12, 12)
    head = procrustes(Spectrum(Moments.of(x, y)), "shared").source
    expected, _ = orthogonal_procrustes(x - x.mean(0), y - y.mean(0))
    np.testing.assert_allclose(head.weight, expected, atol=1e-4)


def test_ridge_is_scikit_learns():
    x, y, _ = two_views(200)
    spectrum = Spectrum(Moments.of(x, y))
    head = ridge(spectrum, "keep", reg=0.3, towards="zero").source
    model = Ridge(alpha=0.3 * spectrum.scale_x * len(x)).fit(x.astype(float), y.astype(float))
    np.testing.assert_allclose(head.weight, model.coef_.T, atol=1e-4)
    np.testing.assert_allclose(head.bias, model.intercept_, atol=1e-4)


def test_canonical_correlations_are_scikit_learns():
    x, y, _ = two_views(500)
    _, s, _ = Spectrum(Moments.of(x, y)).whitened_svd(1e-9, 1e-9, 0.0, None)
    u, v = CCA(n_components=3, max_iter=5000).fit_transform(x.astype(float), y.astype(float))
    expected = [np.corrcoef(u[:, i], v[:, i])[0, 1] for i in range(3)]
    np.testing.assert_allclose(s[:3], expected, atol=2e-3)


def test_a_row_has_the_same_bits_alone_and_in_a_batch():
    x, y, _ = two_views(300)
    projection = cca(
        Spectrum(Moments.of(x, y)), "shared", reg_source=1.0, reg_target=1.0, power=1.0
    )
    whole = projection(x, modality="source", role="query")
    for size in (1, 2, 3, 7, 64):
        part = projection(x[:size].copy(), modality="source", role="query")
        assert np.array_equal(part, whole[:size])


@pytest.mark.parametrize("strength", [0.3, 0.7])
def test_the_folded_correction_ranks_as_the_formula_in_every_metric(strength):
    rng = np.random.default_rng(1)
    unit = lambda v: (v / np.linalg.norm(v, axis=1, keepdims=True)).astype(np.float32)  # noqa: E731
    q, c, bank = unit(rng.standard_normal((3, 60, 8)).reshape(180, 8)).reshape(3, 60, 8)
    model = HubnessModel.of(c, bank)
    correction = HubnessCorrection({"target": model}, strength)
    asked = correction.fold(q, modality="source", role="query")
    stored = correction.fold(c, modality="target", role="document")
    for vectors in (asked, stored):
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    expected = q @ c.T - strength * model(c)
    scale = np.sqrt(2) * np.sqrt(1 + strength**2)
    np.testing.assert_allclose(asked @ stored.T * scale, expected, atol=1e-5)


@pytest.mark.parametrize("by", ["the largest scores", "the spread of scores"])
def test_the_shift_of_keep_mode_is_the_ridge_regression_of_hubness(by):
    rng = np.random.default_rng(4)
    documents = unit(rng.standard_normal((80, 6)) + 0.5)
    raw = rng.standard_normal((50, 6)) * [3, 2, 1, 1, 1, 0.5]
    queries = unit(raw)
    if by == "the largest scores":
        expected = np.sort(documents @ queries.T)[:, -10:].mean(axis=1)
        h = hubness(documents.astype(np.float32), queries.astype(np.float32))
    else:
        centred = documents - documents.mean(axis=0)
        spread = (raw @ centred.T).std(axis=0)  # of the scores that each document gets
        expected = np.median((queries @ centred.T).max(axis=1)) * np.log(spread)
        h = hubness_by_spread(documents, queries, np.cov(raw.T, bias=True))
    reg = 0.7
    variance = documents.var(axis=0).mean()
    model = Ridge(alpha=reg * variance * len(documents)).fit(documents, expected)
    found = QueryPull.of(documents, h).offset(0.5, reg)
    np.testing.assert_allclose(found, -0.5 * model.coef_, atol=1e-5)


def test_the_shift_of_keep_mode_brings_its_ranking_nearer_to_that_of_shared_mode():
    rng = np.random.default_rng(7)
    x = unit(rng.standard_normal((3000, 12)) * np.linspace(2, 0.3, 12))
    y = x @ rng.standard_normal((12, 12)) + 0.1 * rng.standard_normal((3000, 12))
    y = unit(y + np.linspace(0, 1, 12))  # lengths depend on the direction of the middle
    spectrum = Spectrum(Moments.of(x[1000:], y[1000:]))
    setting = {"reg_source": 0.3, "reg_target": 0.3, "power": 1.0}
    shared = cca(spectrum, "shared", **setting)
    head = cca(spectrum, "keep", **setting).source
    asked, documents = head(x[:200]), y[:1000]
    covariance = head.weight.T @ spectrum.cxx @ head.weight
    h = hubness_by_spread(documents, asked, covariance)
    shift = QueryPull.of(documents, h).offset(1.0, 0.03)
    moved = shared.source(x[:200]) @ shared.target(documents).T
    agreeing = [
        float((np.argmax(queries @ documents.T, axis=1) == np.argmax(moved, axis=1)).mean())
        for queries in (asked, asked + shift)
    ]
    assert agreeing[1] > agreeing[0] + 0.05


def test_the_prior_of_cca_is_what_equal_pairs_add_to_the_cross_covariance():
    rng = np.random.default_rng(5)
    x = unit(rng.standard_normal((60, 5)))
    y = unit(x + 0.5 * rng.standard_normal((60, 5)))
    spectrum = Spectrum(Moments.of(x, y))
    settings = {"reg_source": 0.5, "reg_target": 0.5, "power": 1.0}
    found = cca(spectrum, "keep", prior=2.0, **settings).source
    shifted = Spectrum(Moments.of(x, y))
    shifted.cxy = spectrum.cxy + 2.0 * np.sqrt(spectrum.scale_x * spectrum.scale_y) * np.eye(5)
    expected = cca(shifted, "keep", prior=0.0, **settings).source
    np.testing.assert_allclose(found.weight, expected.weight, atol=1e-5)
    assert np.abs(found.weight - cca(spectrum, "keep", **settings).source.weight).max() > 1e-3


def test_weighted_moments_are_those_of_multiplied_rows():
    rng = np.random.default_rng(6)
    x, y = rng.standard_normal((80, 6)), rng.standard_normal((80, 5))
    wx, wy = rng.uniform(0.1, 3, 6), rng.uniform(0.1, 3, 5)

    def moments(a, b):
        return Moments(len(a), a.sum(0), b.sum(0), a.T @ a, b.T @ b, a.T @ b)

    found, expected = moments(x, y).weighted(wx, wy), moments(x * wx, y * wy)
    for name in ("n", "sum_x", "sum_y", "xx", "yy", "xy"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name))


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


def test_the_hubness_correction_knows_what_it_folded_by_the_vectors_themselves():
    rng = np.random.default_rng(0)
    banks = [unit(rng.standard_normal((64, 16))).astype(np.float32) for _ in range(3)]
    models = {
        side: HubnessModel.of(banks[0], bank)
        for side, bank in zip(("source", "target"), banks[1:], strict=True)
    }
    correction = HubnessCorrection(models, 0.7)
    stored = correction.fold(
        unit(rng.standard_normal((9, 16)).astype(np.float32)), modality="target", role="document"
    )
    assert correction.made(stored * 3, "target")
    assert not correction.made(stored, "source")
    stored[:4] = stored[:4, ::-1]  # some were edited
    assert correction.made(stored, "target")
    stored[4:5] = stored[4:5, ::-1]  # most were
    assert not correction.made(stored, "target")
