"""The closed forms of the ladder, each with the hyper-parameters that it is tried with."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..projection import Projection
from ..projection.cca import cca
from ..projection.linear import centring, procrustes, ridge
from .features import View

Parameters = dict[str, Any]
Step = Callable[[Parameters], list[Parameters]]
NGRAMS, HUBNESS = "+ngrams", "+hubness"
RIDGE_GRID = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""Strengths of ridge in units of the mean source variance: of the rung, and of the baseline."""
COUNTS = ("unpaired", "ngrams")
"""Hyper-parameters that say how much something counts in the sums that a form is built from."""


@dataclass(frozen=True)
class Rung:
    """A closed form, the grid that the search for its hyper-parameters starts on, and its steps.

    Attributes:
        steps: each gives other values of one hyper-parameter (or two that go together) for the
            best setting so far.
        rounds: how often all steps are gone through.
    """

    build: Callable[..., Projection]
    grid: list[Parameters]
    steps: tuple[Step, ...] = ()
    rounds: int = 2


def rungs(view: View, *, unpaired: bool) -> dict[str, Rung]:
    """Return the rungs that make sense for a view, by name.

    With n-grams there is one: what few columns say, regularisation of each kind finds in CCA.

    Args:
        view: what is read. Where both sides share features (it has a prior), centring is a rung,
            too, and ridge and CCA may lean on what is shared.
        unpaired: whether there are unpaired rows; how much they count is then searched.
    """
    mode, shares = view.mode, view.prior is not None
    priors = (0.2, 1.0) if shares else (0.0,)
    prior_steps: tuple[Step, ...] = (_prior,) if shares else ()
    unpaired_steps: tuple[Step, ...] = (_unpaired, _unpaired) if unpaired else ()
    if view.ngrams:
        starts = ((1.0, priors[0]), (3.0, priors[-1]))
        grid = [
            {"reg_source": r, "reg_target": r, "prior": prior, "power": 1.75}
            | {"unpaired": 0.0, "ngrams": weight}
            for weight, (r, prior) in itertools.product((0.5, 1.0), starts)
        ]
        build = partial(cca, directions=view.directions)
        steps = (_strength, *prior_steps, _power, _ngrams, *unpaired_steps)
        return {"cca" + NGRAMS: Rung(build, grid, steps, rounds=1)}
    means = [{"target_mean": m} for m in ((0.0, 0.5, 1.0) if mode == "keep" else (0.0,))]
    towards = ("zero", "identity") if shares else ("zero",)
    ladder = {"centring": Rung(centring, means)} if shares else {}
    ladder["procrustes"] = Rung(procrustes, means)
    ladder["ridge"] = Rung(
        ridge,
        [{"reg": r, "towards": t} | m for r, t, m in itertools.product(RIDGE_GRID, towards, means)],
    )
    ladder["cca"] = Rung(
        cca,
        [
            {"reg_source": r, "reg_target": r, "prior": prior, "power": p, "unpaired": 0.0}
            for r, prior, p in itertools.product((0.3, 3.0), priors, (1.0, 1.75))
        ],
        (_strength, _strength_source, _strength_target, *prior_steps, _power, *unpaired_steps),
    )
    return ladder


def _times(best: Parameters, factors: tuple[float, ...], *names: str) -> list[Parameters]:
    """Multiply some hyper-parameters by each factor.

    Rounded, so that a step back is the setting that was there, and not scored again.
    """
    return [best | {name: float(f"{best[name] * f:.6g}") for name in names} for f in factors]


def _strength(best: Parameters) -> list[Parameters]:
    return _times(best, (1 / 3, 3), "reg_source", "reg_target")


def _strength_source(best: Parameters) -> list[Parameters]:
    return _times(best, (1 / 3, 3), "reg_source")


def _strength_target(best: Parameters) -> list[Parameters]:
    return _times(best, (1 / 3, 3), "reg_target")


def _power(best: Parameters) -> list[Parameters]:
    power = best["power"]
    return [
        best | {"power": p}
        for p in (power - 0.5, power - 0.25, power + 0.25, power + 0.5)
        if 0 < p <= 2.5
    ]


def _prior(best: Parameters) -> list[Parameters]:
    return [best | {"prior": 0.0}, *_times(best, (0.5, 2), "prior")] if best["prior"] else []


def _ngrams(best: Parameters) -> list[Parameters]:
    return _times(best, (0.5, 2), "ngrams")


def _unpaired(best: Parameters) -> list[Parameters]:
    """Count unpaired rows less or more; from none, a little and a lot are tried."""
    if best["unpaired"]:
        return _times(best, (1 / 3, 3), "unpaired")
    return [best | {"unpaired": weight} for weight in (0.3, 3.0)]
