"""Sums over rows that are put together."""

import numpy as np
import pytest
from support.toy_data import two_views

from kakehashi.projection.moments import Moments, Spectrum
from kakehashi.vectors import unit_rows


@pytest.mark.parametrize("weights", [(20.0, 0.0), (70.0, 0.0), (20.0, 210.0)])
def test_pooling_is_a_covariance_of_weighted_rows(weights):
    x, y, _ = two_views(70, 6, 5)
    sets = [two_views(n, 6, 5, seed=n)[:2] for n in (200, 90)]
    sets = [(u, unit_rows(v + 0.4)) for u, v in sets]
    others = [(Moments.of(u, v), w) for (u, v), w in zip(sets, weights, strict=True)]
    found = Spectrum(Moments.of(x, y).pooled(others))
    mean = np.hstack([x, y]).mean(axis=0, dtype=float)
    # Every row of another set is moved to the mean of the pairs, and counted so that all rows of
    # the set together weigh as much as so many pairs.
    rows, counts = [np.hstack([x, y])], [np.ones(70)]
    for (u, v), weight in zip(sets, weights, strict=True):
        other = np.hstack([u, v]).astype(float)
        rows.append(other - other.mean(axis=0) + mean)
        counts.append(np.full(len(u), weight / len(u)))
    expected = np.cov(np.vstack(rows).T, aweights=np.concatenate(counts), ddof=0)
    np.testing.assert_allclose(found.mean_x, mean[:6], atol=1e-6)
    np.testing.assert_allclose(found.mean_y, mean[6:], atol=1e-6)
    np.testing.assert_allclose(found.cxx, expected[:6, :6], atol=1e-6)
    np.testing.assert_allclose(found.cyy, expected[6:, 6:], atol=1e-6)
    np.testing.assert_allclose(found.cxy, expected[:6, 6:], atol=1e-6)


def test_other_means_leave_the_covariances():
    x, y, _ = two_views(70, 6, 5)
    before = Spectrum(Moments.of(x, y))
    after = Spectrum(Moments.of(x, y).around(np.arange(6.0), np.ones(5)))
    np.testing.assert_allclose(after.mean_x, np.arange(6))
    np.testing.assert_allclose(after.mean_y, np.ones(5))
    for name in ("cxx", "cyy", "cxy"):
        np.testing.assert_allclose(getattr(after, name), getattr(before, name), atol=1e-9)


@pytest.mark.parametrize("ridge", [1.0, 1e-3, 1e-4])
def test_whitening_inverts_covariances_of_more_dimensions_than_rows(ridge):
    """The product of the directions is (C_xx + r)^-1 C_xy (C_yy + r)^-1, however whitened."""
    x, y, _ = two_views(120, 150, 140)
    spectrum = Spectrum(Moments.of(x, y))
    a, s, b = spectrum.whitened_svd(ridge, ridge, 0.0, None)
    raised_x = spectrum.cxx + ridge * spectrum.scale_x * np.eye(150)
    raised_y = spectrum.cyy + ridge * spectrum.scale_y * np.eye(140)
    expected = np.linalg.solve(raised_x, spectrum.cxy) @ np.linalg.inv(raised_y)
    error = np.linalg.norm((a * s) @ b.T - expected) / np.linalg.norm(expected)
    assert error < 1e-3


def test_rows_that_are_all_equal_have_directions_of_finite_numbers():
    same = np.repeat(two_views(1, 100, 100)[0], 50, axis=0)
    for found in Spectrum(Moments.of(same, same)).whitened_svd(1.0, 1.0, 1.0, None):
        assert np.isfinite(found).all()


def test_few_rows_that_are_left_of_many_are_whitened():
    """Subtracting leaves the rounding of all rows: negative eigenvalues that outweigh the ridge."""
    half = np.random.default_rng(0).standard_normal((3000, 12)).astype(np.float32)
    rows = unit_rows(np.hstack([half, half]) + 3)
    left = Moments.of(rows, rows) - Moments.of(rows, rows, np.arange(2998))
    spectrum = Spectrum(left)
    reg = 3e-6 / spectrum.scale_x
    assert np.linalg.eigvalsh(spectrum.cxx)[0] < -3e-6
    for found in spectrum.whitened_svd(reg, reg, 0.0, None):
        assert np.isfinite(found).all()


def test_coordinates_of_sums_are_sums_of_coordinates():
    """Turned block by block: of vectors, and of n-grams beside them."""
    rng = np.random.default_rng(0)
    x, y = rng.random((60, 9)).astype(np.float32), rng.random((60, 7)).astype(np.float32)
    blocks_x = [np.linalg.qr(rng.standard_normal(shape))[0] for shape in ((5, 3), (4, 2))]
    blocks_y = [np.linalg.qr(rng.standard_normal((7, 4)))[0], np.empty((0, 0))]
    turned = Moments.of(x, y, scaled=False).turned(blocks_x, blocks_y)
    of_x = np.hstack([x[:, :5] @ blocks_x[0], x[:, 5:] @ blocks_x[1]])
    expected = Moments.of(of_x, y @ blocks_y[0], scaled=False)
    for name in ("n", "sum_x", "sum_y", "xx", "yy", "xy"):
        np.testing.assert_allclose(getattr(turned, name), getattr(expected, name), rtol=1e-5)


def test_settings_that_share_a_whitening_give_the_directions_of_their_own():
    """A strength of one side, or a prior, leaves the other side's whitening as it is."""
    x, y, _ = two_views(120, 12, 12)
    shared = Spectrum(Moments.of(x, y))
    for setting in [(1.0, 1.0, 0.0), (1.0, 1.0, 0.5), (1.0, 3.0, 0.0), (0.1, 3.0, 0.0)] * 2:
        alone = Spectrum(Moments.of(x, y)).whitened_svd(*setting, None)
        for found, expected in zip(shared.whitened_svd(*setting, None), alone, strict=True):
            np.testing.assert_array_equal(found, expected)
