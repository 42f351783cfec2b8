"""learning_curve(): what more pairs are likely to bring, from fits on parts of those at hand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..data.duplicates import find_leaks
from ..data.pairs import Pairs, check_pairs
from ..data.splits import hold_out, nested_rows
from ..data.validation import checked_seed
from ..errors import DataError, FitError
from ..metrics.ranking import METRICS, per_query, ranks
from ..metrics.relevance import Clusters, Relevance, clusters_of
from ..metrics.statistics import Scores, bootstrap
from ..progress import track
from ..report import Report
from ..training.fit import fit
from ..training.inputs import (
    as_encoders,
    check_unpaired,
    gather_unpaired,
    may_read_texts,
    with_vectors,
)
from ..training.split_plan import MAX_TEST, MIN_PAIRS, TEST_SHARE
from ..types import Mode
from .forecast import Forecast, forecast
from .scoring import served

FORECAST = ("recall@1", "mrr@10")
_HALVINGS = 3


@dataclass(frozen=True, eq=False)
class CurvePoint:
    """What fits on one number of pairs scored.

    Attributes:
        n_pairs: pairs that were fitted on.
        scores: means over queries and fits; the 95% bootstrap intervals are over the queries.
        per_query: for each metric the score of each test query in each fit, (fits, queries).
        chosen, verdicts: the rung and the advice of each fit.
    """

    n_pairs: int
    scores: Scores
    per_query: dict[str, NDArray[np.float64]]
    chosen: tuple[str, ...]
    verdicts: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class LearningCurve:
    """Scores on the same test queries by number of pairs, and what twice as many may bring.

    Attributes:
        points: by ascending number of pairs.
        next_doubling: for recall@1 and mrr@10 the likely gain from the largest size to its
            double, with a 90% interval.
        mode: of the fits.
        ngrams: whether the fits also read the texts, by character n-grams.
        n_unpaired: texts without a pair that every fit learned from, too.
        notes: which sizes were too small, and other remarks.
    """

    points: tuple[CurvePoint, ...]
    next_doubling: dict[str, Forecast]
    mode: str
    ngrams: bool
    n_unpaired: int
    notes: tuple[str, ...]

    def __str__(self) -> str:
        """Return the curve as a short text."""
        scores = self.points[-1].scores
        read = "vectors and character n-grams" if self.ngrams else "vectors alone"
        free = f"pairs and {self.n_unpaired:,} unpaired texts" if self.n_unpaired else "pairs alone"
        lines = [
            f"{scores.n_queries} held-out queries in {scores.pool} documents, mode {self.mode}",
            f"fits of closed forms, over {read}, from {free}; `fit` also trains by contrast",
            f"{'pairs':>8}  fits  recall@1               MRR@10",
        ]
        for point in self.points:
            cells = []
            for name in FORECAST:
                low, high = point.scores.intervals[name]
                cells.append(f"{point.scores.means[name]:.3f} [{low:.3f}, {high:.3f}]")
            use = point.verdicts.count("use")
            advice = "use" if use == len(point.verdicts) else f"use {use} of {len(point.verdicts)}"
            lines.append(
                f"{point.n_pairs:8,}  {len(point.verdicts):4}  {'   '.join(cells)}   "
                f"{advice if use else 'do not use'}"
            )
        for name, label in zip(FORECAST, ("recall@1", "MRR@10"), strict=True):
            found = self.next_doubling[name]
            low, high = found.interval
            lines.append(
                f"the next doubling ({found.n_from:,} -> {found.n_to:,} pairs) is likely to bring "
                f"{found.gain:+.3f} [{low:+.3f}, {high:+.3f}] {label}"
            )
        lines.append("intervals: 95% of a score, over the queries; 90% of what the doubling brings")
        return "\n".join(lines + [f"note: {note}" for note in self.notes])

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready record, without the scores of single queries."""
        return {
            "mode": self.mode,
            "ngrams": self.ngrams,
            "n_unpaired": self.n_unpaired,
            "n_queries": self.points[-1].scores.n_queries,
            "pool": self.points[-1].scores.pool,
            "points": [
                {
                    "n_pairs": point.n_pairs,
                    "fits": len(point.verdicts),
                    **point.scores.means,
                    "intervals": point.scores.intervals,
                    "chosen": point.chosen,
                    "verdicts": point.verdicts,
                }
                for point in self.points
            ],
            "next_doubling": {k: found._asdict() for k, found in self.next_doubling.items()},
            "notes": self.notes,
        }


