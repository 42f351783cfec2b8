"""The hubness correction of a map: the sample that hubs are told by, and the strengths tried."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..projection import Projection
from ..projection.hubness import MAX_BANK, HubnessCorrection, QueryPull, Spread, spread_of
from ..projection.hubness_model import HubnessModel
from ..types import SIDES, Mode, Side
from ..vectors import Float32Array, drawn, thinned, unit_rows
from .closed_forms import Parameters
from .features import Documents

_REGRESSED = 2048  # rows that a regression on a few hundred dimensions learns as much from


@dataclass(frozen=True, eq=False)
class Bank:
    """A sample of training vectors and of the index, unprojected.

    Attributes:
        source, target: (m, d_x) and (m, d_y) float32, of the same training rows.
        documents: (k, d_y) float32 of the index, unit rows or their coordinates. Queries crowd
            around the documents that the map was fitted on; only beside others does that show.
    """

    source: Float32Array
    target: Float32Array
    documents: Float32Array

    @classmethod
    def sample(
        cls, source: Any, target: Any, rows: Any, documents: Documents, *, seed: int
    ) -> Bank:
        """Take at most ``MAX_BANK`` of some training rows, which ascend, and fewer documents."""
        rows = rows[drawn(len(rows), MAX_BANK, seed)]
        x, y = (np.asarray(side[rows], np.float32) for side in (source, target))
        return cls(x, y, documents[drawn(len(documents), _REGRESSED, seed)].scaled)

    @cached_property
    def spread(self) -> Spread:
        """The spread of the documents, which all maps share."""
        return spread_of(self.documents)


def hubness_grid(mode: Mode) -> list[Parameters]:
    """Return the strengths that the correction is tried with."""
    if mode == "keep":
        return [
            {"strength": s, "offset_reg": reg}
            for s, reg in itertools.product((0.5, 1.0), (0.1, 1.0))
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
    """Add the query-bank hubness correction in the form that the mode can hold, once a setting.

    What does not depend on the setting, the model of hubness, is fitted once.

    Args:
        sides: the modalities whose documents will be projected; a fit compares maps by their
            targets alone.
    """
    queries = _projected(projection, bank.source, "source")
    if mode == "keep":
        thin = queries[thinned(len(queries), _REGRESSED)]
        pull = QueryPull.of(bank.documents, thin, bank.spread)
        return [
            Projection(projection.source, None, pull.offset(s["strength"], s["offset_reg"]), None)
            for s in settings
        ]
    targets = _projected(projection, bank.target, "target")
    by_side = {"target": (targets, queries), "source": (queries, targets)}
    models: dict[str, HubnessModel] = {s: HubnessModel.of(*by_side[s]) for s in sides}
    return [
        Projection(
            projection.source, projection.target, None, HubnessCorrection(models, s["strength"])
        )
        for s in settings
    ]


def _projected(projection: Projection, x: Float32Array, side: Any) -> Float32Array:
    return unit_rows(projection(x, modality=side, role="document", roughly=True))
