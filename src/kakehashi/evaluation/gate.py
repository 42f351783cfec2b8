"""A gate for continuous integration: what is demanded of an aligner, and whether pairs show it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..metrics.ranking import METRICS
from ..metrics.relevance import groups_of
from ..metrics.statistics import Interval, intervals
from ..report import BM25, RESCORED, TARGET_ENCODER, UNTOUCHED
from ..training.held_out_ranks import mrr
from ..training.verdict import MIN_QUERIES
from .judgement import NO_VERDICT, served_ranks
from .measured import Measured, more_questions
from .scoring import Evaluation

Outcome = Literal["passes", "falls short", "cannot tell"]
PASSES: Outcome = "passes"
FALLS_SHORT: Outcome = "falls short"
CANNOT_TELL: Outcome = "cannot tell"
DIFFERENCE = "difference of MRR@10"
TOLERANCE = 0.02
"""How much less MRR@10 still counts as no worse. Two aligners that find alike differ by zero, and
no number of questions shows that the true difference is not a hair below it."""
_RIVALS = {"base": UNTOUCHED, "target_encoder": TARGET_ENCODER, "bm25": BM25}


class Demand(NamedTuple):
    """A metric, and the least value that it may have."""

    metric: str
    least: float

    @classmethod
    def parse(cls, text: str) -> Demand:
        """Read ``recall@1=.85``.

        Raises:
            DataError: another metric, or no number above 0 and up to 1.
        """
        metric, _, value = text.replace(" ", "").partition("=")
        try:
            least = float(value)
        except ValueError:
            least = -1.0
        if metric.lower() not in METRICS or not 0 < least <= 1:
            raise DataError(
                f"--min {text!r} is no demand; write METRIC=VALUE, with a metric of "
                f"{', '.join(METRICS)} and a value above 0 and up to 1, such as recall@1=.85."
            )
        return cls(metric.lower(), least)


class Other(NamedTuple):
    """A second aligner on the same questions.

    Attributes:
        same: whether it orders results exactly as the first one does.
    """

    name: str
    evaluation: Evaluation
    same: bool


@dataclass(frozen=True)
class Check:
    """One demand, and what the questions say about it.

    Attributes:
        demand: in words.
        metric: that is measured; of a rival, the difference of MRR@10.
        measured, interval: its value with its 95% interval.
        bar: what the value has to reach.
        reason: of the outcome, in one sentence.
    """

    demand: str
    metric: str
    measured: float
    interval: Interval
    bar: float
    outcome: Outcome
    reason: str


@dataclass(frozen=True)
class Gate:
    """All checks, and what they come to.

    Attributes:
        row: which scores were read: ``keep, rescored`` where the aligner rescores, else its mode.
        notes: what makes the scores say less than they seem to.
    """

    checks: tuple[Check, ...]
    row: str
    n_queries: int
    pool: int
    notes: tuple[str, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """The worst outcome of a check; falling short is worse than not telling."""
        found = {check.outcome for check in self.checks}
        return next(o for o in (FALLS_SHORT, CANNOT_TELL, PASSES) if o in found)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready record."""
        return {"outcome": self.outcome, **asdict(self)}


def decide(
    evaluation: Evaluation,
    demands: Sequence[Demand] = (),
    *,
    mode: str,
    no_worse: bool = False,
    against: Other | None = None,
    tolerance: float = TOLERANCE,
) -> Gate:
    """Check every demand. Without any, the aligner must be no worse than a search without it.

    The aligner is read as it serves: rescored, where it rescores. A demand passes where the whole
    95% interval reaches the bar, and falls short where all of it lies below. The interval leaves
    room for questions of a kind that was not asked: :func:`.metrics.statistics.with_unseen`.

    Args:
        mode: of the aligner.
        no_worse: hold it against the untouched vectors, the target encoder and BM25, as far as
            they have scores, by the paired difference of MRR@10.
        against: hold it against another aligner, in the same way.
        tolerance: how much less MRR@10 still counts as no worse.

    Raises:
        DataError: a tolerance below 0 or above 1, or nothing to hold the aligner against.
    """
    check_tolerance(tolerance)
    checks = [_least(evaluation, demand) for demand in demands]
    if no_worse or not (demands or against):
        checks += _without_it(evaluation, tolerance)
    if against is not None:
        checks.append(_against(evaluation, against, tolerance))
    if not checks:
        raise DataError(
            "nothing can be searched without the aligner here, since the two encoders cannot be "
            "compared and there are no texts; name a bar with --min, or --against OTHER."
        )
    doubt, serves = _doubt(evaluation), evaluation.rescored or evaluation.aligned
    if doubt is not None:
        checks = [replace(each, outcome=CANNOT_TELL, reason=doubt) for each in checks]
    judgement = evaluation.judgement
    notes = (*(judgement.warnings if judgement else ()), *filter(None, [evaluation.note]))
    row = mode if evaluation.rescored is None else RESCORED
    return Gate(tuple(checks), row, serves.n_queries, serves.pool, notes)


