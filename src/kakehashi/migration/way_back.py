"""The way back, and the end: rolling a move back, and deleting what is no longer needed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import DataError
from ..integrations.stores.movable.protocol import MovableCollection
from ..retrieval.move_note import MoveNote, MoveState
from .ends import Ends, Say
from .one_pass import ids_missing, n_changed


@dataclass(frozen=True)
class RolledBack:
    """What a way back leaves.

    Attributes:
        source, moved: the addresses of the two collections.
        only_moved: documents that the new one holds and the old one does not: they were added
            while the new one was live.
    """

    source: str
    moved: str
    only_moved: int


@dataclass(frozen=True)
class CleanedUp:
    """What a clean-up deleted.

    Attributes:
        deleted: the address of the collection; None where the caller did not agree.
        kept: the address of the other one, to which questions go.
        rows: the documents of what was deleted, or would have been.
    """

    deleted: str | None
    kept: str
    rows: int


def roll_back(
    address: str | Path, *, to: str | None = None, say: Say = lambda line: None
) -> RolledBack:
    """Let retrievers search the old collection again, at once.

    A move that was not live is given up by it.

    Args:
        address, to: as for :func:`.migrate`.

    Raises:
        DataError: there is no new collection that a migration filled.
        MigrationError: the store fails.
    """
    ends = Ends.open(str(address), to, say)
    try:
        fingerprint = ends.patiently(lambda: _note_of(ends)).aligner
        ends.patiently(lambda: ends.write_note(fingerprint, "rolled back"))
        only = ends.patiently(lambda: ids_missing(ends.there(), ends.source))
        return RolledBack(ends.source.address, ends.there().address, len(only))
    finally:
        ends.close()


def _note_of(ends: Ends) -> MoveNote:
    moved, note = ends.there(), ends.note()
    if note is None:
        raise DataError(
            f"{moved.name} holds no note that a migration filled it from this index. Name the one "
            "that does: --to NAME, or to= in Python."
        )
    if not ends.is_copy(note):
        other = "Name the one that was: --to NAME, or to= in Python."
        raise DataError(f"{moved.name} was filled from {note.origin}, not from this index. {other}")
    return note


def clean_up(
    address: str | Path,
    *,
    agree: Callable[[str], bool],
    to: str | None = None,
    may_lose: bool = True,
    say: Say = lambda line: None,
) -> CleanedUp:
    """Delete the collection that nobody needs any more.

    Where the new one is live, that is the old one. Where the move was rolled back or not completed,
    it is the new one.

    Args:
        address, to: as for :func:`.migrate`.
        agree: is asked a question, and says whether to delete.
        may_lose: whether to ask at all where documents would be lost, or versions of some: where
            the other collection has another text or other metadata under their ids.

    Raises:
        DataError: there is no new collection, or its switch is not complete; or documents
            would be lost; or the state changed while the caller was asked.
        MigrationError: the store fails.
    """
    ends = Ends.open(str(address), to, say)
    try:
        note = ends.patiently(lambda: _note_of(ends))
        state = note.state
        if not note.caught_up:
            raise DataError(
                f"The switch to {ends.there().name} was stopped before it was complete. Run it "
                "again (--switch)."
            )
        if state == "verified":
            raise DataError(
                f"{ends.there().name} is verified and not live. Switch to it first (--switch), or "
                "give it up (--rollback)."
            )
        gone, kept = _gone(ends, state), _kept(ends, state)
        lost = len(ends.patiently(lambda: ids_missing(_gone(ends, state), _kept(ends, state))))
        changed = ends.patiently(lambda: n_changed(_gone(ends, state), _kept(ends, state)))
        if (lost or changed) and not may_lose:
            raise DataError(
                f"{lost:,} documents of {gone.name} are not in {kept.name}, and {changed:,} differ "
                "there. Nothing was deleted; run it without --yes to be asked."
            )
        rows = ends.patiently(lambda: _gone(ends, state).count())
        addresses = (gone.address, kept.address)
        question = (
            f"Delete {gone.name} with {rows:,} documents, of which {lost:,} are nowhere else, and "
            f"{changed:,} differ from those that are kept? Questions go to {kept.name}."
        )
        if not agree(question):
            return CleanedUp(None, addresses[1], rows)
        if ends.patiently(lambda: _note_of(ends)).state != state:  # who is asked may take hours
            raise DataError(
                f"The state of {ends.there().name} has changed meanwhile. Nothing was deleted; run "
                "the same command again."
            )
        ends.patiently(lambda: _gone(ends, state).drop())
        return CleanedUp(addresses[0], addresses[1], rows)
    finally:
        ends.close()


def _gone(ends: Ends, state: MoveState) -> MovableCollection:
    """Return the collection that nobody needs any more, as it is open now."""
    return ends.source if state == "live" else ends.there()


def _kept(ends: Ends, state: MoveState) -> MovableCollection:
    """Return the other one."""
    return ends.there() if state == "live" else ends.source
