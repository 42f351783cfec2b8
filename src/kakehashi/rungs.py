"""The closed forms of the ladder, each with the hyper-parameters that it is tried with."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from .pairs import Pairs, joined
from .projection import Mode, Projection
from .projection.cca import cca
from .projection.hubness import MAX_BANK, HubnessCorrection, QueryPull
from .projection.linear import centring, procrustes, ridge
from .splits import Rows
from .vectors import Float32Array, unit_rows
from .views import View

Parameters = dict[str, Any]
NGRAMS, HUBNESS = "+ngrams", "+hubness"
_REGRESSED = 2048  # rows that a regression on a few hundred dimensions learns as much from


@dataclass(frozen=True)
class Rung:
    """A closed form and its grid; ``refine`` gives neighbours of the best point of the grid.

    Attributes:
        unpaired: whether unpaired rows may be counted in (the parameter ``unpaired``).
        rounds: how often the best point may move to a neighbour.
    """

    build: Callable[..., Projection]
    grid: list[Parameters]
    refine: Callable[[Parameters], list[Parameters]] = lambda best: []
    unpaired: bool = False
    rounds: int = 4


def rungs(view: View, *, unpaired: bool) -> dict[str, Rung]:
    """Return the rungs that make sense for a view, by name.

    With n-grams there is one: what few columns say, regularisation of each kind finds in CCA.
    """
    mode, shares = view.mode, view.prior is not None
    priors = (0.2, 1.0) if shares else (0.0,)
    if view.ngrams:
        grid = [
            {"reg_source": r, "reg_target": r, "prior": prior, "power": 1.75, "unpaired": 0.0}
            for r, prior in itertools.product((1.0, 3.0), priors)
        ]
        build = partial(cca, directions=view.directions)
        return {"cca" + NGRAMS: Rung(build, grid, partial(_few_neighbours, unpaired), unpaired, 2)}
    means = [{"target_mean": m} for m in ((0.0, 0.5, 1.0) if mode == "keep" else (0.0,))]
    towards = ("zero", "identity") if shares else ("zero",)
    regs = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
    ladder = {"centring": Rung(centring, means)} if shares else {}
    ladder["procrustes"] = Rung(procrustes, means)
    ladder["ridge"] = Rung(
        ridge,
        [{"reg": r, "towards": t} | m for r, t, m in itertools.product(regs, towards, means)],
    )
    ladder["cca"] = Rung(
        cca,
        [
            {"reg_source": r, "reg_target": r, "prior": prior, "power": p, "unpaired": 0.0}
            for r, prior, p in itertools.product((0.3, 3.0), priors, (1.0, 1.75))
        ],
        partial(_cca_neighbours, unpaired),
        unpaired,
    )
    return ladder


def _cca_neighbours(unpaired: bool, best: Parameters) -> list[Parameters]:
    """Step every hyper-parameter of CCA up and down by itself, and both strengths together."""
    rx, ry, prior, power = (best[k] for k in ("reg_source", "reg_target", "prior", "power"))
    steps = ((3, 1), (1, 3), (3, 3), (1 / 3, 1), (1, 1 / 3), (1 / 3, 1 / 3))
    found = [best | {"reg_source": rx * a, "reg_target": ry * b} for a, b in steps]
    found += [best | {"power": p} for p in (power - 0.25, power + 0.25)]
    if prior:
        found += [best | {"prior": p} for p in (0.0, prior / 2, prior * 2)]
    return found + _other_unpaired(unpaired, best)


def _few_neighbours(unpaired: bool, best: Parameters) -> list[Parameters]:
    """Step CCA's hyper-parameters, both strengths together: with n-grams each step takes longer."""
    rx, ry, prior, power = (best[k] for k in ("reg_source", "reg_target", "prior", "power"))
    found = [best | {"reg_source": rx * a, "reg_target": ry * a} for a in (0.5, 2.0)]
    found += [best | {"power": p} for p in (power - 0.5, power + 0.5) if 0 < p <= 2.5]
    if prior:
        found += [best | {"prior": p} for p in (0.0, prior / 2, prior * 2)]
    return found + _other_unpaired(unpaired, best)


def _other_unpaired(unpaired: bool, best: Parameters) -> list[Parameters]:
    """Count unpaired rows less or more; from none, a little and a lot are tried."""
    if not unpaired:
        return []
    weight = best["unpaired"]
    return [best | {"unpaired": w} for w in ((weight / 3, weight * 3) if weight else (0.3, 3.0))]


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


@dataclass(frozen=True, eq=False)
class TrainingRows:
    """The rows behind a fit, for what is trained on rows and not on their sums."""

    sets: list[tuple[Pairs, Rows]]
    seed: int

    def sample(self, at_most: int) -> Pairs:
        """Return all rows, or so many of them drawn evenly, with vectors in memory as float32."""
        total = sum(len(rows) for _, rows in self.sets)
        picked = np.arange(total)
        if total > at_most:
            picked = np.sort(np.random.default_rng(self.seed).choice(total, at_most, replace=False))
        parts, start = [], 0
        for pairs, rows in self.sets:
            mine = picked[(picked >= start) & (picked < start + len(rows))] - start
            parts.append(pairs.select(rows[mine]))
            start += len(rows)
        return joined(parts)


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


def build(rung: Rung, fitted: Any, mode: Mode, parameters: Parameters) -> Projection:
    """Build a closed form from what was fitted (:class:`kakehashi.development.Fitted`)."""
    plain = {k: v for k, v in parameters.items() if k != "unpaired"}
    projection: Projection = rung.build(
        fitted.spectrum(parameters.get("unpaired", 0.0)), mode, **plain
    )
    return projection
