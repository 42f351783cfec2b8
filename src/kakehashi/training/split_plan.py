"""Which rows are fitted, which choose and which judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..data.duplicates import find_leaks
from ..data.pairs import Pairs, concatenated
from ..data.splits import Rows, Split, folds, hold_out
from ..errors import FitError
from ..metrics.pool import Pool, Positions
from ..vectors import drawn
from .features import MAX_NGRAM_PAIRS
from .known_questions import MIN_KNOWN, known_questions
from .sources import Source

MIN_PAIRS = 10
LEAST_FITTED = 5
"""Rows that anything is fitted on or chosen by, at least."""
TEST_SHARE, MAX_TEST = 0.2, 5000
CHOOSING_CELLS = 3_000_000
"""Scores of one map while settings are chosen: hundreds are scored."""
VALIDATION_SHARE, MAX_VALIDATION = 0.15, 2000
CROSS_VALIDATE_BELOW = 2500
FEW_PAIRS, FOLDS_OF_FEW, N_FOLDS = 600, 5, 3
MAX_POOL, MAX_CELLS = MAX_NGRAM_PAIRS, 100_000_000
"""Documents of the index, and scores of one map, up to which every document is ranked."""


class Part(NamedTuple):
    """Rows that are fitted, and pairs that ask.

    Attributes:
        train: the rows that are fitted.
        held_out: questions about new documents: no fitted row shares a text with them.
        known: new questions about documents that fitted rows name; None where there are none. A
            map may push all questions away from those documents, which ``held_out`` would reward.
    """

    train: Rows
    held_out: Pairs
    known: Pairs | None = None

    @property
    def questions(self) -> Pairs:
        """All pairs that ask, those about new documents first."""
        return self.held_out if self.known is None else concatenated([self.held_out, self.known])


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
        pool: the documents of the index: those that any pair names, and those of an index.
        sources: what is learned from beside the pairs.
        leaked: rows left out because one of their sides also stands in the test part.
    """

    pairs: Pairs
    final_rows: Rows
    parts: list[Part]
    judged: Part
    validation: Pairs | None
    validation_rows: Rows
    pool: Pool
    sources: tuple[Source, ...]
    leaked: int

    def choosing(self, seed: int) -> Positions:
        """Return the positions of the documents among which the questions that choose are ranked.

        They are all but those of the test part: what judges must not choose. Of many, the answers
        and as many others as hundreds of settings may be scored on.
        """
        asking = [part.questions for part in self.parts]
        answers = np.unique(np.concatenate([self.pool.positions(each) for each in asking]))
        others = np.setdiff1d(self.pool.without(self.judged.held_out), answers)
        at_most = max(len(answers), CHOOSING_CELLS // sum(map(len, asking)) - len(answers))
        return np.union1d(answers, others[drawn(len(others), at_most, seed)])

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


def split_test(pairs: Pairs, test: Pairs | None, seed: int) -> Split:
    """Hold out the pairs that judge; none where the caller gives a test set."""
    if test is None:
        return hold_out(pairs, TEST_SHARE, seed=seed, at_most=MAX_TEST)
    rows = np.arange(len(pairs))
    return Split(rows, rows[:0])


def plan_split(
    pairs: Pairs,
    *,
    validation: Pairs | None,
    test: Pairs | None,
    sources: tuple[Source, ...] = (),
    documents: Sequence[Pairs] = (),
    seed: int,
    asks_known: bool = True,
) -> SplitPlan:
    """Split the pairs.

    Args:
        validation, test: sets of the caller's. Without them a fifth of the pairs is held out to
            judge, and the rest is cut into folds (or one part, where there are many) to choose.
        sources: are carried along.
        documents: sets whose targets are documents of the index, too; nothing else is used.
        seed: decides what is held out.
        asks_known: whether new questions about documents that pairs name judge, too.

    Raises:
        FitError: too few pairs, or nothing left beside the test set.
    """
    split = split_test(pairs, test, seed)
    rows = split.kept
    if test is None:
        test = pairs.select(split.held_out)
    split_off = len(rows) < len(pairs)
    leaks = np.intersect1d(rows, find_leaks(pairs, test))
    rows = np.setdiff1d(rows, leaks)
    if len(rows) < LEAST_FITTED:
        raise FitError(
            f"{len(leaks)} of {len(leaks) + len(rows)} training pairs share a text, or a vector, "
            "with the test set; nothing is left to fit on. Are both the same file, or most texts "
            "the same to the encoder?"
        )
    known = rows[:0]
    if asks_known:
        known = known_questions(pairs, rows, seed, at_least=MIN_KNOWN)
    rows = np.setdiff1d(rows, known)
    judged = Part(rows, test, pairs.select(known) if len(known) else None)
    validation_rows = rows[:0]
    if validation is None:
        parts = _folds(pairs, rows, seed)
    else:
        validation, train = _without_leaks(pairs, rows, validation, test)
        parts = [_with_known(pairs, train, validation, seed)]
        all_rows = np.arange(len(validation))
        validation_rows = np.setdiff1d(all_rows, find_leaks(validation, pairs))
    return SplitPlan(
        pairs=pairs,
        # A test part that was split off here may be learned from in the end.
        final_rows=np.arange(len(pairs)) if split_off else np.union1d(rows, known),
        parts=parts,
        judged=judged,
        validation=validation,
        validation_rows=validation_rows,
        pool=_pool(
            [part for part in (pairs, validation, test) if part is not None],
            list(documents),
            [part.questions for part in (*parts, judged)],
        ),
        sources=sources,
        leaked=len(leaks),
    )


def _pool(sets: list[Pairs], others: list[Pairs], questions: list[Pairs]) -> Pool:
    """Gather the documents of the index; of a very large one the answers, and others at random."""
    if all(part.target_texts is not None for part in sets):  # what has none is no document of them
        others = [part for part in others if part.target_texts is not None]
    at_most = min(MAX_POOL, MAX_CELLS // max(map(len, questions)))
    return Pool.of(sets, others, at_most=at_most, always=questions)


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
            parts.append(_with_known(pairs, train, held_out, seed))
    if not parts:
        raise FitError(
            "Every pair shares a text with so many others that none can be held out. Give "
            "more different pairs, or validation and test sets of your own."
        )
    return parts


def _with_known(pairs: Pairs, train: Rows, held_out: Pairs, seed: int) -> Part:
    """Hold out some questions about the documents that the other training rows name."""
    known = known_questions(pairs, train, seed + 1)
    if len(known) == 0 or len(train) - len(known) < LEAST_FITTED:
        return Part(train, held_out)
    return Part(np.setdiff1d(train, known), held_out, pairs.select(known))
