"""The rungs of the ladder: each closed form with the hyper-parameters it is tried with."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .projection import Mode, Projection
from .projection.cca import cca
from .projection.hubness import MAX_BANK, HubnessCorrection, QueryPull
from .projection.linear import centring, procrustes, ridge
from .projection.moments import Spectrum
from .vectors import Float32Array, unit_rows

Parameters = dict[str, Any]
HUBNESS = "+hubness"
_REGRESSED = 2048  # rows that a regression on a few hundred dimensions learns as much from


@dataclass(frozen=True)
class Rung:
    """A closed form and its grid; ``refine`` gives neighbours of the best point of the grid."""

    build: Callable[..., Projection]
    grid: list[Parameters]
    refine: Callable[[Parameters], list[Parameters]] = lambda best: []


def rungs(mode: Mode, *, same_space: bool) -> dict[str, Rung]:
    """Return the rungs that make sense for a mode, by name."""
    means = [{"target_mean": m} for m in ((0.0, 0.5, 1.0) if mode == "keep" else (0.0,))]
    towards = ("zero", "identity") if same_space else ("zero",)
    regs = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
    priors = (0.0, 0.2, 1.0) if same_space else (0.0,)
    ladder = {"centring": Rung(centring, means)} if same_space else {}
    ladder["procrustes"] = Rung(procrustes, means)
    ladder["ridge"] = Rung(
        ridge,
        [{"reg": r, "towards": t} | m for r, t, m in itertools.product(regs, towards, means)],
    )
    ladder["cca"] = Rung(
        cca,
        [
            {"reg_source": r, "reg_target": r, "prior": prior, "power": p}
            for r, prior, p in itertools.product((0.1, 1.0, 10.0), priors, (1.0, 1.75))
        ],
        _cca_neighbours,
    )
    return ladder


def _cca_neighbours(best: Parameters) -> list[Parameters]:
    """Step every hyper-parameter of CCA up and down by itself, and both strengths together."""
    rx, ry, prior, power = (best[k] for k in ("reg_source", "reg_target", "prior", "power"))
    found = [
        best | {"reg_source": rx * a, "reg_target": ry * b}
        for a, b in itertools.product((1 / 3, 1.0, 3.0), repeat=2)
        if (a, b) != (1.0, 1.0)
    ]
    found += [best | {"power": p} for p in (power - 0.25, power + 0.25)]
    if prior:
        found += [best | {"prior": prior * step} for step in (0.5, 2.0)]
    return found


@dataclass(frozen=True, eq=False)
class Bank:
    """A sample of training vectors, unprojected: (m, d_x) and (m, d_y) float32."""

    source: Float32Array
    target: Float32Array

    @classmethod
    def sample(cls, source: Any, target: Any, rows: Any, *, seed: int) -> Bank:
        """Take at most ``MAX_BANK`` of the given training rows."""
        if len(rows) > MAX_BANK:
            rows = np.sort(np.random.default_rng(seed).choice(rows, MAX_BANK, replace=False))
        return cls(np.asarray(source[rows], np.float32), np.asarray(target[rows], np.float32))


def hubness_grid(mode: Mode) -> list[Parameters]:
    """Return the strengths that the correction is tried with."""
    if mode == "keep":
        return [
            {"strength": s, "offset_reg": reg}
            for s, reg in itertools.product((0.5, 1.0), (0.1, 1.0))
        ]
    return [{"strength": s} for s in (0.35, 0.5, 0.7)]


def corrected(
    projection: Projection, mode: Mode, bank: Bank, settings: list[Parameters]
) -> list[Projection]:
    """Add the query-bank hubness correction in the form that the mode can hold, once a setting.

    What does not depend on the setting, the similarities with the bank, is computed once.
    """
    queries = _projected(projection, bank.source, "source")
    if mode == "keep":
        thin = slice(None, None, -(-len(queries) // _REGRESSED))
        pull = QueryPull.of(bank.target[thin], queries[thin])
        return [
            Projection(projection.source, None, pull.offset(s["strength"], s["offset_reg"]), None)
            for s in settings
        ]
    targets = _projected(projection, bank.target, "target")
    banks = {"target": queries.astype(np.float16), "source": targets.astype(np.float16)}
    return [
        Projection(
            projection.source, projection.target, None, HubnessCorrection(banks, s["strength"])
        )
        for s in settings
    ]


def _projected(projection: Projection, x: Float32Array, side: Any) -> Float32Array:
    return unit_rows(projection(x, modality=side, role="document", roughly=True))


def build(
    rung: Rung | None, spectrum: Spectrum, mode: Mode, bank: Bank, parameters: Parameters
) -> Projection:
    """Build one rung, corrected where the parameters say how strongly; no rung is the identity."""
    plain = {k: v for k, v in parameters.items() if k not in ("strength", "offset_reg")}
    projection = Projection() if rung is None else rung.build(spectrum, mode, **plain)
    if "strength" not in parameters:
        return projection
    return corrected(projection, mode, bank, [parameters])[0]
