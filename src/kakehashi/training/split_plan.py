"""Which rows are fitted, which choose and which judge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..data.duplicates import find_leaks
from ..data.pairs import Pairs
from ..data.splits import Rows, folds, hold_out
from ..errors import FitError

MIN_PAIRS = 10
LEAST_FITTED = 5
"""Rows that anything is fitted on or chosen by, at least."""
TEST_SHARE, MAX_TEST = 0.2, 5000
VALIDATION_SHARE, MAX_VALIDATION = 0.15, 2000
CROSS_VALIDATE_BELOW = 2500
FEW_PAIRS, FOLDS_OF_FEW, N_FOLDS = 600, 5, 3


class Part(NamedTuple):
    """Rows that are fitted, and pairs that are held out: none of the rows shares a text with them.

    Held-out queries are ranked among the targets held out with them, and among no fitted ones:
    those are easier to tell apart for the map that was fitted on them.
    """

    train: Rows
    held_out: Pairs


@dataclass(frozen=True, eq=False)
class SplitPlan:
    """The rows of a fit, sorted by their purpose.

    Attributes:
        pairs: all that the caller gave.
        final_rows: the rows of them that the map is fitted on to ship.
        parts: hyper-parameters are chosen by them: a fold each, or one part.
        judged: the rows that may be fitted before the test, and the pairs that judge.
        validation: a set of the caller's, which then is held out in the only part.
        validation_rows: rows of it that are fitted in the end.
        unpaired: rows of one text on both sides, as both encoders see it.
        leaked: rows left out because one of their sides also stands in the test part.
    """

    pairs: Pairs
    final_rows: Rows
    parts: list[Part]
    judged: Part
    validation: Pairs | None
    validation_rows: Rows
    unpaired: Pairs | None
    leaked: int

    @property
    def cross_validated(self) -> bool:
        """Whether every development row chose once, without having been fitted."""
        return len(self.parts) > 1

    @property
    def n_fitted(self) -> int:
        """Rows behind the map that the test judges."""
        return len(self.judged.train) + len(self.validation_rows)

    @property
    def n_final(self) -> int:
        """Rows behind the map that ships."""
        return len(self.final_rows) + len(self.validation_rows)


def plan_split(
    pairs: Pairs,
    *,
    validation: Pairs | None,
    test: Pairs | None,
    unpaired: Pairs | None = None,
    seed: int,
) -> SplitPlan:
    """Split the pairs.

    Args:
        validation, test: sets of the caller's. Without them a fifth of the pairs is held out to
            judge, and the rest is cut into folds (or one part, where there are many) to choose.
        unpaired: is carried along.
        seed: decides what is held out.

    Raises:
        FitError: too few pairs, or nothing left beside the test set.
    """
    rows = np.arange(len(pairs))
    if test is None:
        split = hold_out(pairs, TEST_SHARE, seed=seed, at_most=MAX_TEST)
        rows, test = split.kept, pairs.select(split.held_out)
    split_off = len(rows) < len(pairs)
    leaks = np.intersect1d(rows, find_leaks(pairs, test))
    rows = np.setdiff1d(rows, leaks)
    if len(rows) < LEAST_FITTED:
        raise FitError(
            f"{len(leaks)} of {len(leaks) + len(rows)} training pairs share a text, or a vector, "
            "with the test set; nothing is left to fit on. Are both the same file, or most texts "
            "the same to the encoder?"
        )
    validation_rows = rows[:0]
    if validation is None:
        parts = _folds(pairs, rows, seed)
    else:
        validation, train = _without_leaks(pairs, rows, validation, test)
        parts = [Part(train, validation)]
        all_rows = np.arange(len(validation))
        validation_rows = np.setdiff1d(all_rows, find_leaks(validation, pairs))
    return SplitPlan(
        pairs=pairs,
        # A test part that was split off here may be learned from in the end.
        final_rows=np.arange(len(pairs)) if split_off else rows,
        parts=parts,
        judged=Part(rows, test),
        validation=validation,
        validation_rows=validation_rows,
        unpaired=unpaired,
        leaked=len(leaks),
    )


def _without_leaks(pairs: Pairs, rows: Rows, validation: Pairs, test: Pairs) -> tuple[Pairs, Rows]:
    """Return the validation pairs that the test set does not hold, and the rows in neither."""
    unseen = np.setdiff1d(np.arange(len(validation)), find_leaks(validation, test))
    if len(validation) < LEAST_FITTED:
        raise FitError(
            f"{len(validation)} validation pairs are too few to choose by; give at least "
            f"{LEAST_FITTED}, or none and leave the choice to cross-validation."
        )
    if len(unseen) < LEAST_FITTED:
        raise FitError(
            f"{len(validation) - len(unseen)} of {len(validation)} validation pairs also "
            "stand in the test set; what judges must not choose."
        )
    validation = validation.select(unseen)
    train = np.setdiff1d(rows, find_leaks(pairs, validation))
    if len(train) < LEAST_FITTED:
        raise FitError(
            f"{len(rows) - len(train)} of {len(rows)} training pairs also stand in the "
            "validation set; nothing is left to fit on. Are both the same file?"
        )
    return validation, train


def _folds(pairs: Pairs, rows: Rows, seed: int) -> list[Part]:
    """Cut the rows into folds, or hold one part out where there are many."""
    if len(rows) < CROSS_VALIDATE_BELOW:
        n_folds = FOLDS_OF_FEW if len(rows) < FEW_PAIRS else N_FOLDS
        splits = folds(pairs, n_folds, seed=seed, rows=rows)
    else:
        share, at_most = VALIDATION_SHARE, MAX_VALIDATION
        splits = [hold_out(pairs, share, seed=seed + 1, at_most=at_most, rows=rows)]
    parts = []
    for split in splits:
        held_out = pairs.select(split.held_out)
        train = np.setdiff1d(split.kept, find_leaks(pairs, held_out))
        if len(train) >= LEAST_FITTED:  # else nearly every row repeats a held-out text
            parts.append(Part(train, held_out))
    if not parts:
        raise FitError(
            "Every pair shares a text with so many others that none can be held out. Give "
            "more different pairs, or validation and test sets of your own."
        )
    return parts
