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
from ..metrics.relevance import clusters_of
from ..projection.moments import Moments
from ..vectors import drawn, thinned
from .closed_forms import AS_PAIRS
from .feature_data import FeatureData, HeldOutPart, HeldOutQueries, TrainingRows, TrainStatistics
from .features import MAX_NGRAM_PAIRS, Documents, FeatureSet
from .hubness_bank import Bank
from .narrowing import narrowed
from .sources import TARGETS, Source
from .split_plan import LEAST_FITTED, Part, SplitPlan

MAX_SAMPLE = 4096
"""Rows of each set that a basis is made of."""


def develop(plan: SplitPlan, features: FeatureSet, *, seed: int) -> FeatureData:
    """Accumulate the sums of every part of a plan, over the features of its texts.

    Moments add up. The sums over all rows are read once; leaving a part out subtracts its own few
    rows. So a million memory-mapped pairs are never copied. (Folds read each row a second time.)

    Args:
        plan: its pairs with vectors on both sides, and with texts where the features read them.
        features: what is read of a text; vectors become (n, d) or (n, d + buckets) float32.
        seed: of the samples of rows that hubs are found by and that a head is trained on.
    """
    whole = features
    features = features.in_coordinates(_samples(plan, seed), seed=seed)
    reader = _PlanReader.of(plan, features, seed)
    moments = reader.moments(reader.pairs, plan.final_rows)
    documents, searched = reader.choosing
    fitted = [reader.without(part, moments) for part in plan.parts]
    parts = [
        HeldOutPart(statistics, _queries(plan, features, part, documents, searched))
        for part, statistics in zip(plan.parts, fitted, strict=True)
    ]
    if plan.test is not None:
        fitted = [reader.before_test(plan.test, moments)]
    documents = whole.documents(plan.pool)
    judging = [
        HeldOutPart(statistics, _queries(plan, whole, part, documents, None))
        for part, statistics in zip(plan.judged, fitted, strict=True)
    ]
    if plan.test is not None and len(plan.test.train) == len(plan.final_rows):
        everything = fitted[0]
    else:
        everything = reader.everything(moments)
    narrow = narrowed(features, parts, moments)
    clusters = clusters_of(*(part.questions for part in plan.parts))
    return FeatureData(features, parts, judging, everything, narrow, clusters)


@dataclass(frozen=True, eq=False)
class _PlanReader:
    """A split plan, and its pairs as a feature set reads them."""

    plan: SplitPlan
    features: FeatureSet
    seed: int
    pairs: Pairs
    validation: Pairs | None
    sources: dict[str, _Summed]
    documents: Documents

    @classmethod
    def of(cls, plan: SplitPlan, features: FeatureSet, seed: int) -> _PlanReader:
        validation = None if plan.validation is None else features.read(plan.validation)
        sources = dict(_summed(plan.sources, features))
        documents = features.documents(plan.pool)
        pairs = features.read(plan.pairs)
        return cls(plan, features, seed, pairs, validation, sources, documents)

    @cached_property
    def choosing(self) -> tuple[Documents, Positions]:
        """The documents that questions which choose are ranked among, and their positions."""
        rows = self.plan.choosing(self.seed)
        return self.documents[rows], rows

    def moments(self, read: Pairs, rows: Rows) -> Moments:
        """Sum over some rows of what was read."""
        return _moments(read, rows, self.features)

    def without(self, part: Part, moments: Moments) -> TrainStatistics:
        """Subtract from the moments of all rows those that a part does not fit."""
        test = self.plan.test
        hidden = [part.questions, *([] if test is None else [test.questions])]
        return self._statistics(self._fitted(part, moments), [(self.pairs, part.train)], hidden)

    def before_test(self, test: Part, moments: Moments) -> TrainStatistics:
        """Return the statistics of all that may be seen before the test, validation rows too."""
        fitted = self._and_validation(self._fitted(test, moments))
        return self._statistics(fitted, self._with_validation(test.train), [test.questions])

    def everything(self, moments: Moments) -> TrainStatistics:
        """Return the statistics of all rows that are fitted in the end."""
        sets = self._with_validation(self.plan.final_rows)
        return self._statistics(self._and_validation(moments), sets, [])

    def _fitted(self, part: Part, moments: Moments) -> Moments:
        not_fitted = np.setdiff1d(self.plan.final_rows, part.train)
        return moments - self.moments(self.pairs, not_fitted)

    def _and_validation(self, moments: Moments) -> Moments:
        if self.validation is None:
            return moments
        return moments + self.moments(self.validation, self.plan.validation_rows)

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
        weighed = [(moments, moments.n), *((each, AS_PAIRS) for each in sources.values())]
        sums_of_queries = weighed if self.plan.holds_others else None
        bank = Bank.sample(x, y, rows, self.documents, sums_of_queries, seed=self.seed)
        training = TrainingRows(sets, self.seed, bool(self.features.basis))
        return TrainStatistics(self.features, moments, bank, training, sources)


def notes_on_sources(plan: SplitPlan) -> Iterator[str]:
    """Say how many rows of a source the test part leaves unread, or too few."""
    for name, rows in plan.sources:
        n = len(rows)
        leaks = 0 if plan.test is None else len(find_leaks(rows, plan.test.questions))
        few = n - leaks < LEAST_FITTED
        if name == TARGETS:
            continue  # those of the test part are always among them
        if leaks:
            used = "what it judges does not learn from them"
            if few:
                used = (
                    f"the {n - leaks} others are too few to use, at least {LEAST_FITTED} are needed"
                )
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
        self._pairs, self._read, self._features = pairs, features.read(pairs), features
        self._all = _moments(self._read, np.arange(len(pairs)), features)

    def without(self, held_out: list[Pairs]) -> Moments | None:
        leaks_by_set = [find_leaks(self._pairs, part) for part in held_out]
        leaks = np.unique(np.concatenate([np.arange(0), *leaks_by_set]))
        if len(leaks) > len(self._pairs) - LEAST_FITTED:
            return None  # notes_on_sources says so
        return self._all - _moments(self._read, leaks, self._features)


def _moments(read: Pairs, rows: Rows, features: FeatureSet) -> Moments:
    x, y = read.required_vectors("source"), read.required_vectors("target")
    return Moments.of(x, y, rows, scaled=not features.basis)


def _queries(
    plan: SplitPlan,
    features: FeatureSet,
    part: Part,
    documents: Documents,
    rows: Positions | None,
) -> HeldOutQueries:
    """Rank the questions of a part among some documents of the pool, or among all."""
    relevance = plan.pool.relevance(part.questions, rows=rows)
    x = np.asarray(features.read(part.questions).required_vectors("source"), np.float32)
    relevance = replace(relevance, pool=np.arange(len(documents)))
    return HeldOutQueries(x, documents.rows, relevance, documents.lengths)


def _samples(plan: SplitPlan, seed: int) -> list[Pairs]:
    """Draw from all rows that may be learned from before a test, for a basis of them."""
    rows = plan.final_rows if plan.test is None else plan.test.train
    others = [rows for _, rows in plan.sources]
    if plan.validation is not None:
        others.append(plan.validation)
    sets = [(plan.pairs, rows), *((each, np.arange(len(each))) for each in others)]
    return [pairs.select(some[drawn(len(some), MAX_SAMPLE, seed)]) for pairs, some in sets]
