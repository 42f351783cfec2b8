"""Candidate maps: each is data, from which its projection is built on any training statistics."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..projection import Projection
from ..types import Mode
from .closed_forms import COUNTS, ClosedForm, Parameters
from .feature_data import FeatureData, TrainStatistics
from .gradient import contrastive
from .hubness_bank import corrected


class Recipe(Protocol):
    """How a map is made from the statistics of some rows."""

    def build(self, statistics: TrainStatistics) -> Projection:
        """Build the projection of vectors, as the feature set of the statistics reads them."""
        ...


@dataclass(frozen=True)
class IdentityMap:
    """The vectors as they are."""

    def build(self, statistics: TrainStatistics) -> Projection:
        """Return the identity."""
        return Projection()


@dataclass(frozen=True, eq=False)
class ClosedFormMap:
    """A closed form at one setting of its hyper-parameters."""

    form: ClosedForm
    parameters: Parameters

    def build(self, statistics: TrainStatistics) -> Projection:
        """Build the form; weights of sources and of n-grams belong to the sums."""
        weights = {name: self.parameters[name] for name in COUNTS if name in self.parameters}
        others = {name: v for name, v in self.parameters.items() if name not in COUNTS}
        spectrum, features = statistics.spectrum(**weights), statistics.features
        made = self.form.build(spectrum, features.mode, **others)
        return features.folded(made, weights.get("ngrams", 1.0))


@dataclass(frozen=True, eq=False)
class CorrectedMap:
    """Another candidate with the hubness correction."""

    start: Candidate
    setting: Parameters

    def build(self, statistics: TrainStatistics) -> Projection:
        """Build the other candidate, then correct it by a sample of the rows."""
        plain = self.start.build(statistics)
        return corrected(plain, statistics.features.mode, statistics.bank, [self.setting])[0]


@dataclass(frozen=True, eq=False)
class TrainedMap:
    """Another candidate, trained further by gradient descent for a number of epochs."""

    start: Candidate
    epochs: int
    seed: int

    def build(self, statistics: TrainStatistics) -> Projection:
        """Build the other candidate, then train it on the rows."""
        label = training_label(statistics, "to judge and ship")
        return trained(self.start, statistics, self.seed, label, stop_after=self.epochs)[-1]


def training_label(statistics: TrainStatistics, purpose: str) -> str:
    """Name a training in its progress bar."""
    return f"{statistics.features.mode}: training {contrastive.LEARNED}, {purpose}"


def trained(
    start: Candidate,
    statistics: TrainStatistics,
    seed: int,
    label: str,
    *,
    stop_after: int | None = None,
) -> list[Projection]:
    """Train a candidate further on the rows of some statistics; return it after each epoch."""
    return contrastive.refine(
        start.build(statistics),
        statistics.training,
        statistics.features.mode,
        seed=seed,
        stop_after=stop_after,
        label=label,
    )


@dataclass(frozen=True, eq=False)
class Candidate:
    """A candidate map: how it is built, and the reciprocal rank of each validation query.

    Attributes:
        data: the statistics that it was tuned on.
        parameters: its hyper-parameters, as they are reported.
        per_query: (n,) float64, over the queries of all validation parts.
        cpu_seconds: CPU time of the search for it.
    """

    name: str
    data: FeatureData
    parameters: Parameters
    recipe: Recipe
    per_query: NDArray[np.float64]
    cpu_seconds: float = 0.0
    _built: dict[TrainStatistics, Projection] = field(default_factory=dict, repr=False)

    @property
    def mode(self) -> Mode:
        """The mode of its feature set."""
        return self.data.features.mode

    @property
    def score(self) -> float:
        """Mean reciprocal rank on validation."""
        return float(self.per_query.mean())

    def build(self, statistics: TrainStatistics) -> Projection:
        """Build the projection, once for the same statistics."""
        if statistics not in self._built:
            self._built[statistics] = self.recipe.build(statistics)
        return self._built[statistics]

    def lifted(self, statistics: TrainStatistics) -> Projection:
        """Build the projection, of rows that are no coordinates."""
        return self.data.features.lift(self.build(statistics))
