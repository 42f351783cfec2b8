"""The search for the best rung: every setting scored on validation, and the choice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .development import Fitted, ValidationPart
from .evaluation.intervals import Clusters, sums_by_cluster
from .evaluation.metrics import Metric, ranks, reciprocal
from .evaluation.relevance import Relevance
from .progress import track
from .projection import Mode, Projection
from .rungs import HUBNESS, Parameters, Rung, build, corrected, hubness_grid, rungs

_ROUNDS = 4  # of stepping from a rung's best setting to its neighbours
_TOP = 2  # plain settings of a rung that the hubness correction is tried on


@dataclass(frozen=True, eq=False)
class Candidate:
    """A rung with its hyper-parameters, and the reciprocal rank of each validation query."""

    name: str
    mode: Mode
    rung: Rung | None
    parameters: Parameters
    per_query: NDArray[np.float64]

    @property
    def score(self) -> float:
        """Mean reciprocal rank on validation."""
        return float(self.per_query.mean())

    def build(self, fitted: Fitted) -> Projection:
        """Build the projection from what was fitted."""
        return build(self.rung, fitted.spectrum, self.mode, fitted.bank, self.parameters)


def climb(
    mode: str, parts: list[ValidationPart], metric: Metric, same_space: bool, progress: bool
) -> tuple[list[Candidate], Candidate | None]:
    """Tune every rung, plain and corrected; return the best setting of each, and the base."""
    modes: list[Mode] = ["keep", "shared"] if mode == "auto" else [mode]  # type: ignore[list-item]
    base = None
    if same_space:
        [scores] = _score(parts, metric, lambda fitted: [Projection()])
        base = Candidate("identity", modes[0], None, {}, scores)
    best = [] if base is None else [base]
    for m in modes:
        ladder: dict[str, Rung | None] = {} if base is None else {"identity": None}
        ladder |= rungs(m, same_space=same_space)
        for name, rung in track(list(ladder.items()), f"fitting ({m})", enabled=progress):
            if rung is None:
                ranked = [] if base is None else [base]
            else:
                ranked = _tuned(name, m, rung, parts, metric)
                best.append(ranked[0])
            best.append(_best_corrected(name, m, ranked[:_TOP], parts, metric))
    return best, base


def _tuned(
    name: str, mode: Mode, rung: Rung, parts: list[ValidationPart], metric: Metric
) -> list[Candidate]:
    """Score a rung's grid and the neighbours of its best point; the best comes first."""

    def scored(grid: list[Parameters]) -> list[Candidate]:
        def build_all(fitted: Fitted) -> list[Projection]:
            return [rung.build(fitted.spectrum, mode, **p) for p in grid]

        scores = _score(parts, metric, build_all)
        return [Candidate(name, mode, rung, p, s) for p, s in zip(grid, scores, strict=True)]

    tried = scored(rung.grid)
    for _ in range(_ROUNDS):
        best = max(tried, key=lambda c: c.score)
        known = [c.parameters for c in tried]
        tried += scored([p for p in rung.refine(best.parameters) if p not in known])
        if max(tried, key=lambda c: c.score) is best:
            break
    return sorted(tried, key=lambda c: -c.score)


def _best_corrected(
    name: str, mode: Mode, plain: list[Candidate], parts: list[ValidationPart], metric: Metric
) -> Candidate:
    """Score the hubness correction of a rung's best settings; return the best of them all."""
    grid = hubness_grid(mode)

    def scored(c: Candidate) -> list[Candidate]:
        def build_all(fitted: Fitted) -> list[Projection]:
            return corrected(c.build(fitted), mode, fitted.bank, grid)

        return [
            Candidate(name + HUBNESS, mode, c.rung, c.parameters | h, s)
            for h, s in zip(grid, _score(parts, metric, build_all), strict=True)
        ]

    return max((found for c in plain for found in scored(c)), key=lambda c: c.score)


def _score(
    parts: list[ValidationPart], metric: Metric, build_all: Callable[[Fitted], list[Projection]]
) -> list[NDArray[np.float64]]:
    """Return, for each projection that is built, the reciprocal rank of every validation query."""
    found = [
        [
            reciprocal(rank(p, part.source, part.target, metric, part.relevance, roughly=True))
            for p in build_all(part.fitted)
        ]
        for part in parts
    ]
    return [np.concatenate(of_parts) for of_parts in zip(*found, strict=True)]


def rank(
    projection: Projection,
    x: Any,
    y: Any,
    metric: Metric,
    relevance: Relevance,
    *,
    roughly: bool = False,
) -> NDArray[np.intp]:
    """Rank as a store would: from the vectors that it is asked and the vectors that it holds."""
    queries = projection(x, modality="source", role="query", roughly=roughly)
    documents = projection(y, modality="target", role="document", roughly=roughly)
    return ranks(queries, documents, metric, relevance=relevance)


def choose(
    candidates: list[Candidate], base: Candidate | None, mode: str, clusters: Clusters
) -> Candidate:
    """Take the best by validation, if it beats the base by more than its own uncertainty.

    The best of many is lucky; a lead of less than one standard error of the paired difference is
    no lead. In ``auto``, ``shared`` has to lead ``keep`` by two: it asks for a new index.
    """
    chosen = max(candidates, key=lambda c: c.score)
    if mode == "auto" and chosen.mode == "shared":
        keep = max((c for c in candidates if c.mode == "keep"), key=lambda c: c.score)
        if not _leads(chosen, keep, clusters, 2.0):
            chosen = keep
    if base is not None and not _leads(chosen, base, clusters, 1.0):
        return base
    return chosen


def _leads(a: Candidate, b: Candidate, clusters: Clusters, errors: float) -> bool:
    """Whether a mean difference is more than so many of its standard errors, by cluster."""
    difference = a.per_query - b.per_query
    mean = float(difference.mean())
    sums = sums_by_cluster(difference - mean, clusters)
    standard_error = float(np.sqrt((sums**2).sum())) / len(difference)
    return mean > errors * standard_error


def label(candidate: Candidate, mode: str) -> str:
    """Name a candidate in a report; in ``auto`` the mode stands before it."""
    prefix = f"{candidate.mode}/" if mode == "auto" and candidate.name != "identity" else ""
    return prefix + candidate.name
