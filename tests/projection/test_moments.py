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
