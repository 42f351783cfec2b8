"""The closed forms, each with the hyper-parameters that it is tried with."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..projection import Projection
from ..projection.cca import cca
from ..projection.linear import centring, procrustes, ridge
from .features import FeatureSet
from .sources import TARGETS

Parameters = dict[str, Any]
Weights = dict[str, float]
Step = Callable[[Parameters], list[Parameters]]
NGRAMS, HUBNESS = "+ngrams", "+hubness"
RIDGE_GRID = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""Strengths of ridge in units of the mean source variance: of the candidate and the baseline."""
COUNTS = ("weights", "ngrams")
"""Hyper-parameters that say how much something counts in the sums that a form is built from."""
AS_PAIRS = 1000.0
"""As how many pairs a source counts at first: near the best for 50 own pairs and for 1,000."""
FIXED: Parameters = {"reg_source": 1.0, "reg_target": 1.0, "power": 1.0}
"""The setting of CCA where nothing can choose one: within .005 of the best of either mode on four
sets, for an index, starter pairs and both."""
_STRENGTHS, _THREEFOLD = ("reg_source", "reg_target"), (1 / 3, 3)


@dataclass(frozen=True)
class ClosedForm:
    """A closed form, the grid that the search for its hyper-parameters starts on, and its steps.

    Attributes:
        name: of the candidate maps that it gives.
        steps: each gives other values of one hyper-parameter (or two that go together) for the
            best setting so far.
        rounds: how often all steps are gone through.
        anchor: a setting that is near the best on any data. It stands unless another leads it by
            more than the best of many is lucky. None where no such setting is known.
    """

    name: str
    build: Callable[..., Projection]
    grid: list[Parameters]
    steps: tuple[Step, ...] = ()
    rounds: int = 2
    anchor: Parameters | None = None


def closed_forms(
    features: FeatureSet, sources: Sequence[str] = (), found: Weights | None = None
) -> list[ClosedForm]:
    """Return the closed forms that make sense for a feature set.

    With n-grams there is one: CCA finds by regularisation of each kind what few columns say.

    Args:
        features: what is read. Where both sides share features (it has a prior), centring is
            tried, too, and ridge and CCA may lean on what is shared.
        sources: names of what may be learned from beside the pairs; how much each counts is then
            searched, from nothing on.
        found: the weights of the sources that maps of vectors chose. Maps with n-grams start there
            and move all weights together, because each weight costs them seconds.
    """
    if features.ngrams:
        weights = None if found is None else {name: found.get(name, 0.0) for name in sources}
        return [_cca_with_ngrams(features, sources, weights)]
    shares = features.prior is not None
    target_means = (0.0, 0.5, 1.0) if features.mode == "keep" else (0.0,)
    means = [{"target_mean": mean} for mean in target_means]
    towards = ("zero", "identity") if shares else ("zero",)
    ridge_grid = [
        {"reg": reg, "towards": goal} | mean
        for reg, goal, mean in itertools.product(RIDGE_GRID, towards, means)
    ]
    return [
        *([ClosedForm("centring", centring, means)] if shares else []),
        ClosedForm("procrustes", procrustes, means),
        ClosedForm("ridge", ridge, ridge_grid),
        _cca(features, sources),
    ]


def form_near(features: FeatureSet, best: Parameters) -> ClosedForm:
    """Return CCA over a feature set of ``shared`` mode, searched from a setting of ``keep`` mode.

    Both modes want about the same strengths and the same weights of sources. So a few settings are
    enough, and the second map of a fit costs less than a fit of its own.

    Args:
        best: the best setting of CCA over vectors in ``keep`` mode.
    """
    priors, prior_steps = _priors(features)
    start = {name: best[name] for name in (*_STRENGTHS, "weights")}
    steps = [_times(_THREEFOLD, *_STRENGTHS), *prior_steps]
    steps += [_weigh(list(best["weights"]))] if best["weights"] else []
    if features.ngrams:
        grid = [start | {"prior": prior, "power": 1.75, "ngrams": 0.5} for prior in priors]
        build = partial(cca, directions=features.directions)
        steps.append(_times((0.5, 2), "ngrams"))
        return ClosedForm("cca" + NGRAMS, build, grid, tuple(steps), rounds=1)
    grid = [
        start | {"prior": prior, "power": power}
        for prior, power in itertools.product(priors, (1.0, 1.75))
    ]
    return ClosedForm("cca", cca, grid, (*steps, _power), rounds=1)


