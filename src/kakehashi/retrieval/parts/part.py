"""A part of an index: where it lies, and what its scores are."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Protocol

from ...data.hashing import hash_of
from ..document_key import MergeParts
from ..noted_part import NotedPart
from ..search import Search
from .queries import AskedPart


class Part(AskedPart, NotedPart, Protocol):
    """A part of an index, whichever framework reads it."""

    @property
    def rescored(self) -> bool:
        """Whether a second map orders its first hits again."""

    def search(self, *, moved: bool, needs_similarity: bool, merge: MergeParts) -> Search:
        """Return the search of it.

        Args:
            moved: another part holds vectors of the second map, so every query is rescored.
            needs_similarity: whether hits need a similarity.
            merge: which hits are one document.
        """
        ...

    def holds(self, payloads: Sequence[Any]) -> Sequence[bool]:
        """Say of each document of another part whether this one holds it: id, text, metadata."""
        ...


def names_of(parts: Sequence[Part]) -> list[str]:
    """Return a name for each part: its own, or that of its collection, or its number."""
    told = []
    for part in parts:
        with suppress(Exception):  # a store that is out of reach tells none
            told.append(part.name or part.collection())
            continue
        told.append(None)
    return [
        name if name and (part.name or told.count(name) == 1) else f"part {number}"
        for number, (part, name) in enumerate(zip(parts, told, strict=True), 1)
    ]


def map_of(part: Part) -> str:
    """Return what the similarities of a part are inner products of; equal for parts of one scale.

    The second map of an aligner and its ``as_shared()`` are one map.
    """
    space: Any = part.space
    projection, second = getattr(space, "projection", None), getattr(space, "rescoring", None)
    if part.rescored and second is not None:
        return f"map {second.fingerprint}"
    if space.mode == "shared" and projection is not None:
        return f"map {hash_of(*projection.state())}"
    return f"space {space.fingerprint}{' rescored' if part.rescored else ''}"


def is_turned_off(part: Part) -> bool:
    """Whether the aligner could rescore the part, and does not."""
    space: Any = part.space
    return not part.rescored and any(map(space.rescoring_of, space.modalities))
