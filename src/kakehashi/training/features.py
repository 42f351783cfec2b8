"""What a map may read of a text: the encoder's vector, or that with character n-grams beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..data.pairs import Pairs
from ..metrics.pool import Pool
from ..projection import Projection
from ..projection.coordinates import Basis, leading
from ..projection.head import AffineHead
from ..projection.lifting import lifted
from ..projection.moments import Matrix
from ..projection.ngrams import CharacterNgrams
from ..types import SIDES, Mode, Side
from ..vectors import Float32Array, chunks, squared_norms, unit_rows

MAX_NGRAM_PAIRS = 50_000
"""Pairs up to which n-grams are tried: the two sides side by side take 600 MB there."""

_BUCKETS = ((300, 256), (1000, 512))
"""Buckets of fewer pairs than so many: what few pairs can tell apart is found in a tenth of the
time of the full dimension."""

VECTOR_DIRECTIONS, NGRAM_DIRECTIONS = 384, 1024
"""Directions that maps are solved in, where the rows have more dimensions. As many vectors as were
measured to find what all of them find (benchmarks/dimensions.py), and every bucket of n-grams: a
quarter of the buckets found .70 where all of them find .75 (docs/decisions.md)."""


@dataclass(frozen=True, eq=False)
class Documents:
    """What is read of the documents of a pool.

    Attributes:
        rows: (m, d_y) float32.
        lengths: (m,) of the rows that coordinates stand for; None where there are none.
    """

    rows: Float32Array
    lengths: Float32Array | None = None

    def __getitem__(self, which: Any) -> Documents:
        """Return some of them."""
        lengths = None if self.lengths is None else self.lengths[which]
        return Documents(self.rows[which], lengths)

    def __len__(self) -> int:
        """Return m."""
        return len(self.rows)

    @property
    def scaled(self) -> Float32Array:
        """Unit rows, or the coordinates of such."""
        return unit_rows(self.rows) if self.lengths is None else self.rows / self.lengths[:, None]


@dataclass(frozen=True, eq=False)
class FeatureSet:
    """What is read of each side, and what both sides have in common before any pair is seen.

    Attributes:
        mode: the mode of the maps over this feature set.
        ngrams: for a side of which the texts are read, how.
        same_space: whether the encoders' own vectors of the two sides can be compared.
        prior: (d_x, d_y), ones where both sides have the same feature; None where they have none.
        directions: how many directions a map of both sides keeps; None for all.
        basis: of each side, where rows are read as coordinates (:mod:`..projection.coordinates`);
            empty where they are read as they are.
        dimensions: of both sides, of what coordinates stand for; None where there are none.
    """

    mode: Mode
    ngrams: Mapping[Side, CharacterNgrams] = field(default_factory=dict)
    same_space: bool = False
    prior: Matrix | None = None
    directions: int | None = None
    basis: Mapping[Side, Basis] = field(default_factory=dict)
    dimensions: tuple[int, int] | None = None

    def read(self, pairs: Pairs) -> Pairs:
        """Return the pairs with the features of each text in place of its vector.

        Rows of vectors alone are read as empty texts. Their n-grams are all the same, so that
        centring takes them away, and leave the vector its usual share of a row's length.

        Coordinates are those of unit rows.
        """
        if not self.ngrams and not self.basis:
            return pairs
        read = {side: self._rows(pairs, side) for side in SIDES}
        return pairs.with_vectors(read["source"], read["target"])

    def _rows(self, pairs: Pairs, side: Side) -> Float32Array | None:
        """Return what is read of one side; None where that is its vectors."""
        if side not in self.ngrams and not self.basis:
            return None
        vectors, texts = pairs.required_vectors(side), pairs.texts(side)
        if not self.basis:
            return self._beside(vectors, texts, side)
        parts = []
        for part in chunks(len(vectors)):
            some = None if texts is None else texts[part]
            rows = unit_rows(self._beside(vectors[part], some, side))
            parts.append(self.basis[side].of(rows, vectors.shape[1]))
        return np.concatenate(parts)

    def _beside(self, vectors: Any, texts: Sequence[str] | None, side: Side) -> Float32Array:
        rows: Float32Array = np.asarray(vectors, np.float32)
        if side not in self.ngrams:
            return rows
        return self.ngrams[side].beside(rows, [""] * len(rows) if texts is None else texts)

    def documents(self, pool: Pool) -> Documents:
        """Return the features of the documents of a pool."""
        assert pool.vectors is not None
        rows = self._beside(pool.vectors, pool.texts, "target")
        if not self.basis:
            return Documents(rows)
        lengths = np.sqrt(squared_norms(rows))
        basis, width = self.basis["target"], pool.vectors.shape[1]
        parts = [basis.of(rows[part], width) for part in chunks(len(rows))]
        return Documents(np.concatenate(parts), lengths)

    def in_coordinates(self, samples: Sequence[Pairs], *, seed: int) -> FeatureSet:
        """Return this feature set with its rows as coordinates, where they have many dimensions.

        Args:
            samples: of the rows of a fit; their leading directions are the basis.
            seed: of the search for these.
        """
        widths = {side: samples[0].required_vectors(side).shape[1] for side in SIDES}
        buckets = max((ngrams.dimension for ngrams in self.ngrams.values()), default=0)
        if max(widths.values()) <= VECTOR_DIRECTIONS and buckets <= NGRAM_DIRECTIONS:
            return self
        read = {
            side: np.concatenate(
                [self._beside(s.required_vectors(side), s.texts(side), side) for s in samples]
            )
            for side in SIDES
        }
        vectors = {side: unit_rows(read[side][:, : widths[side]]) for side in SIDES}
        ngrams = {side: read[side][:, widths[side] :] for side in self.ngrams}
        of_vectors = _bases(vectors, VECTOR_DIRECTIONS, seed, together=self.same_space)
        of_ngrams = _bases(ngrams, NGRAM_DIRECTIONS, seed, together=len(ngrams) == len(SIDES))
        basis: dict[Side, Basis] = {s: Basis(of_vectors[s], of_ngrams.get(s)) for s in SIDES}
        r, k = (
            {s: _width(rows[s], b.get(s)) for s in rows}
            for rows, b in ((vectors, of_vectors), (ngrams, of_ngrams))
        )
        prior = prior_of(r, k, same_space=self.same_space)
        directions = None if self.directions is None else r["target"]
        return replace(
            self,
            basis=basis,
            prior=prior,
            directions=directions,
            dimensions=(read["source"].shape[1], read["target"].shape[1]),
        )

    def weights(self, side: Side, width: int, weight: float) -> Matrix:
        """Return a one for each dimension of the encoder, and ``weight`` for each of the n-grams.

        Args:
            width: dimensions of both together.
        """
        read = self.n_ngrams(side)
        return np.concatenate([np.ones(width - read), np.full(read, weight)])

    def n_ngrams(self, side: Side) -> int:
        """Return how many of a side's features are those of n-grams."""
        if side not in self.ngrams:
            return 0
        basis = self.basis[side].ngrams if self.basis else None
        return self.ngrams[side].dimension if basis is None else basis.shape[1]

    def folded(self, projection: Projection, weight: float) -> Projection:
        """Return a projection of rows whose n-grams were weighted as one of the rows as read."""
        heads: dict[str, AffineHead | None] = {}
        for side in SIDES:
            head = projection.source if side == "source" else projection.target
            if head is not None and side in self.ngrams:
                weights = self.weights(side, len(head.weight), weight)
                folded = AffineHead.of(weights[:, None] * head.weight, head.bias)
                head = replace(head, weight=folded.weight)
            heads[side] = head
        return replace(projection, **heads)  # type: ignore[arg-type]  # a head a side

    def lift(self, projection: Projection) -> Projection:
        """Return a projection of coordinates as one of what they are coordinates of."""
        if not self.basis:
            return projection
        counts = {side: self.n_ngrams(side) for side in SIDES}
        return lifted(projection, self.basis, counts, together=self.same_space)

    def finish(self, projection: Projection) -> Projection:
        """Return a projection that serves: of vectors, and reading n-grams for itself."""
        projection = self.lift(projection)
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
    widths: dict[Side, int] = {"source": dx, "target": dy}
    vectors_only = FeatureSet(mode, {}, same_space, prior_of(widths, {}, same_space=same_space))
    if not ngrams:
        return [vectors_only]
    buckets = [buckets for below, buckets in _BUCKETS if len(pairs) < below]
    feature = CharacterNgrams(*buckets[:1])
    if mode == "keep":
        prior = prior_of(widths, {"source": feature.dimension}, same_space=same_space)
        return [vectors_only, FeatureSet(mode, {"source": feature}, same_space, prior)]
    prior = prior_of(widths, dict.fromkeys(SIDES, feature.dimension), same_space=same_space)
    both_sides: dict[Side, CharacterNgrams] = {"source": feature, "target": feature}
    return [vectors_only, FeatureSet(mode, both_sides, same_space, prior, dy)]