def _cca(features: FeatureSet, sources: Sequence[str]) -> ClosedForm:
    priors, prior_steps = _priors(features)
    grid = [
        {"reg_source": reg, "reg_target": reg, "prior": prior, "power": power, "weights": weights}
        for weights in _weights(sources)
        for reg, prior, power in itertools.product(
            (1.0,) if any(weights.values()) else (0.3, 3.0), priors, (1.0, 1.75)
        )
    ]
    strengths = [
        _times(_THREEFOLD, *names) for names in (_STRENGTHS, _STRENGTHS[:1], _STRENGTHS[1:])
    ]
    steps = (*strengths, *prior_steps, _power, *_weight_steps(sources))
    anchor = FIXED | {"prior": 0.0, "weights": dict.fromkeys(sources, AS_PAIRS)}
    return ClosedForm("cca", cca, grid, steps, anchor=_if_known(anchor, features, sources))


def _cca_with_ngrams(
    features: FeatureSet, sources: Sequence[str], found: Weights | None
) -> ClosedForm:
    priors, prior_steps = _priors(features)
    starts = ((1.0, priors[0]), (3.0, priors[-1]))
    power = FIXED["power"] if features.mode == "keep" else 1.75
    grid = [
        {"reg_source": reg, "reg_target": reg, "prior": prior, "power": power}
        | {"weights": weights, "ngrams": ngrams}
        for weights in (_weights(sources) if found is None else [found])
        for ngrams, (reg, prior) in itertools.product((0.5, 1.0), starts)
    ]
    build = partial(cca, directions=features.directions)
    strength, ngrams = _times(_THREEFOLD, *_STRENGTHS), _times((0.5, 2), "ngrams")
    weight_steps = [_weigh(sources)] if sources else []
    steps = (strength, *prior_steps, _power, ngrams, *weight_steps)
    anchor = _if_known(grid[0], features, sources) if found is not None else None
    return ClosedForm("cca" + NGRAMS, build, grid, steps, rounds=1, anchor=anchor)


def _if_known(
    anchor: Parameters, features: FeatureSet, sources: Sequence[str]
) -> Parameters | None:
    """Return a setting where it was found to be near the best: two spaces, and a source."""
    given = any(name != TARGETS for name in sources)
    return anchor if given and not features.same_space else None


def _priors(features: FeatureSet) -> tuple[tuple[float, ...], tuple[Step, ...]]:
    """Return the weights of the prior to start with, and the step that moves it."""
    return ((0.2, 1.0), (_prior,)) if features.prior is not None else ((0.0,), ())


def _times(factors: tuple[float, ...], *names: str) -> Step:
    """Return the step that multiplies some hyper-parameters by each factor.

    Rounded, so that a step back is the setting that was there, and not scored again.
    """

    def step(best: Parameters) -> list[Parameters]:
        return [best | {name: float(f"{best[name] * f:.6g}") for name in names} for f in factors]

    return step


def _power(best: Parameters) -> list[Parameters]:
    power = best["power"]
    return [
        best | {"power": p}
        for p in (power - 0.5, power - 0.25, power + 0.25, power + 0.5)
        if 0 < p <= 2.5
    ]


def _prior(best: Parameters) -> list[Parameters]:
    return [best | {"prior": 0.0}, *_times((0.5, 2), "prior")(best)] if best["prior"] else []


def _weights(sources: Sequence[str]) -> list[Weights]:
    """Return the weights of all sources to start with: none, and a first guess."""
    return [dict.fromkeys(sources, weight) for weight in ((0.0, AS_PAIRS) if sources else (0.0,))]


def _weight_steps(sources: Sequence[str]) -> list[Step]:
    """Count all sources less or more, then each by itself."""
    together = [_weigh(sources)] if len(sources) > 1 else []
    return together + [_weigh([name]) for name in sources]


def _weigh(names: Sequence[str]) -> Step:
    """Return the step that changes some weights alike: to a third, three times as much, or none."""

    def step(best: Parameters) -> list[Parameters]:
        now = best["weights"]
        start = {n: now[n] if any(now[m] for m in names) else AS_PAIRS for n in names}
        return [
            best | {"weights": now | {n: float(f"{start[n] * f:.6g}") for n in names}}
            for f in ((0, *_THREEFOLD) if any(now[n] for n in names) else _THREEFOLD)
        ]

    return step
