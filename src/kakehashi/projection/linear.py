"""Closed forms that move the source towards the target: centring, Procrustes, ridge.

Every function takes the :class:`Spectrum` of the training pairs and gives a :class:`Projection`.
``mode="keep"`` leaves the target as it is; ``mode="shared"`` also centres it. In ``keep`` mode
``target_mean`` is the share of the target's mean that is added back. With 1 the target vector is
predicted; with 0 the common direction of all targets does not count in the score.
"""

from __future__ import annotations

import numpy as np

from ..types import Mode
from .moments import Matrix, Spectrum
from .projection import Projection


def centring(spectrum: Spectrum, mode: Mode, *, target_mean: float = 1.0) -> Projection:
    """Take each side's mean away: the offset between two modalities of one space.

    Liang et al., Mind the gap (NeurIPS 2022); the spaces must have one dimension.
    """
    return _moved(spectrum, mode, np.eye(len(spectrum.mean_x)), target_mean, outside=1.0)


def procrustes(spectrum: Spectrum, mode: Mode, *, target_mean: float = 1.0) -> Projection:
    """Rotate the centred source onto the centred target: W = U V', from the SVD of C_xy.

    Schoenemann (1966). Between different dimensions W is semi-orthogonal.
    """
    u, _, v = spectrum.cross_svd
    return _moved(spectrum, mode, u @ v.T, target_mean, outside=1.0)


def ridge(
    spectrum: Spectrum, mode: Mode, *, reg: float, towards: str, target_mean: float = 1.0
) -> Projection:
    """Predict the centred target from the centred source, shrunk towards a prior map W0.

        W = (C_xx + r I)^-1 (C_xy + r W0),   r = reg * mean source variance

    (Hoerl & Kennard 1970.) W0 is zero, or the identity where both sides share one space. Few pairs
    then leave the space nearly as it is, as under a Gaussian process with that mean.
    """
    values, vectors = spectrum.eigen_x
    r = reg * spectrum.scale_x
    cross = spectrum.cxy + (r * spectrum.prior if towards == "identity" else 0)
    weight = vectors @ ((vectors.T @ cross) / (values + r)[:, None])
    outside = 1.0 if towards == "identity" else 0.0
    return _moved(spectrum, mode, weight, target_mean, outside=outside)


def _moved(
    spectrum: Spectrum, mode: Mode, weight: Matrix, target_mean: float, *, outside: float
) -> Projection:
    """Centre, and multiply by a weight; ``outside`` is its factor outside of a basis, if any."""
    bias = -spectrum.mean_x @ weight
    if mode == "keep":
        bias = bias + target_mean * spectrum.mean_y
        return Projection(source=spectrum.head(weight, bias, outside))
    target = spectrum.head(np.eye(len(spectrum.mean_y)), -spectrum.mean_y, 1.0)
    return Projection(source=spectrum.head(weight, bias, outside), target=target)
