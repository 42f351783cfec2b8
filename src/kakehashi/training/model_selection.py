"""The search for the best rung: every setting scored on validation, and the choice."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..metrics.ranking import ranks, reciprocal
from ..metrics.relevance import Clusters
from ..metrics.statistics import sums_by_cluster
from ..progress import track
from ..projection import Projection
from ..types import Metric, Mode
from .closed_forms import COUNTS, HUBNESS, NGRAMS, Parameters, Rung, rungs
from .hubness_bank import corrected, hubness_grid
from .sufficient_statistics import Development, Fitted, Questions, ValidationPart
from .training_rows import TrainingRows

_TOP = 2  # plain settings of a rung that the hubness correction is tried on
_TUNED_ON = 300  # queries, in whole folds, that choose a setting with n-grams: it takes longer


class Refine(Protocol):
    """Trains on from a closed form: :func:`kakehashi.training.gradient.contrastive.refine`."""

    def __call__(
        self,
        start: Projection,
        training: TrainingRows,
        mode: Mode,
        *,
        stop_after: int | None,
        label: str,
    ) -> list[Projection]:
        """Return the projection after each epoch, the same ones however early it stops."""
        ...


class Learned(NamedTuple):
    """A learned rung: its name, and how it is trained."""

    name: str
    refine: Refine


@dataclass(frozen=True, eq=False)
class Candidate:
    """A rung with its hyper-parameters, and the reciprocal rank of each validation query.

    Attributes:
        data: the development that it was tuned on.
        make: builds the projection from what was fitted, over what the view reads.
        cpu_seconds: what the search for it took.
    """

    name: str
    data: Development
    parameters: Parameters
    per_query: NDArray[np.float64]
    make: Callable[[Fitted], Projection]
    cpu_seconds: float = 0.0
    _made: dict[Fitted, Projection] = field(default_factory=dict, repr=False)

    @property
    def mode(self) -> Mode:
        """The mode of its view."""
        return self.data.view.mode

    @property
    def score(self) -> float:
        """Mean reciprocal rank on validation."""
        return float(self.per_query.mean())

    def build(self, fitted: Fitted) -> Projection:
        """Build the projection, once for what was fitted."""
        if fitted not in self._made:
            self._made[fitted] = self.make(fitted)
        return self._made[fitted]


def climb(
    developments: list[Development],
    metric: Metric,
    *,
    learned: Learned | None = None,
    progress: bool = False,
) -> tuple[list[Candidate], Candidate | None]:
    """Tune every rung, plain and corrected; return the best setting of each, and the base.

    Args:
        developments: the plan on each view; the first reads vectors only.
        learned: trains on from the best closed form of each mode, where it is given.
    """
    base = None
    if developments[0].view.same_space:
        [scores] = _score(developments[0].parts, metric, lambda fitted: [Projection()])
        base = Candidate("identity", developments[0], {}, scores, lambda fitted: Projection())
    found = [] if base is None else [base]
    by_mode: dict[Mode, list[Candidate]] = {}
    for data in developments:
        mode = data.view.mode
        if base is not None and not data.view.ngrams:
            found += _timed(_best_corrected, "identity", data, [base], metric)
        ladder = rungs(data.view, unpaired=data.fitted.unpaired is not None)
        what = f"{mode}: closed forms over vectors{' and n-grams' if data.view.ngrams else ''}"
        for name, rung in track(list(ladder.items()), what, enabled=progress):
            ranked = _timed(_tuned, name, data, rung, metric)
            found.append(ranked[0])
            found += _timed(_best_corrected, name, data, ranked[:_TOP], metric)
            by_mode.setdefault(mode, []).append(ranked[0])
        for part in data.parts:
            part.fitted.forget()
    for closed in by_mode.values() if learned is not None else ():
        start = max(closed, key=lambda c: c.score)
        [trained] = _timed(_trained_on, start, metric, learned)
        found.append(trained)
        found += _timed(_best_corrected, trained.name, trained.data, [trained], metric)
    return found, base


def _timed(search: Callable[..., list[Candidate]], *args: Any) -> list[Candidate]:
    """Write down what a search took, on this thread: BLAS and torch are held to one."""
    begun = time.thread_time()
    found = search(*args)
    return [replace(c, cpu_seconds=time.thread_time() - begun) for c in found]


def _tuned(name: str, data: Development, rung: Rung, metric: Metric) -> list[Candidate]:
    """Score a rung's grid, then step by step from its best point; the best comes first.

    One hyper-parameter is moved at a time, each from the best setting so far.
    """

    def scored(grid: list[Parameters], parts: list[ValidationPart]) -> list[Candidate]:
        def maker(parameters: Parameters) -> Callable[[Fitted], Projection]:
            return lambda fitted: _build(rung, fitted, parameters)

        makers = [maker(p) for p in grid]
        scores = _score(parts, metric, lambda fitted: [make(fitted) for make in makers])
        return [Candidate(name, data, *each) for each in zip(grid, scores, makers, strict=True)]

    sizes = np.cumsum([len(part.questions.source) for part in data.parts])
    enough = int((sizes < _TUNED_ON).sum()) + 1
    few = data.parts[:enough] if data.view.ngrams else data.parts
    tried = scored(rung.grid, few)
    for _ in range(rung.rounds):
        begun_with = max(tried, key=lambda c: c.score)
        for step in rung.steps:
            best = max(tried, key=lambda c: c.score)
            known = [c.parameters for c in tried]
            tried += scored([p for p in step(best.parameters) if p not in known], few)
        if max(tried, key=lambda c: c.score) is begun_with:
            break
    ranked = sorted(tried, key=lambda c: -c.score)
    if len(few) < len(data.parts):
        again = scored([c.parameters for c in ranked[:_TOP]], data.parts)
        ranked = sorted(again, key=lambda c: -c.score)
    return ranked


def _best_corrected(
    name: str, data: Development, plain: list[Candidate], metric: Metric
) -> list[Candidate]:
    """Score the hubness correction of a rung's best settings; return the best of them all."""
    mode, grid = data.view.mode, hubness_grid(data.view.mode)

    def scored(c: Candidate) -> list[Candidate]:
        def maker(setting: Parameters) -> Callable[[Fitted], Projection]:
            return lambda fitted: corrected(c.build(fitted), mode, fitted.bank, [setting])[0]

        scores = _score(
            data.parts, metric, lambda fitted: corrected(c.build(fitted), mode, fitted.bank, grid)
        )
        return [
            Candidate(name + HUBNESS, data, c.parameters | h, s, maker(h))
            for h, s in zip(grid, scores, strict=True)
        ]

    return [max((found for c in plain for found in scored(c)), key=lambda c: c.score)]


