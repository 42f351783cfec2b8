"""Which rows are fitted, which choose and which judge; and the sums of each, read once."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .errors import FitError
from .evaluation.relevance import Relevance
from .pairs import SIDES, Pairs, find_leaks
from .projection.moments import Moments, Spectrum
from .rungs import Bank, TrainingRows
from .splits import Rows, folds, hold_out
from .vectors import Float32Array, chunks, unit_rows
from .views import MAX_NGRAM_PAIRS, View

MIN_PAIRS = 10
TEST_SHARE, MAX_TEST = 0.2, 5000
VALIDATION_SHARE, MAX_VALIDATION = 0.15, 2000
CROSS_VALIDATE_BELOW = 2500
FEW_PAIRS, FOLDS_OF_FEW, N_FOLDS = 600, 5, 3
_SAME = 1 - 1e-4
"""Cosine from which two vectors are of one text; float16 storage moves it by less than 1e-6."""


@dataclass(frozen=True, eq=False)
class Plan:
    """The rows of a fit, sorted by what they are for.

    Attributes:
        pairs: all that was given, with ``rows`` of it to develop on, and ``every`` row to ship.
        parts: the rows that are fitted and those that choose, once a fold; the latter None where a
            ``validation`` set was given.
        seen: rows of the validation set that are fitted in the end.
        test: the pairs that judge.
        unpaired: rows of one text on both sides, as both encoders see it.
        leaked: rows left out because one of their sides also stands in the test part.
    """

    pairs: Pairs
    rows: Rows
    every: Rows
    parts: list[tuple[Rows, Rows | None]]
    validation: Pairs | None
    seen: Rows
    test: Pairs
    unpaired: Pairs | None
    leaked: int

    @property
    def cross_validated(self) -> bool:
        """Whether every development row chose once, without having been fitted."""
        return len(self.parts) > 1

    @property
    def groups_that_choose(self) -> list[str] | None:
        """The group of each row that chooses, part by part; None without groups."""
        of_parts = [
            self.validation if held is None else self.pairs.select(held) for _, held in self.parts
        ]
        groups = [None if part is None else part.groups for part in of_parts]
        return None if None in groups else [group for part in groups for group in part or ()]

    @property
    def n_fitted(self) -> int:
        """Rows behind what the test judges."""
        return len(self.rows) + len(self.seen)

    @property
    def n_every(self) -> int:
        """Rows behind what ships."""
        return len(self.every) + len(self.seen)


@dataclass(frozen=True, eq=False)
class Fitted:
    """All that a rung is built from: sums over some rows, a bank of them, and the rows themselves.

    Attributes:
        unpaired: sums over unpaired rows, if there are any.
    """

    view: View
    moments: Moments
    bank: Bank
    training: TrainingRows
    unpaired: Moments | None
    _spectra: dict[float, Spectrum] = field(default_factory=dict, repr=False)

    def spectrum(self, unpaired: float = 0.0) -> Spectrum:
        """Return means and covariances, with unpaired rows counted so much beside the pairs."""
        if unpaired not in self._spectra:
            moments = self.moments
            if unpaired and self.unpaired is not None:  # a fold may hold all of them
                moments = moments.pooled(self.unpaired, unpaired)
            self._spectra[unpaired] = Spectrum(moments, self.view.prior)
        return self._spectra[unpaired]


@dataclass(frozen=True, eq=False)
class ValidationPart:
    """Rows that choose, and what was fitted without them."""

    fitted: Fitted
    source: Float32Array
    target: Float32Array
    relevance: Relevance


@dataclass(frozen=True, eq=False)
class Development:
    """A plan carried out on one view.

    Attributes:
        parts: what hyper-parameters are chosen by.
        fitted: on every pair that may be seen before the test; this is what the test judges.
        everything: on the test part as well, where it was split off here.
        test: the pairs that judge, as the view reads them.
    """

    view: View
    parts: list[ValidationPart]
    fitted: Fitted
    everything: Fitted
    test: Pairs


def plan(
    pairs: Pairs,
    *,
    validation: Pairs | None,
    test: Pairs | None,
    unpaired: Pairs | None = None,
    seed: int,
) -> Plan:
    """Split the pairs.

    Raises:
        FitError: too few pairs, or nothing left beside the test set.
    """
    n = len(pairs)
    rows = np.arange(n)
    if test is None:
        split = hold_out(pairs, TEST_SHARE, seed=seed, at_most=MAX_TEST)
        rows, test = split.kept, pairs.select(split.held_out)
    split_off = len(rows) < n
    leaks = np.intersect1d(rows, find_leaks(pairs, test))
    rows = np.setdiff1d(rows, leaks)
    if len(rows) < MIN_PAIRS // 2:
        raise FitError(
            f"{len(leaks)} of {len(leaks) + len(rows)} training pairs share a text with the test "
            "set; nothing is left to fit on. Are both the same file, or most texts the same?"
        )
    seen = rows[:0]
    parts: list[tuple[Rows, Rows | None]]
    if validation is not None:
        validation, train = _without_leaks(pairs, rows, validation, test)
        parts = [(train, None)]
        seen = np.setdiff1d(np.arange(len(validation)), find_leaks(validation, pairs))
    else:
        parts = [(train, held) for train, held in _folds(pairs, rows, seed)]
    return Plan(
        pairs=pairs,
        rows=rows,
        every=np.arange(n) if split_off else rows,  # what was split off here may be learned from
        parts=parts,
        validation=validation,
        seen=seen,
        test=test,
        unpaired=unpaired,
        leaked=len(leaks),
    )


def _without_leaks(pairs: Pairs, rows: Rows, validation: Pairs, test: Pairs) -> tuple[Pairs, Rows]:
    """Return the validation pairs that the test set does not hold, and the rows in neither."""
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
    return validation, train


def _folds(pairs: Pairs, rows: Rows, seed: int) -> list[tuple[Rows, Rows]]:
    if len(rows) < CROSS_VALIDATE_BELOW:
        splits = folds(
            pairs, FOLDS_OF_FEW if len(rows) < FEW_PAIRS else N_FOLDS, seed=seed, rows=rows
        )
    else:
        splits = [
            hold_out(pairs, VALIDATION_SHARE, seed=seed + 1, at_most=MAX_VALIDATION, rows=rows)
        ]
    found = []
    for split in splits:
        train = np.setdiff1d(split.kept, find_leaks(pairs, pairs.select(split.held_out)))
        if len(train) >= MIN_PAIRS // 2:  # else nearly every row repeats a held-out text
            found.append((train, split.held_out))
    if not found:
        raise FitError(
            "Every pair shares a text with so many others that none can be held out. Give "
            "more different pairs, or validation and test sets of your own."
        )
    return found


def develop(plan: Plan, view: View, *, seed: int) -> Development:
    """Accumulate the sums of every part of a plan, as a view reads its texts.

    Moments add up. The sums over all development rows are read once; leaving a validation part
    out subtracts its own few rows. So a million memory-mapped pairs are never copied. (The
    folds of a small set read each row a second time.)
    """
    pairs, test = view.of(plan.pairs), view.of(plan.test)
    validation = None if plan.validation is None else view.of(plan.validation)
    unpaired = _unpaired(plan.unpaired, view)
    moments = _moments(pairs, plan.rows)

    def fitted(m: Moments, rows: Rows, *held: Pairs, seen: Rows = plan.rows[:0]) -> Fitted:
        sets = [(pairs, rows)]
        if validation is not None and len(seen):
            sets.append((validation, seen))
        alone = None if unpaired is None else unpaired.without(*held)
        return Fitted(view, m, _bank(pairs, rows, seed), TrainingRows(sets, seed), alone)

    parts = []
    for train, held_rows in plan.parts:
        if held_rows is None:
            assert validation is not None
            assert plan.validation is not None
            held, untouched = validation, plan.validation
        else:
            held, untouched = pairs.select(held_rows), plan.pairs.select(held_rows)
        rest = _moments(pairs, np.setdiff1d(plan.rows, train))
        x, y = (np.asarray(held.required_vectors(side), np.float32) for side in SIDES)
        part = fitted(moments - rest, train, untouched, plan.test)
        parts.append(ValidationPart(part, x, y, Relevance.of(held)))
    if validation is not None:
        moments = moments + _moments(validation, plan.seen)
    judged = fitted(moments, plan.rows, plan.test, seen=plan.seen)
    everything = judged
    if len(plan.every) > len(plan.rows):
        rest = _moments(pairs, np.setdiff1d(plan.every, plan.rows))
        everything = fitted(moments + rest, plan.every, seen=plan.seen)
    return Development(view, parts, judged, everything, test)


def _unpaired(rows: Pairs | None, view: View) -> _Unpaired | None:
    """Return unpaired rows as a view reads them; none where it reads texts that they lack."""
    if rows is None or any(rows.texts(side) is None for side in view.ngrams):
        return None
    if view.ngrams and len(rows) > MAX_NGRAM_PAIRS:  # both sides side by side would be large
        rows = rows.select(np.arange(0, len(rows), -(-len(rows) // MAX_NGRAM_PAIRS)))
    return _Unpaired(rows, view)


class _Unpaired:
    """Sums over unpaired rows, without those of which a text is held out."""

    def __init__(self, rows: Pairs, view: View) -> None:
        self._rows, self._read = rows, view.of(rows)
        self._all = _moments(self._read, np.arange(len(rows)))

    def without(self, *held: Pairs) -> Moments | None:
        known = [find_leaks(self._rows, part) for part in held]
        known += [_alike(self._rows, part) for part in held]
        leaks = np.unique(np.concatenate(known)) if known else np.arange(0)
        if len(leaks) > len(self._rows) - MIN_PAIRS // 2:
            return None
        return self._all - _moments(self._read, leaks)


def _alike(rows: Pairs, held: Pairs) -> Rows:
    """Return the rows whose target is a held-out one but for rounding.

    Unpaired texts are often encoded in another run than the vectors of the pairs, and a vector
    then differs in its last bits; where the pairs have no texts, only the vectors can tell.
    """
    targets = unit_rows(np.asarray(held.required_vectors("target"), np.float32))
    found = []
    for part in chunks(len(rows), 1024):
        block = unit_rows(np.asarray(rows.required_vectors("target")[part], np.float32))
        nearest = (block @ targets.T).max(axis=1, initial=-1)
        found.append(part.start + np.flatnonzero(nearest > _SAME))
    return np.concatenate(found)


def _moments(pairs: Pairs, rows: Rows) -> Moments:
    x, y = pairs.required_vectors("source"), pairs.required_vectors("target")
    return Moments.of(x, y, rows)


def _bank(pairs: Pairs, rows: Rows, seed: int) -> Bank:
    x, y = pairs.required_vectors("source"), pairs.required_vectors("target")
    return Bank.sample(x, y, rows, seed=seed)