def learning_curve(
    pairs: Pairs,
    *,
    source_encoder: Any = None,
    target_encoder: Any = None,
    mode: Mode = "keep",
    sizes: Iterable[int] | None = None,
    test: Pairs | None = None,
    unpaired: Pairs | Sequence[str] | Literal[False] | None = None,
    seed: int = 0,
    repeats: int = 3,
    cache: str | Path | None = None,
    progress: bool = False,
) -> LearningCurve:
    """Fit on nested parts of the pairs, and say what twice as many pairs are likely to bring.

    Every fit is judged on the same test part, which none of them sees. The parts of one repeat
    are nested: a smaller one is the beginning of a larger one, whole groups in random order (the
    last one cut). ``3 * repeats + 1`` fits are made by default. They are of closed forms, over
    vectors and, where texts are encoded here, character n-grams; nothing is trained by contrast,
    and no text is learned from without its partner unless ``unpaired`` has it: the curve is to say
    what pairs bring.

    The forecast assumes that the next pairs are like these; see :mod:`.forecast` for its formula.

    Args:
        source_encoder, target_encoder: the encoder of each modality, as
            :func:`kakehashi.encoders.as_encoder` takes it. A side that brings
            vectors needs none.
        mode: ``"keep"`` or ``"shared"``, as :func:`kakehashi.fit` takes it. ``"auto"`` may choose
            one at one size and the other at the next, and would mix two curves.
        sizes: numbers of pairs to fit on; by default all that are not held out, half, a quarter
            and an eighth of them.
        test: pairs that judge; by default a fifth of ``pairs``, by group. Pairs that share a side
            with them are left out.
        unpaired: texts of the target side that have no pair, or pairs of stored vectors of the same
            texts, as :func:`kakehashi.fit` takes them; every fit learns from all of them but those
            of the test part. By default from none, not even the targets of the pairs.
        repeats: random orders that the smaller sizes are taken from. Their spread is part of the
            interval. All pairs are fitted once.
        seed: decides which pairs are held out, and the orders.
        cache: a file that keeps encoded vectors between runs.
        progress: show bars on standard error (where that is no terminal, a line a stage).

    Raises:
        FitError: too few pairs for two sizes, or a size that cannot be fitted.
        DataError: no Pairs, an unknown mode, sizes out of range, fewer than one repeat, a seed
            that is none, or vectors and encoders that do not fit together.
        EncoderError, VectorError, CacheError: as :func:`kakehashi.fit` raises them.
    """
    check_pairs(pairs, optional=[test])
    seed = checked_seed(seed)
    if mode not in ("keep", "shared"):
        raise DataError(
            f"mode={mode!r}: a curve is of one mode, and auto may choose another at each size; "
            "choose keep or shared."
        )
    if isinstance(repeats, bool) or not isinstance(repeats, int) or repeats < 1:
        raise DataError(f"repeats={repeats!r}: choose a whole number of 1 or more.")
    if sizes is not None:
        try:
            sizes = list(sizes)  # a generator can be read but once
        except TypeError as error:
            raise DataError(f"sizes={sizes!r}: pass a list of numbers of pairs.") from error
    split = None
    if test is None:
        split = hold_out(pairs, TEST_SHARE, seed=seed, at_most=MAX_TEST)
    rows = np.arange(len(pairs)) if split is None else split.kept
    _sizes(sizes, len(rows))  # before anything is encoded
    encoders = as_encoders(source_encoder, target_encoder)
    for side, encoder in encoders.items():
        if encoder is None and any(p and p.vectors(side) is None for p in (pairs, test)):
            raise DataError(f"The {side} side has texts only; pass {side}=an encoder.")
    check_unpaired(unpaired, encoders)
    pairs = with_vectors(pairs, encoders, cache, progress)
    if split is not None:
        test = pairs.select(split.held_out)
    assert test is not None
    test = with_vectors(test, encoders, cache, progress)
    free = np.setdiff1d(rows, find_leaks(pairs, test))
    fitted, too_small = _sizes(sizes, len(free), leaked=len(rows) - len(free))
    rows = free
    alone = None
    if unpaired is not None:  # encoded once for all fits
        alone = gather_unpaired(unpaired, pairs, encoders, False, cache, progress)

    orders = [nested_rows(pairs, seed=seed + repeat, rows=rows) for repeat in range(repeats)]
    jobs = [(n, order) for n in fitted[::-1] for order in orders[: 1 if n == len(rows) else None]]
    options: dict[str, Any] = {
        "source_encoder": encoders["source"],
        "target_encoder": encoders["target"],
        "mode": mode,
        "test": test,
        "seed": seed,
        "refit": False,
        "ngrams": may_read_texts(mode, None, encoders, [pairs, test]),
        "unpaired": False if alone is None else alone,
        "learned": "none",
    }
    reports: dict[int, list[Report]] = {n: [] for n in fitted}
    found: dict[int, list[NDArray[np.intp]]] = {n: [] for n in fitted}
    relevance, clusters = Relevance.of(test), clusters_of(test)
    with TemporaryDirectory() as folder:
        # Every fit asks the target encoder for the test queries; only the first has to encode them.
        options["cache"] = cache or Path(folder) / "vectors.sqlite"
        for n, order in track(jobs, "fits of the curve", enabled=progress):
            try:
                aligner = fit(pairs.select(order[:n]), **options)
            except FitError as error:
                raise FitError(f"A fit on {n} pairs failed; pass larger sizes. {error}") from error
            # Whether the spaces are one is asked of the most pairs, the first fit, for all sizes.
            report = aligner.report
            options |= {"same_space": report.base is not None, "metric": report.metric}
            reports[n].append(report)
            found[n].append(ranks(*served(aligner, test), report.metric, relevance=relevance))
    points = tuple(_point(n, reports[n], found[n], len(relevance.pool), clusters) for n in fitted)
    return LearningCurve(
        points=points,
        next_doubling={
            name: forecast(fitted, [p.per_query[name] for p in points], clusters, seed=seed)
            for name in FORECAST
        },
        mode=mode,
        ngrams=options["ngrams"],
        n_unpaired=0 if alone is None else len(alone),
        notes=(*too_small, *reports[fitted[-1]][0].notes, *_advice(points, reports[fitted[-1]][0])),
    )


