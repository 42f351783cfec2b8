"""A split plan carried out on a feature set: the sums over the rows of each part, read once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..data.duplicates import find_leaks
from ..data.pairs import Pairs
from ..data.splits import Rows
from ..metrics.pool import Positions
from ..projection.moments import Moments
from ..vectors import Float32Array, thinned
from .feature_data import FeatureData, HeldOutQueries, TrainingRows, TrainStatistics, ValidationPart
from .features import MAX_NGRAM_PAIRS, FeatureSet
from .hubness_bank import Bank
from .sources import TARGETS, Source
from .split_plan import LEAST_FITTED, Part, SplitPlan


def develop(plan: SplitPlan, features: FeatureSet, *, seed: int) -> FeatureData:
    """Accumulate the sums of every part of a plan, over the features of its texts.

    Moments add up. The sums over all development rows are read once; leaving a validation part
    out subtracts its own few rows. So a million memory-mapped pairs are never copied. (The
    folds of a small set read each row a second time.)

    Args:
        plan: its pairs with vectors on both sides, and with texts where the features read them.
        features: what is read of a text; vectors become (n, d) or (n, d + buckets) float32.
        seed: of the samples of rows that hubs are found by and that a head is trained on.
    """
    reader = _PlanReader.of(plan, features, seed)
    moments = _moments(reader.pairs, plan.judged.train)
    parts = [reader.validation_part(part, moments) for part in plan.parts]
    development = reader.development(moments)
    everything = reader.everything(development)
    test = reader.queries(plan.judged, reader.documents, None)
    return FeatureData(features, parts, development, everything, test)


@dataclass(frozen=True, eq=False)
class _PlanReader:
    """A split plan, and its pairs as a feature set reads them."""

    plan: SplitPlan
    features: FeatureSet
    seed: int
    pairs: Pairs
    validation: Pairs | None
    sources: dict[str, _Summed]
    documents: Float32Array

    @classmethod
    def of(cls, plan: SplitPlan, features: FeatureSet, seed: int) -> _PlanReader:
        validation = None if plan.validation is None else features.read(plan.validation)
        sources = dict(_summed(plan.sources, features))
        documents = features.documents(plan.pool)
        pairs = features.read(plan.pairs)
        return cls(plan, features, seed, pairs, validation, sources, documents)

    @cached_property
    def choosing(self) -> tuple[Float32Array, Positions]:
        """The documents that questions which choose are ranked among, and their positions."""
        rows = self.plan.choosing(self.seed)
        return self.documents[rows], rows

    def queries(
        self, part: Part, documents: Float32Array, rows: Positions | None
    ) -> HeldOutQueries:
        """Rank the questions of a part among some documents of the pool, or among all."""
        relevance = self.plan.pool.relevance(part.questions, rows=rows)
        x = np.asarray(self.features.read(part.questions).required_vectors("source"), np.float32)
        return HeldOutQueries(x, documents, replace(relevance, pool=np.arange(len(documents))))

    def validation_part(self, part: Part, moments: Moments) -> ValidationPart:
        """Subtract from the moments of all development rows those that a part does not fit."""
        not_fitted = np.setdiff1d(self.plan.judged.train, part.train)
        fitted = moments - _moments(self.pairs, not_fitted)
        hidden = [part.questions, self.plan.judged.questions]
        statistics = self._statistics(fitted, [(self.pairs, part.train)], hidden)
        return ValidationPart(statistics, self.queries(part, *self.choosing))

    def development(self, moments: Moments) -> TrainStatistics:
        """Add the validation set of the caller to the development rows."""
        if self.validation is not None:
            moments = moments + _moments(self.validation, self.plan.validation_rows)
        sets = self._with_validation(self.plan.judged.train)
        return self._statistics(moments, sets, [self.plan.judged.questions])

    def everything(self, development: TrainStatistics) -> TrainStatistics:
        """Add the test part, where it was split off the pairs."""
        every, train = self.plan.final_rows, self.plan.judged.train
        if len(every) <= len(train):
            return development
        moments = development.moments + _moments(self.pairs, np.setdiff1d(every, train))
        return self._statistics(moments, self._with_validation(every), [])

    def _with_validation(self, rows: Rows) -> list[tuple[Pairs, Rows]]:
        sets = [(self.pairs, rows)]
        if self.validation is not None and len(self.plan.validation_rows):
            sets.append((self.validation, self.plan.validation_rows))
        return sets

    def _statistics(
        self, moments: Moments, sets: list[tuple[Pairs, Rows]], hidden: list[Pairs]
    ) -> TrainStatistics:
        """Put statistics together; no row of a source that stands in ``hidden`` is counted."""
        sums = {name: each.without(hidden) for name, each in self.sources.items()}
        sources = {name: moments for name, moments in sums.items() if moments is not None}
        pairs, rows = sets[0]
        x, y = pairs.required_vectors("source"), pairs.required_vectors("target")
        bank = Bank.sample(x, y, rows, self.documents, seed=self.seed)
        return TrainStatistics(self.features, moments, bank, TrainingRows(sets, self.seed), sources)


def notes_on_sources(plan: SplitPlan) -> Iterator[str]:
    """Say how many rows of a source the test part leaves unread, or too few."""
    for name, rows in plan.sources:
        n, leaks = len(rows), len(find_leaks(rows, plan.judged.questions))
        few = n - leaks < LEAST_FITTED
        if name == TARGETS:
            continue  # those of the test part are always among them
        if leaks:
            used = "what it judges does not learn from them"
            if few:
                used = f"the {n - leaks} others are too few to use, at least {LEAST_FITTED} are"
                used += " needed"
            yield f"{leaks} of {n} rows of {name} also stand in the test part: {used}"
        elif few:
            yield f"{n} rows of {name} are too few to use; give at least {LEAST_FITTED}"


def _summed(sources: tuple[Source, ...], features: FeatureSet) -> Iterator[tuple[str, _Summed]]:
    """Yield the sources as features are read."""
    for name, rows in sources:
        read = rows
        if features.ngrams and len(rows) > MAX_NGRAM_PAIRS:  # both sides side by side are large
            read = rows.select(np.arange(len(rows))[thinned(len(rows), MAX_NGRAM_PAIRS)])
        yield name, _Summed(read, features)


class _Summed:
    """Sums over the rows of a source, without those that stand in a held-out set."""

    def __init__(self, pairs: Pairs, features: FeatureSet) -> None:
        self._pairs, self._read = pairs, features.read(pairs)
        self._all = _moments(self._read, np.arange(len(pairs)))

    def without(self, held_out: list[Pairs]) -> Moments | None:
        leaks_by_set = [find_leaks(self._pairs, part) for part in held_out]
        leaks = np.unique(np.concatenate([np.arange(0), *leaks_by_set]))
        if len(leaks) > len(self._pairs) - LEAST_FITTED:
            return None  # notes_on_sources says so
        return self._all - _moments(self._read, leaks)


def _moments(pairs: Pairs, rows: Rows) -> Moments:
    x, y = pairs.required_vectors("source"), pairs.required_vectors("target")
    return Moments.of(x, y, rows)
