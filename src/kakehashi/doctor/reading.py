"""Reading an index for a diagnosis: all rows are counted where that is cheap, and some are kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ..integrations.stores.movable.protocol import MovableCollection, StoredRow
from ..progress import track
from ..vectors import Float32Array, drawn, squared_norms, unit_rows
from .census import Census

KEPT = 5_000
"""Documents whose texts and vectors are kept at most."""
_BLOCKS = 25
"""Places of the index at which rows are read, where not all are."""


@runtime_checkable
class ReadInPart(Protocol):
    """What a collection has beside :class:`MovableCollection` where it can begin anywhere."""

    def part(self, start: int, n: int) -> Sequence[StoredRow]:
        """Return at most n rows from a place in the order of the store."""
        ...


@dataclass(frozen=True, eq=False)
class Sample:
    """Documents with usable vectors of one dimension.

    Attributes:
        places: (n,) place of each in the order of the store, from 0.
        vectors: (n, d) float32 as they are stored.
        unit: (n, d) float32 of length one.
    """

    places: NDArray[np.intp]
    ids: Sequence[str]
    texts: Sequence[str]
    metadata: Sequence[Mapping[str, Any]]
    vectors: Float32Array
    unit: Float32Array

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: Any) -> Sample:
        """Return some rows."""
        chosen = np.arange(len(self))[rows]
        numbers = chosen.tolist()
        return Sample(
            self.places[chosen],
            [self.ids[i] for i in numbers],
            [self.texts[i] for i in numbers],
            [self.metadata[i] for i in numbers],
            self.vectors[chosen],
            self.unit[chosen],
        )


@dataclass(frozen=True, eq=False)
class Reading:
    """What was read.

    Attributes:
        total: documents that the store says it holds.
        census: of all rows that were read.
        sample: of those, the rows that are kept.
    """

    total: int
    census: Census
    sample: Sample

    @property
    def whole(self) -> bool:
        """Whether every document was read."""
        return self.census.n_rows >= self.total


def read(collection: MovableCollection, *, everything: bool = False, kept: int = KEPT) -> Reading:
    """Read a collection.

    A store that can begin anywhere is read at 25 places, spread evenly, the first and the last
    rows among them. Any other store is read from one end to the other. Either way, ``kept``
    documents are kept in memory at most.

    Args:
        everything: read every row in any store.
    """
    total = collection.count()
    census, rows = Census(), []
    if everything or total <= kept or not isinstance(collection, ReadInPart):
        wanted, place = set(drawn(total, kept, 0).tolist()), 0
        for page in _tracked(collection.pages(), total, collection.page_size):
            census.add(page)
            rows += [(place + i, row) for i, row in enumerate(page) if place + i in wanted]
            place += len(page)
    else:
        size = kept // _BLOCKS
        for start in track(np.linspace(0, total - size, _BLOCKS).astype(int).tolist(), "reading"):
            page = collection.part(start, size)
            census.add(page)
            rows += [(start + i, row) for i, row in enumerate(page)]
    return Reading(total, census, _sample(rows, census.dimension))


def _tracked(
    pages: Iterator[Sequence[StoredRow]], total: int, size: int
) -> Iterator[Sequence[StoredRow]]:
    for _ in track(range(max(1, -(-total // size))), "reading"):
        if (page := next(pages, None)) is None:
            return
        yield page
    yield from pages  # documents that were added meanwhile


def _sample(rows: Sequence[tuple[int, StoredRow]], dimension: int) -> Sample:
    """Return the rows that can be compared: with a vector of this dimension that is no fault."""
    fit = [(p, r) for p, r in rows if r.vector is not None and len(r.vector) == dimension]
    vectors = np.zeros((len(fit), dimension), np.float32)
    for i, (_, row) in enumerate(fit):
        vectors[i] = row.vector
    with np.errstate(over="ignore", invalid="ignore"):
        squares = squared_norms(vectors)
    good = np.flatnonzero(np.isfinite(squares) & (squares > 0))
    chosen = [fit[int(i)] for i in good]
    return Sample(
        np.array([place for place, _ in chosen], np.intp),
        [row.id for _, row in chosen],
        [row.text or "" for _, row in chosen],
        [row.metadata for _, row in chosen],
        vectors[good],
        unit_rows(vectors[good]),
    )
