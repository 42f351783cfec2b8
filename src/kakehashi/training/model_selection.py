"""Model selection: every candidate map is tuned and scored on validation, and one is chosen."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..metrics.ranking import ranks, reciprocal
from ..metrics.relevance import Clusters, clusters_of
from ..metrics.statistics import sums_by_cluster
from ..progress import track
from ..projection import Projection
from ..types import Metric, Mode
from ..vectors import Float32Array
from .candidates import (
    Candidate,
    ClosedFormMap,
    CorrectedMap,
    IdentityMap,
    TrainedMap,
    trained,
    training_label,
)
from .closed_forms import HUBNESS, NGRAMS, ClosedForm, Parameters, Weights, closed_forms
from .feature_data import FeatureData, HeldOutPart, HeldOutQueries
from .gradient.contrastive import LEARNED
from .hubness_bank import corrected, hubness_grid
from .prepare import Prepared
from .split_plan import Part
from .sufficient_statistics import develop

CORRECTED = 2
"""Plain settings of a closed form that the hubness correction is tried on."""
_AGAIN = 3  # settings that are scored again, by all questions and in all directions
_TUNED_ON = 300  # queries, in whole folds, that choose a setting with n-grams: it takes longer

PerQuery = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Tuned:
    """The best setting of every kind of map, and the choice among them.

    Attributes:
        candidates: of every closed form, plain and corrected, and of trained heads.
        identity: the candidate that changes nothing; None where the two spaces differ.
        chosen: by all parts that choose; it ships, if it is shown to help.
        judged: for each part that judges the candidate that was chosen without it. Of folds each
            is chosen by the others alone, so that the choice is judged, too.
    """

    candidates: list[Candidate]
    identity: Candidate | None
    chosen: Candidate
    judged: list[Candidate]


def tune(prepared: Prepared) -> Tuned:
    """Tune every candidate map on the validation parts, and choose among them."""
    plan, settings = prepared.plan, prepared.settings
    data = [develop(plan, features, seed=settings.seed) for features in prepared.feature_sets]
    families, identity = tune_candidates(data, prepared.metric)
    if settings.trains_head:
        starts = [of_one[0] for of_one in families]
        families += tune_heads(starts, prepared.metric, settings.seed)
    candidates = [of_one[0] for of_one in families]
    clusters = clusters_of(*(part.questions for part in plan.parts))
    chosen = choose(candidates, identity, clusters)
    judged = [chosen]
    if plan.test is None:
        tried = [candidate for of_one in families for candidate in of_one]
        judged = [
            choose(tried, identity, clusters, by=others) for others in without_each(plan.parts)
        ]
    return Tuned(candidates, identity, chosen, judged)


def without_each(parts: list[Part]) -> Iterator[NDArray[np.bool_]]:
    """Say of each part which of all questions are not its own, (n,)."""
    part_of = np.repeat(np.arange(len(parts)), [len(part.questions) for part in parts])
    for i in range(len(parts)):
        yield part_of != i


def tune_candidates(
    data: list[FeatureData], metric: Metric
) -> tuple[list[list[Candidate]], Candidate | None]:
    """Tune every closed form, plain and corrected.

    Args:
        data: the plan on each feature set; the first reads vectors only.

    Returns:
        the settings of each that all parts scored, the best one first; and the identity, which
        stands among them by itself, where the two spaces are one.
    """
    identity = None
    if data[0].features.same_space:
        projections = ([Projection()] for _ in data[0].parts)
        [per_query] = _reciprocal_ranks(data[0].parts, projections, metric)
        identity = Candidate("identity", data[0], {}, IdentityMap(), per_query)
    families = [] if identity is None else [[identity]]
    for of_features in data:
        if identity is not None and not of_features.features.ngrams:
            families.append(timed(tune_correction, "identity", of_features, [identity], metric))
        found = _weights([of_one[0] for of_one in families], of_features.features.mode)
        families += _tune_closed_forms(of_features, metric, found)
    return families, identity


def _weights(tuned: list[Candidate], mode: Mode) -> Weights | None:
    """Return as how many pairs each source counts in the best map of vectors of a mode."""
    found = [c for c in tuned if c.mode == mode and "weights" in c.parameters]
    return max(found, key=lambda c: c.score).parameters["weights"] if found else None


def _tune_closed_forms(
    data: FeatureData, metric: Metric, found: Weights | None
) -> list[list[Candidate]]:
    """Tune the closed forms of one feature set, each plain and corrected.

    Args:
        found: the weights of sources that maps of vectors chose, for maps that also read n-grams.
    """
    read = " and n-grams" if data.features.ngrams else ""
    label = f"{data.features.mode}: closed forms over vectors{read}"
    forms = closed_forms(data.features, list(data.everything.sources), found)
    families = []
    for form in track(forms, label):
        ranked = timed(tune_closed_form, form, data, metric)
        families.append(ranked)
        families.append(timed(tune_correction, form.name, data, ranked[:CORRECTED], metric))
    data.forget()
    return families


def tune_heads(candidates: list[Candidate], metric: Metric, seed: int) -> list[list[Candidate]]:
    """Train a head from the best plain closed form; return it plain and corrected."""
    plain = [c for c in candidates if isinstance(c.recipe, ClosedFormMap)]
    start = max(plain, key=lambda c: c.score)
    [head] = timed(tune_head, start, metric, seed)
    return [[head], timed(tune_correction, head.name, head.data, [head], metric)]


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
    scores = _reciprocal_ranks(parts, projections, metric)
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

    scores = _reciprocal_ranks(data.parts, built(), metric)
    return [replace(c, per_query=found) for c, found in zip(candidates, scores, strict=True)]


def tune_correction(
    name: str, data: FeatureData, plain: list[Candidate], metric: Metric
) -> list[Candidate]:
    """Score the hubness correction of the best plain settings; the best one of all comes first."""
    grid = hubness_grid(data.features.mode)
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
        scores = _reciprocal_ranks(data.parts, projections, metric)
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
    by_epoch = _reciprocal_ranks(data.parts, histories, metric)
    epochs = int(np.argmax([per_query.mean() for per_query in by_epoch])) + 1
    name = LEARNED + (NGRAMS if data.features.ngrams else "")
    parameters = start.parameters | {"start": start.name, "epochs": epochs}
    built = {
        part.statistics: history[epochs - 1]
        for part, history in zip(data.parts, histories, strict=True)
    }
    recipe = TrainedMap(start, epochs, seed)
    return [Candidate(name, data, parameters, recipe, by_epoch[epochs - 1], _built=built)]


def _reciprocal_ranks(
    parts: list[HeldOutPart], projections: Iterable[list[Projection]], metric: Metric
) -> list[PerQuery]:
    """Return the reciprocal rank of every validation query, once for each map.

    Args:
        projections: for each part the same maps, built without it. A generator builds the maps of
            one part while they are needed.
    """
    by_part = [
        [reciprocal(rank(p, part.queries, metric, roughly=True)) for p in of_part]
        for part, of_part in zip(parts, projections, strict=True)
    ]
    return [np.concatenate(of_map) for of_map in zip(*by_part, strict=True)]


def rank(
    projection: Projection, held_out: HeldOutQueries, metric: Metric, *, roughly: bool = False
) -> NDArray[np.intp]:
    """Rank as a store would: from the vectors of queries and the vectors that it holds."""
    queries, documents, metric = compared(projection, held_out, metric, roughly=roughly)
    return ranks(queries, documents, metric, relevance=held_out.relevance)


def compared(
    projection: Projection, held_out: HeldOutQueries, metric: Metric, *, roughly: bool = False
) -> tuple[Float32Array, Float32Array, Metric]:
    """Return the vectors of queries (n, d) and of documents (m, d), and how they are compared."""
    documents, lengths = held_out.documents, held_out.lengths
    if lengths is not None and (projection.target is not None or metric == "cosine"):
        documents = documents / lengths[:, None]
        metric = "ip"
    queries = projection(held_out.source, modality="source", role="query", roughly=roughly)
    documents = projection(documents, modality="target", role="document", roughly=roughly)
    return queries, documents, metric


def choose(
    candidates: list[Candidate],
    identity: Candidate | None,
    clusters: Clusters,
    *,
    by: NDArray[np.bool_] | slice = slice(None),
) -> Candidate:
    """Take the best by validation, if it beats the identity by more than its own uncertainty.

    The best of many is lucky; a lead of less than one standard error of the paired difference is
    no lead.

    Args:
        by: (n,) the queries that choose; by default all.
    """
    chosen = max(candidates, key=lambda c: float(c.per_query[by].mean()))
    if identity is None:
        return chosen
    of_each = None if clusters is None else clusters[by]
    lead = chosen.per_query[by] - identity.per_query[by]
    return chosen if leads(lead, of_each, 1.0) else identity


def leads(difference: PerQuery, clusters: Clusters, errors: float) -> bool:
    """Whether a mean difference is more than so many of its standard errors, by cluster."""
    mean = float(difference.mean())
    sums = sums_by_cluster(difference - mean, clusters)
    standard_error = float(np.sqrt((sums**2).sum())) / len(difference)
    return mean > errors * standard_error


def label(candidate: Candidate, mode: str) -> str:
    """Name a candidate in a report; before one of another mode than the fit's stands its mode."""
    other = candidate.mode != mode and candidate.name != "identity"
    return f"{candidate.mode}/{candidate.name}" if other else candidate.name
