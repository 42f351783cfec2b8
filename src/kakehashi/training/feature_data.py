"""What maps are built from and scored on: a split plan carried out on a feature set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..data.pairs import Pairs, concatenated
from ..data.splits import Rows
from ..metrics.relevance import Clusters, Relevance
from ..projection.moments import Moments, Spectrum
from ..types import SIDES, Mode
from ..vectors import Float32Array, drawn
from .features import FeatureSet
from .hubness_bank import Bank

_SPECTRA_KEPT = 3  # of 1,408 dimensions a side, 110 MB each


@dataclass(frozen=True, eq=False)
class TrainingRows:
    """The rows behind a fit, for what is trained on rows and not on their sums.

    Attributes:
        in_coordinates: whether they are coordinates of unit rows, and not to be scaled.
    """

    sets: list[tuple[Pairs, Rows]]
    seed: int
    in_coordinates: bool = False

    def sample(self, at_most: int) -> Pairs:
        """Return all rows, or so many of them drawn evenly, with vectors in memory as float32."""
        total = sum(len(rows) for _, rows in self.sets)
        picked = drawn(total, at_most, self.seed)
        parts, start = [], 0
        for pairs, rows in self.sets:
            mine = picked[(picked >= start) & (picked < start + len(rows))] - start
            parts.append(pairs.select(rows[mine]))
            start += len(rows)
        return concatenated(parts)


@dataclass(frozen=True, eq=False)
class TrainStatistics:
    """What a map is built from: sums over some rows, a sample of them, and the rows themselves.

    Attributes:
        sources: sums over the rows of each source beside the pairs, by its name.
    """

    features: FeatureSet
    moments: Moments
    bank: Bank
    training: TrainingRows
    sources: Mapping[str, Moments]
    _spectra: dict[Any, Spectrum] = field(default_factory=dict, repr=False)

    def spectrum(
        self, *, weights: Mapping[str, float] | None = None, ngrams: float = 1.0
    ) -> Spectrum:
        """Return means and covariances.

        The last few are kept until :meth:`forget`: a setting that is tried again costs nothing.

        Args:
            weights: as how many pairs each source counts; one that is not named does not.
            ngrams: how much n-grams count beside the encoder's vector, where they are read; what
                is built then takes weighted rows (:meth:`.features.FeatureSet.folded`).
        """
        weights = weights or {}
        setting = (tuple(sorted(weights.items())), ngrams)
        if setting not in self._spectra:
            if len(self._spectra) >= _SPECTRA_KEPT:
                self._spectra.pop(next(iter(self._spectra)))
            # A fold may hold all rows of a source, which then has no sums.
            named = [(self.sources[s], w) for s, w in weights.items() if w and s in self.sources]
            moments = self.moments.pooled(named) if named else self.moments
            if ngrams != 1:
                dx, dy = moments.xy.shape
                of_dimensions = self.features.weights
                moments = moments.weighted(
                    of_dimensions("source", dx, ngrams), of_dimensions("target", dy, ngrams)
                )
            self._spectra[setting] = Spectrum(
                moments, self.features.prior, dimensions=self.features.dimensions
            )
        return self._spectra[setting]

    def forget(self) -> None:
        """Drop what was decomposed, once the settings of a feature set are chosen."""
        self._spectra.clear()


@dataclass(frozen=True, eq=False)
class HeldOutQueries:
    """Held-out queries and the documents that they are ranked among, as a feature set reads them.

    Attributes:
        source: (n, d_x) float32, the queries.
        documents: (m, d_y) float32.
        relevance: which of the documents are the pool, and which answer which query.
        lengths: (m,) of the documents that coordinates stand for; None where they are none.
    """

    source: Float32Array
    documents: Float32Array
    relevance: Relevance
    lengths: Float32Array | None = None

    @classmethod
    def of(cls, held_out: Pairs) -> HeldOutQueries:
        """Take both sides of pairs, whose targets alone are the pool."""
        x, y = (np.asarray(held_out.required_vectors(side), np.float32) for side in SIDES)
        return cls(x, y, Relevance.of(held_out))


@dataclass(frozen=True, eq=False)
class HeldOutPart:
    """Queries that choose or judge, and the statistics of the rows that are fitted without them."""

    statistics: TrainStatistics
    queries: HeldOutQueries


@dataclass(frozen=True, eq=False)
class FeatureData:
    """A split plan carried out on one feature set.

    Attributes:
        parts: hyper-parameters are chosen by them.
        judging: the parts that judge, whose queries are ranked among all documents of the index:
            the same folds, or one test part.
        everything: of all that the map is fitted on to ship.
        narrow: the parts in fewer directions, in which settings are searched.
        clusters: of the questions of all parts.
    """

    features: FeatureSet
    parts: list[HeldOutPart]
    judging: list[HeldOutPart]
    everything: TrainStatistics
    narrow: list[HeldOutPart] = field(default_factory=list)
    clusters: Clusters = None

    def in_mode(self, mode: Mode) -> FeatureData:
        """Return the same for maps of another mode, which read the same: vectors alone."""
        made: dict[TrainStatistics, TrainStatistics] = {}  # a part that chooses may also judge

        def of_mode(statistics: TrainStatistics) -> TrainStatistics:
            if statistics not in made:
                features = replace(statistics.features, mode=mode)
                made[statistics] = replace(statistics, features=features, _spectra={})
            return made[statistics]

        def parts(given: list[HeldOutPart]) -> list[HeldOutPart]:
            return [replace(part, statistics=of_mode(part.statistics)) for part in given]

        return FeatureData(
            replace(self.features, mode=mode),
            parts(self.parts),
            parts(self.judging),
            of_mode(self.everything),
            parts(self.narrow),
            self.clusters,
        )

    def forget(self) -> None:
        """Drop what was decomposed, once settings are chosen."""
        for part in (*self.parts, *self.narrow, *self.judging):
            part.statistics.forget()
