"""learning_curve(): what more pairs are likely to bring, from fits on parts of those at hand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..data.arguments import checked_seed, is_whole
from ..data.duplicates import find_leaks
from ..data.pairs import Pairs, check_pairs
from ..data.splits import Rows, hold_out, nested_rows
from ..errors import DataError, FitError
from ..metrics.ranking import METRICS, per_query
from ..metrics.relevance import Clusters, groups_of
from ..metrics.statistics import Scores, intervals
from ..progress import track
from ..training.assemble import notes_on
from ..training.fit_inputs import FitInputs, FitSettings
from ..training.judge import Judged, judge
from ..training.model_selection import tune
from ..training.one_thread import BLAS
from ..training.prepare import (
    EncodedInputs,
    Prepared,
    encode_inputs,
    prepare_encoded,
)
from ..training.second_map import tune_second
from ..training.sources import as_sources
from ..training.split_plan import MAX_TEST, MIN_PAIRS, TEST_SHARE
from ..types import Mode
from .curve_result import FORECAST, CurvePoint, LearningCurve
from .forecast import forecast

_HALVINGS = 3


def learning_curve(
    pairs: Pairs,
    *,
    source_encoder: Any = None,
    target_encoder: Any = None,
    mode: Mode = "keep",
    sizes: Iterable[int] | None = None,
    test: Pairs | None = None,
    learn_from: Any = None,
    seed: int = 0,
    repeats: int = 3,
    cache: str | Path | None = None,
) -> LearningCurve:
    """Fit on nested parts of the pairs, and say what twice as many pairs are likely to bring.

    Every fit is judged by the same test part, which none of them sees, among all documents that
    the pairs name, and those of an index in ``learn_from``. The parts of one repeat are nested: a
    smaller one is the beginning of a larger one, whole groups in random order (the last one cut).
    ``3 * repeats + 1`` fits are made by default. They are of closed forms, over vectors and, where
    texts are encoded here, character n-grams. No head is trained by gradient descent, and the
    targets of the pairs are not learned from by themselves: the curve is to say what pairs bring.

    The forecast assumes that the next pairs are like these; see :mod:`.forecast` for its formula.

    Args:
        source_encoder, target_encoder: the encoder of each modality, as
            :func:`kakehashi.encoders.as_encoder` takes it. A side that brings
            vectors needs none.
        mode: ``"keep"`` or ``"shared"``, as :func:`kakehashi.fit` takes it. Where a fit rescores,
            the curve is that of the rescored search.
        sizes: numbers of pairs to fit on; by default all that are not held out, half, a quarter
            and an eighth of them.
        test: pairs that judge; by default a fifth of ``pairs``, by group. Pairs that share a side
            with them are left out.
        learn_from: what every fit learns from beside its pairs, as :func:`kakehashi.fit` takes it;
            by default nothing.
        repeats: random orders that the smaller sizes are taken from. Their spread is part of the
            interval. All pairs are fitted once.
        seed: decides which pairs are held out, and the orders.
        cache: a file that keeps encoded vectors between runs.

    Raises:
        FitError: too few pairs for two sizes, or a size that cannot be fitted.
        DataError: no Pairs, an unknown mode, sizes out of range, fewer than one repeat, a seed
            that is none, or vectors and encoders that do not fit together.
        EncoderError, VectorError, CacheError: as :func:`kakehashi.fit` raises them.
    """
    check_pairs(pairs, optional=[test])
    settings = FitSettings(
        mode,
        learned=False,
        seed=checked_seed(seed),
        cache=cache,
        asks_known=False,
        reads_targets=False,
    )
    _check_options(mode, repeats)
    wanted = None if sizes is None else _listed(sizes)
    split = None
    if test is None:
        split = hold_out(pairs, TEST_SHARE, seed=settings.seed, at_most=MAX_TEST)
    kept = np.arange(len(pairs)) if split is None else split.kept
    _fitted_sizes(wanted, len(kept))  # before anything is encoded
    inputs = FitInputs(pairs, test=test, learn_from=as_sources(learn_from, asking=(pairs, test)))
    encoded = encode_inputs(inputs, source_encoder, target_encoder, settings)
    pairs, test = encoded.inputs.pairs, encoded.inputs.test
    if test is None:
        assert split is not None
        test = pairs.select(split.held_out)
    rows = np.setdiff1d(kept, find_leaks(pairs, test))
    fitted, too_small = _fitted_sizes(wanted, len(rows), leaked=len(kept) - len(rows))
    orders = [nested_rows(pairs, seed=settings.seed + i, rows=rows) for i in range(repeats)]
    # A fit on a part of the pairs is judged in the index of all of them.
    inputs = replace(
        encoded.inputs, pairs=pairs, test=test, documents=(*encoded.inputs.documents, pairs)
    )
    encoded = replace(encoded, inputs=inputs)
    fits = _fits(encoded, fitted, orders)
    return _curve(encoded, fits, fitted, too_small)


@dataclass(frozen=True, eq=False)
class _Fit:
    """One fit of the curve: its data, and what the test part says of it."""

    prepared: Prepared
    judged: Judged


def _fits(encoded: EncodedInputs, sizes: list[int], orders: list[Rows]) -> dict[int, list[_Fit]]:
    """Fit on the beginnings of each order, the largest first; the largest of all rows once.

    Whether the spaces are one is decided by the most pairs, the first fit, for all sizes. So are
    the metric, the sources and the queries of the target encoder.
    """
    pairs, n_rows = encoded.inputs.pairs, len(orders[0])
    jobs = [(n, order) for n in sizes[::-1] for order in orders[: 1 if n == n_rows else None]]
    fits: dict[int, list[_Fit]] = {n: [] for n in sizes}
    prepared = None
    for n, order in track(jobs, "fits of the curve"):
        some = pairs.select(order[:n])
        try:
            if prepared is None:
                inputs = replace(encoded.inputs, pairs=some)
                prepared = prepare_encoded(replace(encoded, inputs=inputs))
            else:
                prepared = prepared.with_pairs(some)
            fits[n].append(_Fit(prepared, _judged(prepared)))
        except FitError as error:
            raise FitError(f"A fit on {n} pairs failed; pass larger sizes. {error}") from error
    return fits


def _judged(prepared: Prepared) -> Judged:
    """Tune and judge as :func:`kakehashi.fit` does."""
    with BLAS:
        tuned = tune(prepared)
        return judge(prepared, tuned, tune_second(prepared, tuned))


def _curve(
    encoded: EncodedInputs, fits: dict[int, list[_Fit]], sizes: list[int], too_small: list[str]
) -> LearningCurve:
    """Put the scores of all fits together."""
    assert encoded.inputs.test is not None
    clusters = groups_of(encoded.inputs.test)
    points = tuple(_point(n, fits[n], clusters) for n in sizes)
    settings, largest = encoded.settings, fits[sizes[-1]][0]
    mode = settings.mode
    sources = largest.prepared.plan.sources
    forecasts = {
        name: forecast(sizes, [p.per_query[name] for p in points], clusters, seed=settings.seed)
        for name in FORECAST
    }
    return LearningCurve(
        points=points,
        next_doubling=forecasts,
        mode=mode,
        ngrams=encoded.reads_texts[mode],
        learned_from={name: len(rows) for name, rows in sources},
        notes=(*too_small, *notes_on(largest.prepared), *_advice(points, largest)),
    )


def _check_options(mode: str, repeats: int) -> None:
    if mode not in ("keep", "shared"):
        raise DataError(f"mode={mode!r}: choose keep or shared.")
    if not is_whole(repeats) or repeats < 1:
        raise DataError(f"repeats={repeats!r}: choose a whole number of 1 or more.")


def _listed(sizes: Iterable[int]) -> list[int]:
    """Read the sizes once: they may come from a generator."""
    try:
        return list(sizes)
    except TypeError as error:
        raise DataError(f"sizes={sizes!r}: pass a list of numbers of pairs.") from error


def _fitted_sizes(sizes: list[int] | None, n: int, leaked: int = 0) -> tuple[list[int], list[str]]:
    """Return the sizes to fit on, ascending, and what to say of those that are too small."""
    why = f" ({leaked} share a side with it and are left out)" if leaked else ""
    if sizes is not None:
        for size in sizes:
            if not is_whole(size) or not MIN_PAIRS <= size <= n:
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


def _point(n: int, fits: list[_Fit], clusters: Clusters) -> CurvePoint:
    by_fit = [per_query(fit.judged.served) for fit in fits]
    values = {name: np.stack([scores[name] for scores in by_fit]) for name in METRICS}
    means = {name: v.mean(axis=0) for name, v in values.items()}
    first = fits[0].judged
    return CurvePoint(
        n_pairs=n,
        scores=Scores(
            n_queries=len(first.served),
            pool=first.scores[first.shipped].pool,
            means={name: float(v.mean()) for name, v in means.items()},
            intervals=intervals(means, clusters=clusters, seed=0),
        ),
        per_query=values,
        chosen=tuple(fit.judged.shipped.name for fit in fits),
        verdicts=tuple(fit.judged.verdict.advice for fit in fits),
    )


def _advice(points: tuple[CurvePoint, ...], largest: _Fit) -> list[str]:
    """Say so where no fit is advised."""
    if any(verdict == "use" for point in points for verdict in point.verdicts):
        return []
    reasons = (largest.judged.verdict.reason, largest.prepared.target_encoder.unknown)
    return [
        f"every fit says 'do not use', at {points[-1].n_pairs:,} pairs because: "
        f"{'; '.join(filter(None, reasons))}. "
        "A curve of maps that do not help says little about more pairs"
    ]
