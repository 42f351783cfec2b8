"""Which rows are fitted, which choose and which judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

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
OTHERS = 0.2
"""Documents of an index that no pair names, to one that a pair does: fewer are hardly any."""
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
        test: the rows that may be fitted before the test, and the pairs that judge. None where the
            folds hold all pairs: then they judge as well.
        validation: a set of the caller's, which then is held out in the only part.
        validation_rows: rows of it that are fitted in the end.
        pool: the documents of the index: those that any pair names, and those of an index.
        sources: what is learned from beside the pairs.
        leaked: rows left out because one of their sides also stands in the test part.
    """

    pairs: Pairs
    final_rows: Rows
    parts: list[Part]
    test: Part | None
    validation: Pairs | None
    validation_rows: Rows
    pool: Pool
    sources: tuple[Source, ...]
    leaked: int

    def choosing(self, seed: int) -> Positions:
        """Return the positions of the documents among which the questions that choose are ranked.

        They are all but those of a test part: what judges must not choose. Of many, the answers
        and as many others as hundreds of settings may be scored on.
        """
        asking = [part.questions for part in self.parts]
        answers = np.unique(np.concatenate([self.pool.positions(each) for each in asking]))
        others = np.arange(len(self.pool))
        if self.test is not None:
            others = self.pool.without(self.test.held_out)
        others = np.setdiff1d(others, answers)
        at_most = max(len(answers), CHOOSING_CELLS // sum(map(len, asking)) - len(answers))
        return np.union1d(answers, others[drawn(len(others), at_most, seed)])

    @cached_property
    def holds_others(self) -> bool:
        """Whether the index holds more than a few documents that no set of the caller's names."""
        sets = [self.validation, None if self.test is None else self.test.held_out]
        others = self.pool.without(self.pairs)
        for named in filter(None, sets):
            others = np.setdiff1d(others, self.pool.positions(named))
        return len(others) >= OTHERS * (len(self.pool) - len(others))

    @property
    def judged(self) -> list[Part]:
        """The parts that judge: the test part, or every fold."""
        return self.parts if self.test is None else [self.test]

    def unfitted(self, part: Part) -> Positions:
        """Return the positions of the documents that no pair names which a part has fitted.

        Texts of an index stay: a map that has read them is drawn to them, not away.
        """
        free = self.pool.without(self.pairs.select(part.train))
        if self.validation is not None:
            free = np.setdiff1d(free, self.pool.positions(self.validation))
        return np.union1d(free, self.pool.positions(part.held_out))

    @cached_property
    def questions(self) -> Pairs:
        """All pairs that judge, part after part."""
        return concatenated([part.questions for part in self.judged])

    @cached_property
    def known(self) -> NDArray[np.bool_] | None:
        """Say which of the questions ask for documents that fitted pairs name, (n,).

        None where so few do that they say nothing by themselves.
        """
        parts = self.judged
        known = [np.arange(len(part.questions)) >= len(part.held_out) for part in parts]
        mask = np.concatenate(known)
        return mask if mask.sum() >= MIN_KNOWN else None

    @property
    def n_fitted(self) -> int:
        """Rows behind a map that is judged; of folds, the mean."""
        fitted = round(sum(len(part.train) for part in self.judged) / len(self.judged))
        return fitted + (0 if self.test is None else len(self.validation_rows))

    @property
    def n_final(self) -> int:
        """Rows behind the map that ships."""
        return len(self.final_rows) + len(self.validation_rows)


def judged_by_folds(pairs: Pairs, validation: Pairs | None, test: Pairs | None) -> bool:
    """Whether every pair judges, out of fold: few pairs, and no sets of the caller's."""
    return test is None and validation is None and len(pairs) < CROSS_VALIDATE_BELOW


def n_folds(n_rows: int) -> int:
    """Return how many folds so many rows are cut into."""
    return FOLDS_OF_FEW if n_rows < FEW_PAIRS else N_FOLDS


def split_test(pairs: Pairs, validation: Pairs | None, test: Pairs | None, seed: int) -> Split:
    """Hold out the pairs of a test part; none where the folds or a set of the caller's judge."""
    if test is None and not judged_by_folds(pairs, validation, test):
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
        validation, test: sets of the caller's. Without them all pairs are cut into folds, which
            choose and judge. Of many, a fifth is held out to judge, and a part of the rest to
            choose.
        sources: are carried along.
        documents: sets whose targets are documents of the index, too; nothing else is used.
        seed: decides what is held out.
        asks_known: whether new questions about documents that pairs name judge, too.

    Raises:
        FitError: too few pairs, or nothing left beside the test set.
    """
    every = np.arange(len(pairs))
    rows = final_rows = every
    validation_rows, leaked, judge = every[:0], 0, None
    if not judged_by_folds(pairs, validation, test):
        given = test is not None
        judge, rows, leaked = _test_part(pairs, validation, test, seed, asks_known=asks_known)
        test = judge.held_out
        if given:  # a test part that was split off here may be learned from in the end
            final_rows = rows
        rows = judge.train
    if validation is None or test is None:
        parts = _folds(pairs, rows, seed)
    else:
        validation, train = _without_leaks(pairs, rows, validation, test)
        parts = [_with_known(pairs, train, validation, seed)]
        validation_rows = np.setdiff1d(np.arange(len(validation)), find_leaks(validation, pairs))
    return SplitPlan(
        pairs=pairs,
        final_rows=final_rows,
        parts=parts,
        test=judge,
        validation=validation,
        validation_rows=validation_rows,
        pool=_pool(
            [part for part in (pairs, validation, test) if part is not None],
            list(documents),
            [part.questions for part in (*parts, *([] if judge is None else [judge]))],
        ),
        sources=sources,
        leaked=leaked,
    )


def _test_part(
    pairs: Pairs, validation: Pairs | None, test: Pairs | None, seed: int, *, asks_known: bool
) -> tuple[Part, Rows, int]:
    """Return what judges, the rows that may be fitted then, and how many leaked into the test."""
    split = split_test(pairs, validation, test, seed)
    if test is None:
        test = pairs.select(split.held_out)
    leaks = np.intersect1d(split.kept, find_leaks(pairs, test))
    rows = np.setdiff1d(split.kept, leaks)
    if len(rows) < LEAST_FITTED:
        raise FitError(
            f"{len(leaks)} of {len(split.kept)} training pairs share a text, or a vector, "
            "with the test set; nothing is left to fit on. Are both the same file, or most texts "
            "the same to the encoder?"
        )
    known = known_questions(pairs, rows, seed, at_least=MIN_KNOWN) if asks_known else rows[:0]
    asked = pairs.select(known) if len(known) else None
    return Part(np.setdiff1d(rows, known), test, asked), rows, len(leaks)


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
        splits = folds(pairs, n_folds(len(rows)), seed=seed, rows=rows)
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
            "Every pair shares a text, or a vector, with so many others that none can be held out. "
            "Are most texts the same to the encoder? Give more different pairs, or validation and "
            "test sets of your own."
        )
    return parts


def _with_known(pairs: Pairs, train: Rows, held_out: Pairs, seed: int) -> Part:
    """Hold out some questions about the documents that the other training rows name."""
    known = known_questions(pairs, train, seed + 1)
    if len(known) == 0 or len(train) - len(known) < LEAST_FITTED:
        return Part(train, held_out)
    return Part(np.setdiff1d(train, known), held_out, pairs.select(known))
