"""Which rows are fitted, which choose and which judge; and the sums of each, read once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .errors import FitError
from .evaluation.relevance import Relevance
from .pairs import SIDES, Pairs, find_leaks
from .projection.moments import Moments, Spectrum
from .rungs import Bank
from .splits import Rows, folds, hold_out
from .vectors import Float32Array

MIN_PAIRS = 10
TEST_SHARE, MAX_TEST = 0.2, 5000
VALIDATION_SHARE, MAX_VALIDATION = 0.15, 2000
CROSS_VALIDATE_BELOW = 2500
N_FOLDS = 5


@dataclass(frozen=True, eq=False)
class Fitted:
    """All that a rung is built from: the spectrum of some rows, and a bank of them."""

    spectrum: Spectrum
    bank: Bank


@dataclass(frozen=True, eq=False)
class ValidationPart:
    """Rows that choose, and what was fitted without them."""

    fitted: Fitted
    source: Float32Array
    target: Float32Array
    relevance: Relevance
    groups: tuple[str, ...] | None


@dataclass(frozen=True, eq=False)
class Development:
    """The rows of a fit, sorted by what they are for.

    Attributes:
        parts: what hyper-parameters are chosen by.
        fitted: on every pair that may be seen before the test; this is what the test judges.
        everything: on the test part as well, where it was split off here.
        test: the pairs that judge.
        n_fitted, n_everything: rows behind each.
        leaked: rows left out because one of their sides also stands in the test part.
    """

    parts: list[ValidationPart]
    fitted: Fitted
    everything: Fitted
    test: Pairs
    n_fitted: int
    n_everything: int
    leaked: int


def develop(
    pairs: Pairs, *, validation: Pairs | None, test: Pairs | None, seed: int
) -> Development:
    """Split the pairs, and accumulate the moments of every part.

    Moments add up. The sums over all development rows are read once; leaving a validation part
    out subtracts its own few rows. So a million memory-mapped pairs are never copied. (The five
    folds of a small set read each row a second time.)

    Raises:
        FitError: too few pairs, or nothing left beside the test set.
    """
    n = len(pairs)
    rows = np.arange(n)
    if test is None:
        split = hold_out(pairs, TEST_SHARE, seed=seed, at_most=MAX_TEST)
        rows, test = split.kept, pairs.select(split.held_out)
    leaks = np.intersect1d(rows, find_leaks(pairs, test))
    rows = np.setdiff1d(rows, leaks)
    if len(rows) < MIN_PAIRS // 2:
        raise FitError(
            f"{len(leaks)} of {len(leaks) + len(rows)} training pairs share a text with the test "
            "set; nothing is left to fit on. Are both the same file, or most texts the same?"
        )
    moments = _moments(pairs, rows)
    if validation is not None:
        unseen = np.setdiff1d(np.arange(len(validation)), find_leaks(validation, test))
        if len(unseen) < MIN_PAIRS // 2:
            raise FitError(
                f"{len(validation) - len(unseen)} of {len(validation)} validation pairs also "
                "stand in the test set; what judges must not choose."
            )
        validation = validation.select(unseen)
        train = np.setdiff1d(rows, find_leaks(pairs, validation))
        if len(train) < MIN_PAIRS // 2:
            raise FitError(
                f"{len(rows) - len(train)} of {len(rows)} training pairs also stand in the "
                "validation set; nothing is left to fit on. Are both the same file?"
            )
        inner = _without(moments, pairs, rows, train, seed)
        parts = [_part(inner, validation)]
        seen = np.setdiff1d(np.arange(len(validation)), find_leaks(validation, pairs))
        moments = moments + _moments(validation, seen)
    else:
        seen = rows[:0]
        splits = (
            folds(pairs, N_FOLDS, seed=seed, rows=rows)
            if len(rows) < CROSS_VALIDATE_BELOW
            else [
                hold_out(pairs, VALIDATION_SHARE, seed=seed + 1, at_most=MAX_VALIDATION, rows=rows)
            ]
        )
        parts = []
        for split in splits:
            held = pairs.select(split.held_out)
            train = np.setdiff1d(split.kept, find_leaks(pairs, held))
            if len(train) < MIN_PAIRS // 2:
                continue  # nearly every row repeats a held-out text
            fitted = _without(moments, pairs, rows, train, seed)
            parts.append(_part(fitted, held))
        if not parts:
            raise FitError(
                "Every pair shares a text with so many others that none can be held out. Give "
                "more different pairs, or validation and test sets of your own."
            )
    fitted = Fitted(Spectrum(moments), _bank(pairs, rows, seed))
    everything, all_rows = fitted, rows
    if len(rows) + len(leaks) < n:  # the test part was split off here, so it may be learned from
        all_rows = np.arange(n)
        rest = _moments(pairs, np.setdiff1d(all_rows, rows))
        everything = Fitted(Spectrum(moments + rest), _bank(pairs, all_rows, seed))
    return Development(
        parts=parts,
        fitted=fitted,
        everything=everything,
        test=test,
        n_fitted=len(rows) + len(seen),
        n_everything=len(all_rows) + len(seen),
        leaked=len(leaks),
    )


def _without(moments: Moments, pairs: Pairs, rows: Rows, train: Rows, seed: int) -> Fitted:
    """Fit on ``train`` alone, from the moments of ``rows`` that contain it."""
    rest = _moments(pairs, np.setdiff1d(rows, train))
    return Fitted(Spectrum(moments - rest), _bank(pairs, train, seed))


def _moments(pairs: Pairs, rows: Rows) -> Moments:
    x, y = pairs.required_vectors("source"), pairs.required_vectors("target")
    return Moments.of(x, y, rows)


def _bank(pairs: Pairs, rows: Rows, seed: int) -> Bank:
    x, y = pairs.required_vectors("source"), pairs.required_vectors("target")
    return Bank.sample(x, y, rows, seed=seed)


def _part(fitted: Fitted, held: Pairs) -> ValidationPart:
    x, y = (np.asarray(held.required_vectors(side), np.float32) for side in SIDES)
    return ValidationPart(fitted, x, y, Relevance.of(held), held.groups)
