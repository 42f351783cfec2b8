"""A plan carried out on a view: the sums over the rows of each part, read once."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..data.duplicates import find_leaks
from ..data.pairs import Pairs
from ..data.splits import Rows
from ..metrics.relevance import Relevance
from ..projection.moments import Moments, Spectrum
from ..types import SIDES
from ..vectors import Float32Array, thinned
from .features import MAX_NGRAM_PAIRS, View
from .hubness_bank import Bank
from .split_plan import LEAST_FITTED, Plan
from .training_rows import TrainingRows

_SPECTRA_KEPT = 3  # of 1,408 dimensions a side, 110 MB each


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
    _spectra: dict[tuple[float, float], Spectrum] = field(default_factory=dict, repr=False)

    def spectrum(self, *, unpaired: float = 0.0, ngrams: float = 1.0) -> Spectrum:
        """Return means and covariances.

        The last few are kept until :meth:`forget`: a setting that is tried again costs nothing.

        Args:
            unpaired: how much unpaired rows count beside the pairs.
            ngrams: how much n-grams count beside the encoder's vector, where they are read; what
                is built then takes weighted rows (:meth:`.views.View.folded`).
        """
        setting = (unpaired, ngrams)
        if setting not in self._spectra:
            if len(self._spectra) >= _SPECTRA_KEPT:
                self._spectra.pop(next(iter(self._spectra)))
            moments = self.moments
            if unpaired and self.unpaired is not None:  # a fold may hold all of them
                moments = moments.pooled(self.unpaired, unpaired)
            if ngrams != 1:
                dx, dy = moments.xy.shape
                weights = self.view.weights
                moments = moments.weighted(
                    weights("source", dx, ngrams), weights("target", dy, ngrams)
                )
            self._spectra[setting] = Spectrum(moments, self.view.prior)
        return self._spectra[setting]

    def forget(self) -> None:
        """Drop what was decomposed, once the settings of a view are chosen."""
        self._spectra.clear()


@dataclass(frozen=True, eq=False)
class Questions:
    """Held-out queries and the documents that they are ranked among, as a view reads them.

    Attributes:
        source, documents: (n, d_x) and (n, d_y) float32, both sides of the n pairs.
        relevance: which of the documents are the pool, and which answer which query.
    """

    source: Float32Array
    documents: Float32Array
    relevance: Relevance

    @classmethod
    def of(cls, held: Pairs) -> Questions:
        """Take both sides of held-out pairs."""
        x, y = (np.asarray(held.required_vectors(side), np.float32) for side in SIDES)
        return cls(x, y, Relevance.of(held))


@dataclass(frozen=True, eq=False)
class ValidationPart:
    """Queries that choose, and what was fitted without them."""

    fitted: Fitted
    questions: Questions


@dataclass(frozen=True, eq=False)
class Development:
    """A plan carried out on one view.

    Attributes:
        parts: what hyper-parameters are chosen by.
        fitted: on every pair that may be seen before the test; this is what the test judges.
        everything: on the test part as well, where it was split off here.
        test: the queries that judge.
    """

    view: View
    parts: list[ValidationPart]
    fitted: Fitted
    everything: Fitted
    test: Questions


def develop(plan: Plan, view: View, *, seed: int) -> Development:
    """Accumulate the sums of every part of a plan, as a view reads its texts.

    Moments add up. The sums over all development rows are read once; leaving a validation part
    out subtracts its own few rows. So a million memory-mapped pairs are never copied. (The
    folds of a small set read each row a second time.)

    Args:
        plan: its pairs with vectors on both sides, and with texts where the view reads them.
        view: what is read of a text; vectors become (n, d) or (n, d + buckets) float32.
        seed: of the samples of rows that hubs are told by and that learned rungs train on.
    """
    pairs, rows, test = view.of(plan.pairs), plan.judged.train, plan.judged.held
    validation = None if plan.validation is None else view.of(plan.validation)
    unpaired = _unpaired(plan.unpaired, view)
    moments = _moments(pairs, rows)

    def fitted(of: Moments, on: Rows, *, hidden: list[Pairs], seen: Rows = rows[:0]) -> Fitted:
        """Put together what is fitted on some rows; ``hidden`` pairs, as they are, stay unread."""
        sets = [(pairs, on)]
        if validation is not None and len(seen):
            sets.append((validation, seen))
        alone = None if unpaired is None else unpaired.without(hidden)
        return Fitted(view, of, _bank(pairs, on, seed), TrainingRows(sets, seed), alone)

    parts = []
    for part in plan.parts:
        rest = _moments(pairs, np.setdiff1d(rows, part.train))
        without = fitted(moments - rest, part.train, hidden=[part.held, test])
        parts.append(ValidationPart(without, Questions.of(view.of(part.held))))
    if validation is not None:
        moments = moments + _moments(validation, plan.seen)
    judged = fitted(moments, rows, hidden=[test], seen=plan.seen)
    everything = judged
    if len(plan.every) > len(rows):
        rest = _moments(pairs, np.setdiff1d(plan.every, rows))
        everything = fitted(moments + rest, plan.every, hidden=[], seen=plan.seen)
    return Development(view, parts, judged, everything, Questions.of(view.of(test)))


def unpaired_note(plan: Plan) -> str:
    """Say how many unpaired rows the test part leaves unread, or too few; nothing if all serve."""
    if plan.unpaired is None:
        return ""
    n, leaks = len(plan.unpaired), len(find_leaks(plan.unpaired, plan.judged.held))
    few = n - leaks < LEAST_FITTED
    if not leaks:
        return f"{n} unpaired rows are too few to use; give at least {LEAST_FITTED}" * few
    used = "what it judges does not learn from them"
    if few:
        used = f"the {n - leaks} others are too few to use, at least {LEAST_FITTED} are needed"
    return f"{leaks} of {n} unpaired rows also stand in the test part: {used}"


def _unpaired(rows: Pairs | None, view: View) -> _Unpaired | None:
    """Return unpaired rows as a view reads them; none where it reads texts that they lack."""
    if rows is None or any(rows.texts(side) is None for side in view.ngrams):
        return None
    if view.ngrams and len(rows) > MAX_NGRAM_PAIRS:  # both sides side by side would be large
        rows = rows.select(np.arange(len(rows))[thinned(len(rows), MAX_NGRAM_PAIRS)])
    return _Unpaired(rows, view)


class _Unpaired:
    """Sums over unpaired rows, without those of which a text is held out."""

    def __init__(self, rows: Pairs, view: View) -> None:
        self._rows, self._read = rows, view.of(rows)
        self._all = _moments(self._read, np.arange(len(rows)))

    def without(self, held: list[Pairs]) -> Moments | None:
        known = [find_leaks(self._rows, part) for part in held]
        leaks = np.unique(np.concatenate([np.arange(0), *known]))
        if len(leaks) > len(self._rows) - LEAST_FITTED:
            return None  # unpaired_note says so
        return self._all - _moments(self._read, leaks)


def _moments(pairs: Pairs, rows: Rows) -> Moments:
    x, y = pairs.required_vectors("source"), pairs.required_vectors("target")
    return Moments.of(x, y, rows)


def _bank(pairs: Pairs, rows: Rows, seed: int) -> Bank:
    x, y = pairs.required_vectors("source"), pairs.required_vectors("target")
    return Bank.sample(x, y, rows, seed=seed)