def check_tolerance(tolerance: float) -> None:
    """Raise DataError for a tolerance below 0 or above 1."""
    if not 0 <= tolerance <= 1:
        raise DataError(f"tolerance={tolerance!r}: choose a number from 0 to 1.")


def _least(evaluation: Evaluation, demand: Demand) -> Check:
    scores, metric = evaluation.rescored or evaluation.aligned, demand.metric
    words = f"{metric} of at least {demand.least:.3f}"
    found = Measured(scores.means[metric], scores.intervals[metric], _units(evaluation), (0.0, 1.0))
    return _checked(words, metric, found, demand.least, scores.n_queries)


def _without_it(evaluation: Evaluation, tolerance: float) -> Iterator[Check]:
    for name, rival in _RIVALS.items():
        if name in evaluation.ranks:
            yield _difference(evaluation, evaluation.ranks[name], rival, tolerance)


def _against(evaluation: Evaluation, other: Other, tolerance: float) -> Check:
    check = _difference(evaluation, _served(other.evaluation), other.name, tolerance)
    if other.same:
        reason = "both order all results alike: it is the same aligner"
        return replace(check, interval=(0.0, 0.0), outcome=PASSES, reason=reason)
    if _doubt(other.evaluation) is not None:
        reason = f"the questions cannot judge {other.name}: {_doubt(other.evaluation)}"
        return replace(check, outcome=CANNOT_TELL, reason=reason)
    return check


def _difference(evaluation: Evaluation, ranks: Any, rival: str, tolerance: float) -> Check:
    """Check the difference of MRR@10 over a rival, question by question."""
    pairs = evaluation.pairs
    assert pairs is not None
    gained = mrr(_served(evaluation)) - mrr(ranks)
    bounds = (-1.0, 1.0)
    resampled = intervals({DIFFERENCE: gained}, clusters=groups_of(pairs), seed=0, bounds=bounds)
    found = Measured(float(gained.mean()), resampled[DIFFERENCE], _units(evaluation), bounds)
    return _checked(f"no worse than {rival}", DIFFERENCE, found, -tolerance, len(pairs))


def _units(evaluation: Evaluation) -> int:
    """Return the number of groups, or of questions where there are none."""
    pairs = evaluation.pairs
    assert pairs is not None
    groups = groups_of(pairs)
    return len(pairs) if groups is None else int(groups.max()) + 1


def _checked(demand: str, metric: str, found: Measured, bar: float, n: int) -> Check:
    low, high = interval = found.interval()
    sign = "+" if metric == DIFFERENCE else ""
    said = f"{found.mean:{sign}.3f}, 95% interval {low:{sign}.3f} to {high:{sign}.3f}"
    if low >= bar:
        outcome, because = PASSES, "it reaches the bar"
    elif high < bar:
        outcome, because = FALLS_SHORT, "it stays below the bar"
    else:
        outcome, because = CANNOT_TELL, more_questions(found, bar, n)
    return Check(demand, metric, found.mean, interval, bar, outcome, f"{said}; {because}")


def _doubt(evaluation: Evaluation) -> str | None:
    """Say why the questions cannot judge an aligner at all; None where they can."""
    pairs, judgement = evaluation.pairs, evaluation.judgement
    assert pairs is not None
    if judgement is not None and judgement.verdict == NO_VERDICT:
        return f"{judgement.reason}; {judgement.next_step}"
    n = len(np.unique(pairs.keys("source")))
    if n < MIN_QUERIES:
        return f"{n} different questions are too few to tell; {MIN_QUERIES} are the least"
    return None


def _served(evaluation: Evaluation) -> NDArray[np.intp]:
    return served_ranks(evaluation.ranks)