def _sizes(sizes: list[int] | None, n: int, leaked: int = 0) -> tuple[list[int], list[str]]:
    """Return the sizes to fit on, ascending, and what to say of those that are too small."""
    why = f" ({leaked} share a side with it and are left out)" if leaked else ""
    if sizes is not None:
        for size in sizes:
            whole = isinstance(size, (int, np.integer)) and not isinstance(size, bool)
            if not whole or not MIN_PAIRS <= size <= n:
                raise DataError(
                    f"sizes: {size!r} is not a number of pairs from {MIN_PAIRS} to {n}, which is "
                    f"what the test part leaves{why}."
                )
        wanted = sorted({int(size) for size in sizes})
    else:
        wanted = sorted({n >> halvings for halvings in range(_HALVINGS + 1)})
    fitted = [size for size in wanted if size >= MIN_PAIRS]
    if len(fitted) < 2:
        raise FitError(
            f"{n} pairs beside the test part{why} give {len(fitted)} size(s) of {MIN_PAIRS} pairs "
            "or more; a curve needs two. Give more pairs, or more sizes"
            f"{', or a test set of other pairs' if leaked else ''}."
        )
    small = [
        f"{size} pairs are too few to fit on; {MIN_PAIRS} are the least"
        for size in wanted
        if size < MIN_PAIRS
    ]
    return fitted, small


def _point(
    n: int, reports: list[Report], found: list[NDArray[np.intp]], pool: int, clusters: Clusters
) -> CurvePoint:
    by_fit = [per_query(rank) for rank in found]
    values = {name: np.stack([scores[name] for scores in by_fit]) for name in METRICS}
    means = {name: v.mean(axis=0) for name, v in values.items()}
    return CurvePoint(
        n_pairs=n,
        scores=Scores(
            n_queries=len(found[0]),
            pool=pool,
            means={name: float(v.mean()) for name, v in means.items()},
            intervals=bootstrap(means, clusters=clusters, seed=0),
        ),
        per_query=values,
        chosen=tuple(report.chosen for report in reports),
        verdicts=tuple(report.verdict for report in reports),
    )


def _advice(points: tuple[CurvePoint, ...], largest: Report) -> list[str]:
    """Say so where no fit is advised."""
    if any(verdict == "use" for point in points for verdict in point.verdicts):
        return []
    return [
        f"every fit says 'do not use', at {largest.n_pairs:,} pairs because: {largest.reason}. "
        "A curve of maps that do not help says little about more pairs"
    ]
