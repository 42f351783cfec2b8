"""Model selection: every candidate map is tuned and scored on validation, and one is chosen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..metrics.relevance import Clusters, clusters_of
from ..progress import track
from ..projection import Projection
from ..types import Metric, Mode
from .candidates import Candidate, ClosedFormMap, IdentityMap
from .closed_forms import Weights, closed_forms
from .feature_data import FeatureData
from .map_ranks import reciprocal_ranks
from .prepare import Prepared
from .setting_search import (
    CORRECTED,
    leads,
    timed,
    tune_closed_form,
    tune_correction,
    tune_head,
)
from .split_plan import Part, SplitPlan
from .sufficient_statistics import develop


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

    @property
    def over_vectors(self) -> FeatureData | None:
        """What the maps that read vectors alone were tuned on."""
        every = (candidate.data for candidate in self.candidates)
        return next((data for data in every if not data.features.ngrams), None)


def tune(prepared: Prepared) -> Tuned:
    """Tune every candidate map on the validation parts, and choose among them."""
    plan, settings = prepared.plan, prepared.settings
    data = [develop(plan, features, seed=settings.seed) for features in prepared.feature_sets]
    families, identity = tune_candidates(data, prepared.metric)
    if settings.trains_head:
        starts = [of_one[0] for of_one in families]
        families += tune_heads(starts, prepared.metric, settings.seed)
    chosen, judged = choose_and_judge(families, identity, plan)
    return Tuned([of_one[0] for of_one in families], identity, chosen, judged)


def choose_and_judge(
    families: list[list[Candidate]], identity: Candidate | None, plan: SplitPlan
) -> tuple[Candidate, list[Candidate]]:
    """Return the candidate that all parts choose, and for each part that judges its own choice.

    Args:
        families: the settings of each kind of map, the best one first.
    """
    clusters = clusters_of(*(part.questions for part in plan.parts))
    chosen = choose([of_one[0] for of_one in families], identity, clusters)
    if plan.test is not None:
        return chosen, [chosen]
    tried = [candidate for of_one in families for candidate in of_one]
    by_others = without_each(plan.parts)
    return chosen, [choose(tried, identity, clusters, by=others) for others in by_others]


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
        [per_query] = reciprocal_ranks(data[0].parts, projections, metric)
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


def label(candidate: Candidate, mode: str) -> str:
    """Name a candidate in a report; before one of another mode than the fit's stands its mode."""
    other = candidate.mode != mode and candidate.name != "identity"
    return f"{candidate.mode}/{candidate.name}" if other else candidate.name
