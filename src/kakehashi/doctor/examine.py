"""Examining an index: it is read once, and every look at it says what it found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..integrations.stores.movable.opening import open_movable
from ..integrations.stores.movable.protocol import MovableCollection
from .contents import look_at_fields, look_at_size, look_at_vectors
from .copies import look_at_copies
from .diagnosis import Diagnosis
from .finding import Finding
from .reading import read
from .recorded import look_at_note, look_at_record


def examine(index: str | Path | MovableCollection, *, everything: bool = False) -> Diagnosis:
    """Say what is in an index. Nothing is written into the store.

    Args:
        index: the address of a store, or an open collection.
        everything: read every document, also where a store could be read in part.

    Raises:
        DataError: no such store or collection.
        ReaderError: the store cannot be read.
        MissingExtraError: the store's package is not installed.
    """
    if not isinstance(index, (str, Path)):
        return Diagnosis(index.address, index.name, tuple(_findings(index, everything)))
    collection = open_movable(index)
    try:
        return examine(collection, everything=everything)
    finally:
        collection.close()


def _findings(collection: MovableCollection, everything: bool) -> Iterator[Finding]:
    reading = read(collection, everything=everything)
    yield look_at_size(reading)
    yield look_at_fields(reading)
    yield from look_at_vectors(reading, collection.settings)
    yield from look_at_record(collection, reading.census.dimension)
    yield from look_at_note(collection, reading.total)
    yield from look_at_copies(reading)