def _trained_on(closed: Candidate, metric: Metric, learned: Learned) -> list[Candidate]:
    """Train on from a closed form; validation says after how many epochs to stop."""
    data, mode = closed.data, closed.mode

    def refined(fitted: Fitted, what: str, stop_after: int | None = None) -> list[Projection]:
        label = f"{mode}: training {learned.name}, {what}"
        start = closed.build(fitted)
        return learned.refine(start, fitted.training, mode, stop_after=stop_after, label=label)

    n = len(data.parts)
    histories = {
        part.fitted: refined(part.fitted, f"to choose ({i} of {n})")
        for i, part in enumerate(data.parts, 1)
    }
    by_epoch = _score(data.parts, metric, lambda fitted: histories[fitted])
    epochs = int(np.argmax([scores.mean() for scores in by_epoch])) + 1
    made = {fitted: history[epochs - 1] for fitted, history in histories.items()}
    name = learned.name + (NGRAMS if data.view.ngrams else "")
    parameters = closed.parameters | {"start": closed.name, "epochs": epochs}

    def make(fitted: Fitted) -> Projection:
        return refined(fitted, "to judge and ship", epochs)[-1]

    return [Candidate(name, data, parameters, by_epoch[epochs - 1], make, _made=made)]


def _build(rung: Rung, fitted: Fitted, parameters: Parameters) -> Projection:
    """Build a closed form; what counts how much is asked of the sums, not of the form."""
    counts = {k: parameters[k] for k in COUNTS if k in parameters}
    plain = {k: v for k, v in parameters.items() if k not in COUNTS}
    made = rung.build(fitted.spectrum(**counts), fitted.view.mode, **plain)
    return fitted.view.folded(made, counts.get("ngrams", 1.0))


def _score(
    parts: list[ValidationPart], metric: Metric, build_all: Callable[[Fitted], list[Projection]]
) -> list[NDArray[np.float64]]:
    """Return, for each projection that is built, the reciprocal rank of every validation query."""
    found = [
        [reciprocal(rank(p, part.questions, metric, roughly=True)) for p in build_all(part.fitted)]
        for part in parts
    ]
    return [np.concatenate(of_parts) for of_parts in zip(*found, strict=True)]


def rank(
    projection: Projection, asked: Questions, metric: Metric, *, roughly: bool = False
) -> NDArray[np.intp]:
    """Rank as a store would: from the vectors that it is asked and the vectors that it holds."""
    queries = projection(asked.source, modality="source", role="query", roughly=roughly)
    documents = projection(asked.documents, modality="target", role="document", roughly=roughly)
    return ranks(queries, documents, metric, relevance=asked.relevance)


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
