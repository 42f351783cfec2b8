"""What maps are built from and scored on: a split plan carried out on a feature set."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..data.pairs import Pairs, concatenated
from ..data.splits import Rows
from ..metrics.relevance import Relevance
from ..projection.moments import Moments, Spectrum
from ..types import SIDES
from ..vectors import Float32Array, drawn
from .features import FeatureSet
from .hubness_bank import Bank

_SPECTRA_KEPT = 3  # of 1,408 dimensions a side, 110 MB each


@dataclass(frozen=True, eq=False)
class TrainingRows:
    """The rows behind a fit, for what is trained on rows and not on their sums."""

    sets: list[tuple[Pairs, Rows]]
    seed: int

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
        unpaired: sums over unpaired rows, if there are any.
    """

    features: FeatureSet
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
                is built then takes weighted rows (:meth:`.features.FeatureSet.folded`).
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
                weights = self.features.weights
                moments = moments.weighted(
                    weights("source", dx, ngrams), weights("target", dy, ngrams)
                )
            self._spectra[setting] = Spectrum(moments, self.features.prior)
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
    """

    source: Float32Array
    documents: Float32Array
    relevance: Relevance

    @classmethod
    def of(cls, held_out: Pairs) -> HeldOutQueries:
        """Take both sides of pairs, whose targets alone are the pool."""
        x, y = (np.asarray(held_out.required_vectors(side), np.float32) for side in SIDES)
        return cls(x, y, Relevance.of(held_out))


@dataclass(frozen=True, eq=False)
class ValidationPart:
    """Queries that choose, and the statistics of the rows that are fitted without them."""

    statistics: TrainStatistics
    queries: HeldOutQueries


@dataclass(frozen=True, eq=False)
class FeatureData:
    """A split plan carried out on one feature set.

    Attributes:
        parts: hyper-parameters are chosen by them.
        development: of every pair that may be seen before the test; the test judges their map.
        everything: of the test part as well, where it was split off here.
        test: the queries that judge, among all documents of the index.
    """

    features: FeatureSet
    parts: list[ValidationPart]
    development: TrainStatistics
    everything: TrainStatistics
    test: HeldOutQueries
