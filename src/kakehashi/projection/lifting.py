"""A projection of coordinates, lifted to one of the rows behind them (:mod:`.coordinates`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ..types import SIDES, Side
from ..vectors import Float32Array
from .coordinates import Basis, CoordinateHead, Matrix
from .head import AffineHead
from .hubness import HubnessCorrection
from .projection import Projection


def lifted(
    projection: Projection,
    basis: Mapping[Side, Basis],
    n_ngrams: Mapping[Side, int],
    *,
    together: bool,
) -> Projection:
    """Return the projection of rows whose coordinates a projection takes.

    Args:
        n_ngrams: how many coordinates of each side are those of n-grams.
        together: whether both sides share the basis of their vectors.
    """
    if projection.target is None:  # then the common space is that of the targets
        return _into_targets(projection, basis, n_ngrams, together=together)
    return _into_new_space(projection, basis, n_ngrams, together=together)


def _into_targets(
    projection: Projection,
    basis: Mapping[Side, Basis],
    n_ngrams: Mapping[Side, int],
    *,
    together: bool,
) -> Projection:
    head, turn = projection.source, basis["target"].vectors
    source = None
    if head is not None:
        weight = basis["source"].lifted(head.weight, len(head.weight) - n_ngrams["source"])
        bias = head.bias.astype(np.float64)
        if turn is not None:
            weight, bias = weight @ turn.T, turn @ bias
            if together and (outside := _outside(head)):
                weight[: len(turn)] += outside * basis["target"].outside
        source = AffineHead.of(weight, bias)
    if turn is None:
        return replace(projection, source=source)
    offset = projection.query_offset
    return replace(
        projection,
        source=source,
        query_offset=None if offset is None else turn @ offset,
        hubness=_hubness(projection.hubness, turn),
    )


def _into_new_space(
    projection: Projection,
    basis: Mapping[Side, Basis],
    n_ngrams: Mapping[Side, int],
    *,
    together: bool,
) -> Projection:
    source, target = projection.source, projection.target
    assert source is not None
    assert target is not None
    turn = basis["target"].vectors
    extra = 0
    more: dict[Side, Matrix] = {}
    if turn is not None and _outside(target):
        rest = basis["target"].rest
        extra = rest.shape[1]
        more["target"] = _outside(target) * rest
        if together:
            more["source"] = _outside(source) * rest
    heads: dict[Side, AffineHead] = {}
    for side, head in zip(SIDES, (source, target), strict=True):
        weight = basis[side].lifted(head.weight, len(head.weight) - n_ngrams[side])
        beside = np.zeros((len(weight), extra))
        if side in more:
            beside[: len(more[side])] = more[side]
        bias = np.concatenate([head.bias, np.zeros(extra)])
        heads[side] = AffineHead.of(np.hstack([weight, beside]), bias)
    embed = np.eye(source.weight.shape[1] + extra, source.weight.shape[1], dtype=np.float32)
    return replace(
        projection,
        source=heads["source"],
        target=heads["target"],
        hubness=_hubness(projection.hubness, embed),
    )


def _outside(head: AffineHead) -> float:
    return head.outside if isinstance(head, CoordinateHead) else 0.0


def _hubness(correction: HubnessCorrection | None, turn: Float32Array) -> HubnessCorrection | None:
    """Turn the directions of the models of hubness into the lifted space."""
    if correction is None:
        return None
    models = {
        side: replace(model, directions=turn @ model.directions)
        for side, model in correction.models.items()
    }
    return HubnessCorrection(models, correction.strength)
