"""The vectors that documents get when their collection is moved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ..aligner import Aligner
from ..errors import DataError
from ..integrations.stores.movable.protocol import StoredRow
from ..integrations.stores.rows import names_the_source
from ..multi_aligner import MultiAligner
from ..vectors import Float32Array, squared_norms, unit_rows

_SAME = 2e-3
"""Largest distance of a stored unit vector from the one that was written: half precision rounds
each number by a factor of 2^-11 at most, so a vector by 5e-4."""


def shared_map(aligner: Aligner | MultiAligner) -> Aligner:
    """Return the aligner of mode ``shared`` that moves an index: itself, or its second map.

    Raises:
        DataError: it has no such map.
    """
    if isinstance(aligner, MultiAligner):
        raise DataError(
            "A MultiAligner has no single map of the target. Move the index by the aligner of one "
            "source modality: multi.aligners[NAME]."
        )
    return aligner if aligner.mode == "shared" else aligner.as_shared()


def is_source(row: StoredRow) -> bool:
    """Whether a document is of the source modality: its stored vector is a projected one."""
    return names_the_source(row.metadata)


class NewVectors:
    """Projects the stored vectors of documents, and tells whether that was done.

    A document of the source modality holds a vector that a map made, which nothing turns back. Its
    text is embedded again.

    Args:
        shared: an aligner of mode ``shared``.
    """

    def __init__(self, shared: Aligner) -> None:
        self.shared = shared

    def of(self, rows: Sequence[StoredRow]) -> Float32Array:
        """Return the (n, d_out) float32 vectors of n documents."""
        vectors = np.empty((len(rows), self.shared.output_dimension), np.float32)
        targets = [i for i, row in enumerate(rows) if not is_source(row)]
        sources = [i for i, row in enumerate(rows) if is_source(row)]
        if targets:
            vectors[targets] = self._projected([rows[i] for i in targets])
        if sources:
            texts = [rows[i].text or "" for i in sources]
            vectors[sources] = self.shared.embed_documents(texts, modality="source")
        return vectors

    def _projected(self, rows: Sequence[StoredRow]) -> Float32Array:
        stored = np.stack([row.vector for row in rows if row.vector is not None])
        reads = self.shared.reads("target")
        texts = [row.text or "" for row in rows] if reads else None
        return self.shared.project(stored, texts=texts, modality="target", role="document")

    def missing(
        self, rows: Sequence[StoredRow], there: Mapping[str, StoredRow]
    ) -> tuple[list[StoredRow], Float32Array]:
        """Return the documents that are not there as they should be, with their new vectors.

        A document of the source modality is right where all but its vector is: that was made of
        its text, in the same write.

        Args:
            there: what the new collection holds under the ids of ``rows``.
        """
        whole = [_untouched(row, there.get(row.id)) for row in rows]
        to_do = [
            row for row, kept in zip(rows, whole, strict=True) if not (kept and is_source(row))
        ]
        vectors = self.of(to_do)
        wrong = np.flatnonzero(~_held(to_do, there, vectors))
        return [to_do[i] for i in wrong], vectors[wrong]


def _untouched(row: StoredRow, moved: StoredRow | None) -> bool:
    return moved is not None and moved.untouched == row.untouched


def _held(
    rows: Sequence[StoredRow], there: Mapping[str, StoredRow], vectors: Float32Array
) -> NDArray[np.bool_]:
    """Return (n,) whether each document is there whole, with its vector of (n, d) new ones."""
    held = np.zeros(len(rows), bool)
    stored = {}
    for i, row in enumerate(rows):
        moved = there.get(row.id)
        if moved is None or moved.vector is None or not _untouched(row, moved):
            continue
        if len(moved.vector) == vectors.shape[1]:
            stored[i] = moved.vector
    if stored:
        which = [*stored]
        apart = unit_rows(np.stack([*stored.values()])) - unit_rows(vectors[which])
        held[which] = squared_norms(apart) <= _SAME**2
    return held
