"""The hubness correction of a map: the sample that hubs are told by, and the strengths tried."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..projection import Projection
from ..projection.hubness import (
    MAX_BANK,
    HubnessCorrection,
    QueryPull,
    Spread,
    hubness,
    hubness_by_spread,
    spread_of,
)
from ..projection.hubness_model import HubnessModel
from ..projection.moments import Matrix, Moments
from ..types import SIDES, Mode, Side
from ..vectors import Float32Array, FloatArray, drawn, thinned, unit_rows
from .closed_forms import Parameters
from .features import Documents

FIXED_CORRECTION: Parameters = {"strength": 0.75, "offset_reg": 0.03}
"""The setting of ``keep`` mode where nothing can choose one, and an index is at hand."""
MAX_DOCUMENTS = 2048
"""Documents of an index that a regression on a few hundred dimensions learns as much from."""
_ASKED = 256  # queries of which the best score is taken


@dataclass(frozen=True, eq=False)
class Bank:
    """A sample of training vectors and of the index, unprojected.

    Attributes:
        source, target: (m, d_x) and (m, d_y) float32, of the same training rows.
        documents: (k, d_y) float32 of the index, unit rows or their coordinates. Queries crowd
            around the documents that the map was fitted on; only beside others does that show.
        sums: over the training rows and over each source, with as how many pairs each counts.
            None where the index holds hardly any document but those that pairs name: a map of few
            pairs spreads their scores most, so a correction by spread would flee from them.
    """

    source: Float32Array
    target: Float32Array
    documents: Float32Array
    sums: Sequence[tuple[Moments, float]] | None

    @classmethod
    def sample(
        cls,
        source: Any,
        target: Any,
        rows: Any,
        documents: Documents,
        sums: Sequence[tuple[Moments, float]] | None,
        *,
        seed: int,
    ) -> Bank:
        """Take at most ``MAX_BANK`` of some training rows, which ascend, and fewer documents."""
        rows = rows[drawn(len(rows), MAX_BANK, seed)]
        x, y = (np.asarray(side[rows], np.float32) for side in (source, target))
        return cls(x, y, documents[drawn(len(documents), MAX_DOCUMENTS, seed)].scaled, sums)

    @cached_property
    def spread(self) -> Spread:
        """The spread of the documents, which all maps share."""
        return spread_of(self.documents)

    @cached_property
    def covariance(self) -> Matrix:
        """The covariance of queries, (d_x, d_x): few pairs tell it poorly without the sources."""
        assert self.sums is not None
        total = sum(weight for _, weight in self.sums)
        parts = [
            (weight / total) * (m.xx / m.n - np.outer(m.sum_x, m.sum_x) / m.n**2)
            for m, weight in self.sums
        ]
        covariance: Matrix = np.sum(parts, axis=0)
        return covariance


def hubness_grid(mode: Mode, *, by_spread: bool = False) -> list[Parameters]:
    """Return the strengths that the correction is tried with.

    Args:
        by_spread: whether the spread of scores tells hubs, in ``keep`` mode.
    """
    if mode == "keep":
        regs = (0.03, 0.3) if by_spread else (0.1, 1.0)
        return [
            {"strength": s, "offset_reg": reg} for s, reg in itertools.product((0.5, 1.0), regs)
        ]
    return [{"strength": s} for s in (0.35, 0.5, 0.7)]


def corrected(
    projection: Projection,
    mode: Mode,
    bank: Bank,
    settings: list[Parameters],
    *,
    sides: Sequence[Side] = SIDES,
) -> list[Projection]:
    """Add the hubness correction in the form that the mode can hold, once a setting.

    What does not depend on the setting, the model of hubness, is fitted once.

    Args:
        sides: the modalities whose documents will be projected; a fit compares maps by their
            targets alone.
    """
    if mode == "keep":
        pull = QueryPull.of(bank.documents, _hubness(projection, bank), bank.spread)
        return [
            Projection(projection.source, None, pull.offset(s["strength"], s["offset_reg"]), None)
            for s in settings
        ]
    queries = _projected(projection, bank.source, "source")
    targets = _projected(projection, bank.target, "target")
    by_side = {"target": (targets, queries), "source": (queries, targets)}
    models: dict[str, HubnessModel] = {s: HubnessModel.of(*by_side[s]) for s in sides}
    return [
        Projection(
            projection.source, projection.target, None, HubnessCorrection(models, s["strength"])
        )
        for s in settings
    ]


def _hubness(projection: Projection, bank: Bank) -> FloatArray:
    """Return h of the documents of a bank, by the spread of their scores where that is known."""
    asked = bank.source[thinned(len(bank.source), MAX_DOCUMENTS if bank.sums is None else _ASKED)]
    queries = _projected(projection, asked, "source")
    if bank.sums is None:
        return hubness(bank.documents, queries).astype(np.float64)
    return hubness_by_spread(bank.documents, queries, _covariance(projection, bank))


def _covariance(projection: Projection, bank: Bank) -> Matrix:
    """Return the covariance of queries as a map projects them, before they get unit length."""
    head = projection.source
    return bank.covariance if head is None else head.weight.T @ bank.covariance @ head.weight


def _projected(projection: Projection, x: Float32Array, side: Any) -> Float32Array:
    return unit_rows(projection(x, modality=side, role="document", roughly=True))
