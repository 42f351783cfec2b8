"""What interrupted runs have left beside an index: copies of a move, and half-written files."""

from __future__ import annotations

from collections.abc import Iterator
from glob import escape
from pathlib import Path

from ..errors import DataError
from ..integrations.stores.address import parse_address
from ..integrations.stores.movable.names import moved_name, name_of
from ..integrations.stores.movable.protocol import MovableCollection
from ..integrations.stores.replacing import unfinished_in
from ..printable import printable
from ..retrieval.move_note import MoveNote
from .finding import NOTE, Finding

_LISTED = 3


def look_at_leftovers(
    collection: MovableCollection, copies: tuple[str, ...] = ()
) -> Iterator[Finding]:
    """Say what lies beside the index: a copy that is not complete or not used, and files.

    Args:
        copies: names of new collections, beside the one that a move makes by default.
    """
    ours = name_of(collection.address)
    for name in dict.fromkeys([moved_name(ours), *copies]):
        beside = collection_beside(collection, name)
        note = None if beside is None else MoveNote.from_json(beside.note())
        if note is not None and note.is_from(ours, collection.identity()):
            yield _copy(name, note)
    files = half_written(collection.address)
    if files:
        listed = ", ".join(printable(path.name) for path in files[:_LISTED])
        says = f"{len(files):,} half-written files of a run that was stopped: {listed}"
        step = "delete them, once no program writes here"
        yield Finding("leftovers", NOTE, (says,), step, {"files": [path.name for path in files]})


def collection_beside(collection: MovableCollection, name: str) -> MovableCollection | None:
    """Return the collection of this name; None where there is none that a migration can have made.

    A note that anybody wrote may name anything.
    """
    try:
        return collection.beside(name)
    except DataError:  # no name that the store allows, or of something else
        return None


def _copy(name: str, note: MoveNote) -> Finding:
    says = f"{printable(name)!r} is a copy of this index: {note.state} since {printable(note.at)}"
    steps = {
        "copying": "kakehashi migrate goes on; --clean-up deletes the copy, after a question",
        "verified": "kakehashi migrate --switch lets searches follow",
        "live": "searches follow the copy; --clean-up deletes this index, after a question",
        "rolled back": "kakehashi migrate --clean-up deletes the copy, after a question",
    }
    evidence = {"copy": name, "state": note.state, "rows": note.rows, "at": note.at}
    return Finding("copy", NOTE, (says,), steps[note.state], evidence)


def half_written(address: str) -> list[Path]:
    """Return files and folders that a run has left hidden in or beside a store of files."""
    parsed = parse_address(address)
    if parsed is None or parsed.folder is None or not parsed.folder.exists():
        return []
    place = parsed.folder.absolute()
    inside = unfinished_in(place) if place.is_dir() else ()
    return sorted({*inside, *place.parent.glob(f".{escape(place.name)}-*")})
