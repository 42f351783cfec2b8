"""Regularised canonical correlation analysis: the strongest closed form on most data."""

from __future__ import annotations

import numpy as np

from ..types import Mode
from .moments import Spectrum
from .projection import Projection


def cca(
    spectrum: Spectrum,
    mode: Mode,
    *,
    reg_source: float,
    reg_target: float,
    power: float,
    prior: float = 0.0,
    directions: int | None = None,
) -> Projection:
    """Project both sides on their canonical directions, weighted by correlation.

    With r_x = reg_source * mean source variance (r_y likewise), the SVD

        (C_xx + r_x I)^-1/2 (C_xy + prior * v I) (C_yy + r_y I)^-1/2 = U S V'

    gives A = (C_xx + r_x I)^-1/2 U and B = (C_yy + r_y I)^-1/2 V (Hotelling 1936). The SVD of the
    whitened cross-covariance follows Mardia, Kent & Bibby, Multivariate Analysis, 1979, section
    10.2; the ridge follows Vinod 1976. ``shared`` mode maps both sides, x -> (x - mean_x) A
    S^(power/2) and y likewise. ``keep`` mode folds the target's map into the query,
    x -> (x - mean_x) A S^power B'. The inner product with the untouched target is then the same,
    up to the target's norm.

    ``prior`` is ours, for sides that share features. It adds the covariance of pairs of equal
    vectors, so that few pairs lean on the space that both sides share. Here v is the geometric
    mean of both mean variances. I has ones where a source feature equals a target feature.

    Args:
        spectrum: means (d_x,), (d_y,) and covariances of the training pairs' unit vectors, float64.
        mode: which side is projected, as above.
        reg_source, reg_target: ridge of each side, above 0, in units of the mean variance of one
            of its dimensions: 1 adds as much as an average dimension varies.
        power: how strongly directions of low correlation are held down; 0 treats all alike.
        prior: weight of what both sides share, in units of v; 0 leans on the pairs alone.
        directions: how many are kept; by default all that are not negligible.

    Returns:
        ``keep``: a source head (d_x, d_y). ``shared``: heads (d_x, k) and (d_y, k), the directions
        in descending order of correlation.
    """
    a, s, b = spectrum.whitened_svd(reg_source, reg_target, prior, directions)
    # Outside of a basis nothing was seen: covariances are zero, and one singular value is left. It
    # is zero, too, where n-grams alone are shared: they come after the vectors.
    prior *= float(spectrum.prior[0, 0])
    root_x, root_y = np.sqrt(reg_source * spectrum.scale_x), np.sqrt(reg_target * spectrum.scale_y)
    alike = prior * np.sqrt(spectrum.scale_x * spectrum.scale_y) / (root_x * root_y)
    if mode == "keep":
        weight = (a * s**power) @ b.T
        outside = alike**power / (root_x * root_y) if prior else 0.0
        return Projection(source=spectrum.head(weight, -spectrum.mean_x @ weight, outside))
    a, b, root = a * s ** (power / 2), b * s ** (power / 2), alike ** (power / 2) if prior else 0.0
    return Projection(
        source=spectrum.head(a, -spectrum.mean_x @ a, root / root_x),
        target=spectrum.head(b, -spectrum.mean_y @ b, root / root_y),
    )