def _bases(
    rows: Mapping[Side, Float32Array], k: int, seed: int, *, together: bool
) -> dict[Side, Float32Array | None]:
    """Return the leading directions of each side, or one basis of both; None where all are kept."""
    found: dict[Side, Float32Array | None] = {}
    for i, (side, of_side) in enumerate(rows.items()):
        if together and found:
            found[side] = next(iter(found.values()))
        elif of_side.shape[1] <= k:
            found[side] = None
        else:
            sample = np.concatenate(list(rows.values())) if together else of_side
            found[side] = leading(sample, k, seed + i)
    return found


def _width(rows: Float32Array, basis: Float32Array | None) -> int:
    widest = rows if basis is None else basis
    return int(widest.shape[1])


def prior_of(
    vectors: Mapping[Side, int], ngrams: Mapping[Side, int], *, same_space: bool
) -> Matrix | None:
    """Return ones where both sides have the same feature, given how many each has."""
    both_read = len(ngrams) == len(SIDES)
    if not same_space and not both_read:
        return None
    dx, dy = vectors["source"], vectors["target"]
    prior = np.zeros((dx + ngrams.get("source", 0), dy + ngrams.get("target", 0)))
    if same_space:
        prior[:dx, :dy] = np.eye(dx, dy)
    if both_read:
        prior[dx:, dy:] = np.eye(ngrams["source"])
    return prior
