"""A part of an index, as far as its note goes, and which of the parts a note calls its source."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from .move_note import MoveNote


class NotedPart(Protocol):
    """A part of an index, as far as its note and its name go."""

    @property
    def name(self) -> str:
        """Its name among the parts."""

    @property
    def space(self) -> Any:
        """Its aligner or multi aligner."""

    def collection(self) -> str | None:
        """Return its name in the store; None where the store tells none."""
        ...

    def identity(self) -> str | None:
        """Return the id that its store gave the collection; None where the store gives none."""
        ...

    def note(self) -> str | None:
        """Return the note that its store keeps, as it is now."""
        ...


def source_of(note: MoveNote, copy: NotedPart, parts: Sequence[NotedPart]) -> str | None:
    """Return the name of the part that a note calls its source; None where none of them is.

    The id of the store decides where both are known. Else the name of the collection does, then
    that of the part, and vectors of another dimension speak against both.

    Args:
        copy: the part that holds the note.
    """
    others = [part for part in parts if part.name != copy.name]
    known = {part.name: _told(part.identity) if note.source_id else None for part in others}
    by_id = [name for name, identity in known.items() if identity == note.source_id]
    unknown = [part for part in others if known[part.name] is None and not _differs(note, part)]
    by_store = [part.name for part in unknown if _told(part.collection) == note.source]
    by_name = [part.name for part in unknown if part.name == note.source]
    return next(iter([*by_id, *by_store, *by_name]), None)


def namesakes(note: MoveNote, copy: NotedPart, parts: Sequence[NotedPart]) -> list[str]:
    """Return why each part that is named like the source is another index, in words."""
    found = []
    for part in parts:
        if part.name == copy.name or note.source not in (part.name, _told(part.collection)):
            continue
        if _differs(note, part):
            dimension = part.space.output_dimension
            what = f"its aligner searches {dimension} dimensions, not {note.source_dimension}"
        else:
            what = f"its store gave it the id {_told(part.identity)}, not {note.source_id}"
        found.append(f"The part {part.name!r} has the name and is another index: {what}.")
    return found


def _differs(note: MoveNote, part: NotedPart) -> bool:
    """Whether a part is asked with vectors of another length than the source holds."""
    return note.source_dimension not in (0, part.space.output_dimension)


def _told(call: Callable[[], str | None]) -> str | None:
    """Return what a store tells; None where it is out of reach."""
    try:
        return call()
    except Exception:  # a store may raise anything; the part's own name may do
        return None
