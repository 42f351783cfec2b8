"""The search for the best setting of one kind of map: which are tried, and how they are scored."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from ..metrics.relevance import Clusters
from ..metrics.statistics import sums_by_cluster
from ..projection import Projection
from ..types import Metric
from .candidates import (
    Candidate,
    ClosedFormMap,
    CorrectedMap,
    TrainedMap,
    trained,
    training_label,
)
from .closed_forms import HUBNESS, NGRAMS, ClosedForm, Parameters
from .feature_data import FeatureData, HeldOutPart
from .gradient.contrastive import LEARNED
from .hubness_bank import corrected, hubness_grid
from .map_ranks import PerQuery, reciprocal_ranks

CORRECTED = 2
"""Plain settings of a closed form that the hubness correction is tried on."""
_AGAIN = 3  # settings that are scored again, by all questions and in all directions
_TUNED_ON = 300  # queries, in whole folds, that choose a setting with n-grams: it takes longer


def timed(search: Callable[..., list[Candidate]], *args: Any) -> list[Candidate]:
    """Note the CPU time of a search on this thread: BLAS and torch are held to one."""
    started = time.thread_time()
    candidates = search(*args)
    return [replace(c, cpu_seconds=time.thread_time() - started) for c in candidates]


def tune_closed_form(form: ClosedForm, data: FeatureData, metric: Metric) -> list[Candidate]:
    """Score the grid of a form, then step by step from its best point; the best comes first.

    One hyper-parameter is moved at a time, each from the best setting so far. Where the form has an
    anchor, it comes first and alone, unless another setting clearly leads it.
    """
    sizes = np.cumsum([len(part.queries.source) for part in data.parts])
    enough = int((sizes < _TUNED_ON).sum()) + 1
    searched = bool(data.narrow) and (len(form.grid) > _AGAIN or bool(form.steps))
    parts = data.narrow if searched else data.parts
    if data.features.ngrams:
        parts = parts[:enough]
    tried = _scored(form, form.grid, data, parts, metric)
    for _ in range(form.rounds):
        best_before = max(tried, key=lambda c: c.score)
        for step in form.steps:
            best = max(tried, key=lambda c: c.score)
            settings = [c.parameters for c in tried]
            new = [p for p in step(best.parameters) if p not in settings]
            tried += _scored(form, new, data, parts, metric)
        if max(tried, key=lambda c: c.score) is best_before:
            break
    ranked = sorted(tried, key=lambda c: -c.score)
    if parts != data.parts:
        data.forget()
        on_all_parts = [c.parameters for c in ranked[:_AGAIN]]
        if form.anchor is not None and form.anchor not in on_all_parts:
            on_all_parts.append(form.anchor)
        again = _scored_again(form, on_all_parts, data, metric)
        ranked = sorted(again, key=lambda c: -c.score)
    anchors = [c for c in ranked if c.parameters == form.anchor]
    return anchors if anchors and _is_luck(ranked[0], anchors[0], len(tried)) else ranked


def _is_luck(best: Candidate, other: Candidate, n_tried: int) -> bool:
    """Whether the best of n settings leads another by no more than the best of n equal ones would.

    The largest of n independent errors is about sqrt(2 ln n) standard errors (Donoho & Johnstone,
    Ideal spatial adaptation by wavelet shrinkage, Biometrika 1994).
    """
    lead = best.per_query - other.per_query
    return not leads(lead, best.data.clusters, math.sqrt(2 * math.log(n_tried)))


def _scored(
    form: ClosedForm,
    grid: list[Parameters],
    data: FeatureData,
    parts: list[HeldOutPart],
    metric: Metric,
) -> list[Candidate]:
    """Score a closed form on some validation parts, once for each setting."""
    recipes = [ClosedFormMap(form, parameters) for parameters in grid]
    # Not by Candidate.build, which keeps what it builds: a whole grid would be large.
    projections = ([recipe.build(part.statistics) for recipe in recipes] for part in parts)
    scores = reciprocal_ranks(parts, projections, metric)
    return [
        Candidate(form.name, data, recipe.parameters, recipe, per_query)
        for recipe, per_query in zip(recipes, scores, strict=True)
    ]


def _scored_again(
    form: ClosedForm, grid: list[Parameters], data: FeatureData, metric: Metric
) -> list[Candidate]:
    """Score a few settings on all parts, in all directions.

    Their maps are kept, since they are corrected, and one of them is judged. What they were
    decomposed from is large, and dropped part by part.
    """
    candidates = [
        Candidate(form.name, data, parameters, ClosedFormMap(form, parameters), np.empty(0))
        for parameters in grid
    ]

    def built() -> Iterator[list[Projection]]:
        for part in data.parts:
            yield [candidate.build(part.statistics) for candidate in candidates]
            part.statistics.forget()

    scores = reciprocal_ranks(data.parts, built(), metric)
    return [replace(c, per_query=found) for c, found in zip(candidates, scores, strict=True)]


def tune_correction(
    name: str, data: FeatureData, plain: list[Candidate], metric: Metric
) -> list[Candidate]:
    """Score the hubness correction of the best plain settings; the best one of all comes first."""
    by_spread = data.everything.bank.sums is not None
    grid = hubness_grid(data.features.mode, by_spread=by_spread)
    candidates = []
    for start in plain:
        # One call for the whole grid: the similarities with the bank are computed once.
        projections = (
            corrected(
                start.build(part.statistics),
                data.features.mode,
                part.statistics.bank,
                grid,
                sides=("target",),
            )
            for part in data.parts
        )
        scores = reciprocal_ranks(data.parts, projections, metric)
        candidates += [
            Candidate(
                name + HUBNESS,
                data,
                start.parameters | setting,
                CorrectedMap(start, setting),
                per_query,
            )
            for setting, per_query in zip(grid, scores, strict=True)
        ]
    return sorted(candidates, key=lambda c: -c.score)


def tune_head(start: Candidate, metric: Metric, seed: int) -> list[Candidate]:
    """Train a closed form further; validation chooses the number of epochs."""
    data, n = start.data, len(start.data.parts)
    histories = []
    for i, part in enumerate(data.parts, 1):
        label = training_label(part.statistics, f"to choose ({i} of {n})")
        histories.append(trained(start, part.statistics, seed, label))
    by_epoch = reciprocal_ranks(data.parts, histories, metric)
    epochs = int(np.argmax([per_query.mean() for per_query in by_epoch])) + 1
    name = LEARNED + (NGRAMS if data.features.ngrams else "")
    parameters = start.parameters | {"start": start.name, "epochs": epochs}
    built = {
        part.statistics: history[epochs - 1]
        for part, history in zip(data.parts, histories, strict=True)
    }
    recipe = TrainedMap(start, epochs, seed)
    return [Candidate(name, data, parameters, recipe, by_epoch[epochs - 1], _built=built)]


def leads(difference: PerQuery, clusters: Clusters, errors: float) -> bool:
    """Whether a mean difference is more than so many of its standard errors, by cluster."""
    mean = float(difference.mean())
    sums = sums_by_cluster(difference - mean, clusters)
    standard_error = float(np.sqrt((sums**2).sum())) / len(difference)
    return mean > errors * standard_error
