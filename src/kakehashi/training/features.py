"""What a map may read of a text: the encoder's vector, or that with character n-grams beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from ..data.pairs import Pairs
from ..metrics.pool import Pool
from ..projection import Projection
from ..projection.head import AffineHead
from ..projection.moments import Matrix
from ..projection.ngrams import CharacterNgrams
from ..types import SIDES, Mode, Side
from ..vectors import Float32Array

MAX_NGRAM_PAIRS = 50_000
"""Pairs up to which n-grams are tried: the two sides side by side take 600 MB there."""

_BUCKETS = ((300, 256), (1000, 512))
"""Buckets of fewer pairs than so many: what few pairs can tell apart is found in a tenth of the
time of the full dimension."""


@dataclass(frozen=True, eq=False)
class FeatureSet:
    """What is read of each side, and what both sides have in common before any pair is seen.

    Attributes:
        mode: the mode of the maps over this feature set.
        ngrams: for a side of which the texts are read, how.
        same_space: whether the encoders' own vectors of the two sides can be compared.
        prior: (d_x, d_y), ones where both sides have the same feature; None where they have none.
        directions: how many directions a map of both sides keeps; None for all.
    """

    mode: Mode
    ngrams: Mapping[Side, CharacterNgrams] = field(default_factory=dict)
    same_space: bool = False
    prior: Matrix | None = None
    directions: int | None = None

    def read(self, pairs: Pairs) -> Pairs:
        """Return the pairs with the features of each text in place of its vector.

        Rows of vectors alone are read as empty texts. Their n-grams are all the same, so that
        centring takes them away, and leave the vector its usual share of a row's length.
        """
        if not self.ngrams:
            return pairs
        vectors: dict[Side, Float32Array | None] = dict.fromkeys(SIDES)
        for side in SIDES:
            texts, ngrams = pairs.texts(side), self.ngrams.get(side)
            if ngrams is not None:
                read = [""] * len(pairs) if texts is None else texts
                vectors[side] = ngrams.beside(pairs.required_vectors(side), read)
        return pairs.with_vectors(vectors["source"], vectors["target"])

    def documents(self, pool: Pool) -> Float32Array:
        """Return the features of the documents of a pool, (m, d_y)."""
        assert pool.vectors is not None
        vectors, ngrams = np.asarray(pool.vectors, np.float32), self.ngrams.get("target")
        if ngrams is None:
            return vectors
        assert pool.texts is not None
        return ngrams.beside(vectors, pool.texts)

    def weights(self, side: Side, width: int, weight: float) -> Matrix:
        """Return a one for each dimension of the encoder, and ``weight`` for each of the n-grams.

        Args:
            width: dimensions of both together.
        """
        read = self.ngrams[side].dimension if side in self.ngrams else 0
        return np.concatenate([np.ones(width - read), np.full(read, weight)])

    def folded(self, projection: Projection, weight: float) -> Projection:
        """Return a projection of rows whose n-grams were weighted as one of the rows as read."""
        heads: dict[str, AffineHead | None] = {}
        for side in SIDES:
            head = projection.source if side == "source" else projection.target
            if head is not None and side in self.ngrams:
                weights = self.weights(side, len(head.weight), weight)
                head = AffineHead.of(weights[:, None] * head.weight, head.bias)
            heads[side] = head
        return replace(projection, **heads)  # type: ignore[arg-type]  # a head a side

    def finish(self, projection: Projection) -> Projection:
        """Return a projection that reads the n-grams of this feature set for itself."""
        return replace(projection, ngrams=self.ngrams) if self.ngrams else projection


def feature_sets(mode: Mode, pairs: Pairs, *, same_space: bool, ngrams: bool) -> list[FeatureSet]:
    """Return the feature sets that maps of a mode are fitted on.

    They are the vectors, and the vectors with n-grams. Mode ``keep`` reads n-grams of the source
    alone, since stored targets stay as they are.

    Args:
        mode: of the maps.
        pairs: n pairs with (n, d_x) and (n, d_y) vectors; fewer pairs get fewer buckets.
        same_space: whether the vectors of both sides can be compared; then they share features.
        ngrams: whether texts may be read; the pairs then have those of the sides that are read.
    """
    dx, dy = (pairs.required_vectors(side).shape[1] for side in SIDES)
    vectors_only = FeatureSet(mode, {}, same_space, np.eye(dx, dy) if same_space else None)
    if not ngrams:
        return [vectors_only]
    buckets = [buckets for below, buckets in _BUCKETS if len(pairs) < below]
    feature = CharacterNgrams(*buckets[:1])
    if mode == "keep":
        prior = np.eye(dx + feature.dimension, dy) if same_space else None
        return [vectors_only, FeatureSet(mode, {"source": feature}, same_space, prior)]
    prior = np.zeros((dx + feature.dimension, dy + feature.dimension))
    prior[dx:, dy:] = np.eye(feature.dimension)
    if same_space:
        prior[:dx, :dy] = np.eye(dx)
    both_sides: dict[Side, CharacterNgrams] = {"source": feature, "target": feature}
    return [vectors_only, FeatureSet(mode, both_sides, same_space, prior, dy)]
