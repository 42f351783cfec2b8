"""The closed forms of the ladder, each with the hyper-parameters that it is tried with."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from .projection import Projection
from .projection.cca import cca
from .projection.linear import centring, procrustes, ridge
from .views import View

Parameters = dict[str, Any]
NGRAMS, HUBNESS = "+ngrams", "+hubness"
COUNTS = ("unpaired", "ngrams")
"""Hyper-parameters that say how much something counts in the sums that a form is built from."""
_NGRAM_STEPS = (0.5, 2.0)


@dataclass(frozen=True)
class Rung:
    """A closed form and its grid; ``neighbours`` gives those of the best point of the grid.

    Attributes:
        rounds: how often the best point may move to a neighbour.
    """

    build: Callable[..., Projection]
    grid: list[Parameters]
    neighbours: Callable[[Parameters], list[Parameters]] = lambda best: []
    rounds: int = 4


def rungs(view: View, *, unpaired: bool) -> dict[str, Rung]:
    """Return the rungs that make sense for a view, by name.

    With n-grams there is one: what few columns say, regularisation of each kind finds in CCA.
    """
    # A grid is where the search starts; neighbours of its best point are tried after that.
    mode, shares = view.mode, view.prior is not None
    priors = (0.2, 1.0) if shares else (0.0,)
    if view.ngrams:
        grid = [
            {"reg_source": r, "reg_target": r, "prior": prior, "power": 1.75}
            | {"unpaired": 0.0, "ngrams": 1.0}
            for r, prior in itertools.product((1.0, 3.0), priors)
        ]
        build = partial(cca, directions=view.directions)
        return {"cca" + NGRAMS: Rung(build, grid, partial(_few_neighbours, unpaired), rounds=2)}
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
    )
    return ladder


def _cca_neighbours(unpaired: bool, best: Parameters) -> list[Parameters]:
    """Step every hyper-parameter of CCA up and down by itself, and both strengths together."""
    rx, ry, prior, power = (best[k] for k in ("reg_source", "reg_target", "prior", "power"))
    steps = ((3, 1), (1, 3), (3, 3), (1 / 3, 1), (1, 1 / 3), (1 / 3, 1 / 3))
    found = [best | {"reg_source": rx * a, "reg_target": ry * b} for a, b in steps]
    found += [best | {"power": p} for p in (power - 0.25, power + 0.25) if 0 < p <= 2.5]
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
    found += [best | {"ngrams": best["ngrams"] * step} for step in _NGRAM_STEPS]
    return found + _other_unpaired(unpaired, best)


def _other_unpaired(unpaired: bool, best: Parameters) -> list[Parameters]:
    """Count unpaired rows less or more; from none, a little and a lot are tried."""
    if not unpaired:
        return []
    weight = best["unpaired"]
    return [best | {"unpaired": w} for w in ((weight / 3, weight * 3) if weight else (0.3, 3.0))]
