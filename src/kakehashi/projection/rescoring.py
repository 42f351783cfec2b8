"""Rescoring: a map of ``shared`` mode orders the first hits of a ``keep`` search again.

The index stays as it is, since the stored vectors of a few hits are projected when they are found.
Retrieval of a first list and a second, better look at it is an old idea (cascade ranking: Wang et
al., SIGIR 2011); here the second look is a linear map of vectors that are there anyway.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from numpy.typing import NDArray

from ..data.hashing import hash_of
from ..errors import DataError
from ..types import SIDES, Side
from ..vectors import Float32Array, as_matrix
from .projection import Projection

MAX_HITS = 1000
"""No rescoring asks for more hits: a store would read them all for each query."""


@dataclass(frozen=True, eq=False)
class Rescoring:
    """The second map of a ``keep`` aligner, and how many hits it orders again.

    Its scores are inner products of :meth:`query` and :meth:`documents`, both of unit length.

    Attributes:
        projection: a map of ``shared`` mode; its inputs are the encoders' own vectors.
        n_hits: the hits of a ``keep`` search that are ordered again.

    Raises:
        DataError: ``n_hits`` is out of range, or the projection leaves a side as it is.
    """

    projection: Projection
    n_hits: int

    def __post_init__(self) -> None:
        """Check what a caller may give."""
        if type(self.n_hits) is not int or not 1 <= self.n_hits <= MAX_HITS:
            raise DataError(f"n_hits={self.n_hits!r:.20}; give a whole number of 1 to {MAX_HITS}.")
        widths = [self.projection.dimensions(side) for side in SIDES]
        if None in widths or self.projection.query_offset is not None:
            raise DataError("Rescoring takes a projection of mode 'shared', which maps both sides.")

    def query(self, vectors: Any, *, texts: Sequence[str] | None = None) -> Float32Array:
        """Project (n, d) vectors of the source encoder: (n, d_out) float32.

        Queries of the target are not rescored (:meth:`kakehashi.Aligner.rescoring_of`).

        Args:
            vectors: (n, d) of any float dtype, as the encoder gives queries.
            texts: the n texts behind them, where :meth:`reads` ``("source")`` says so.

        Raises:
            VectorError, DataError: as :meth:`kakehashi.Aligner.project`.
        """
        matrix = self._matrix(vectors, "source")
        return self.projection(matrix, modality="source", role="query", texts=texts)

    def documents(self, vectors: Any, *, texts: Sequence[str] | None = None) -> Float32Array:
        """Project the stored (m, d) vectors of hits: (m, d_out) float32.

        Args:
            vectors: (m, d) of any float dtype: the target encoder's own, of documents.
            texts: the m texts behind them, where :meth:`reads` ``("target")`` says so.

        Raises:
            VectorError, DataError: as :meth:`kakehashi.Aligner.project`.
        """
        matrix = self._matrix(vectors, "target")
        return self.projection(matrix, modality="target", role="document", texts=texts)

    def reads(self, modality: Side) -> bool:
        """Whether it reads this modality's texts beside the vectors (character n-grams)."""
        return modality in self.projection.ngrams

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the map, for what keeps projected documents."""
        return hash_of(*self.projection.state())

    def _matrix(self, vectors: Any, modality: Side) -> Float32Array:
        mapped = self.projection.dimensions(modality)
        assert mapped is not None  # checked when this was built
        return as_matrix(vectors, dimension=mapped[0], what=f"{modality} vectors")

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return a JSON-ready record and named tensors."""
        record, tensors = self.projection.state()
        return {"projection": record, "n_hits": self.n_hits}, tensors

    @classmethod
    def from_state(
        cls, record: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]
    ) -> Rescoring:
        """Rebuild a rescoring from :meth:`state`.

        Raises:
            ValueError, KeyError, TypeError: the record or the tensors are of another shape.
        """
        try:
            return cls(Projection.from_state(record["projection"], tensors), record["n_hits"])
        except DataError as error:
            raise ValueError(str(error)) from error
