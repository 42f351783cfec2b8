"""The two ends of a move: the collection that is moved, and the one that is filled."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TypeVar

from ..errors import DataError, KakehashiError, MigrationError
from ..integrations.stores.movable.names import moved_name, name_of
from ..integrations.stores.movable.opening import open_movable
from ..integrations.stores.movable.protocol import MovableCollection
from ..retrieval.move_note import MoveNote, MoveState

T = TypeVar("T")
Say = Callable[[str], None]
"""Tells whoever runs a migration a line."""
_LOST = {"ConnectionError", "TimeoutError", "TransportError", "ResponseHandlingException"}
"""Classes of errors that mean a server does not answer: Python's own, httpx's and Qdrant's."""


@dataclass
class Ends:
    """Two collections of one store.

    Attributes:
        source: the collection that is moved; never written.
        moved: the new one; None where it is not there yet.
        to: its name.
        say: see :data:`Say`.
        patience: seconds to wait for a server that does not answer.
    """

    source: MovableCollection
    moved: MovableCollection | None
    to: str
    say: Say = print
    patience: float = 60.0

    @classmethod
    def open(cls, address: str, to: str | None, say: Say, patience: float = 60.0) -> Ends:
        """Open both.

        Raises:
            DataError: no such store or collection, or a name that is the source's own.
        """
        source = open_movable(address)
        name = name_of(source.address)
        if to == name:
            raise DataError(
                f"{to!r} is the index itself; give the new one another name: --to NAME, or to= in "
                "Python."
            )
        to = to or moved_name(name)
        return cls(source, source.beside(to), to, say, patience)

    def close(self) -> None:
        """Let go of the store."""
        for end in (self.moved, self.source):
            if end is not None:
                end.close()

    @property
    def source_name(self) -> str:
        """The name of the collection that is moved, in its store."""
        return name_of(self.source.address)

    def there(self) -> MovableCollection:
        """Return the new collection.

        Raises:
            DataError: there is none yet.
        """
        if self.moved is None:
            raise DataError(
                f"There is no {self.to!r} beside {self.source.name}. Run kakehashi migrate first; "
                "or say the name that the new one was given: --to NAME, or to= in Python."
            )
        return self.moved

    def note(self) -> MoveNote | None:
        """Return the note of the new collection."""
        return None if self.moved is None else MoveNote.from_json(self.moved.note())

    def write_note(self, fingerprint: str, state: MoveState, *, caught_up: bool = True) -> None:
        """Write the state of the move into the new collection, in one step."""
        moved = self.there()
        at = datetime.now(timezone.utc).isoformat(timespec="seconds")
        note = MoveNote(
            self.source_name,
            fingerprint,
            state,
            moved.count(),
            at,
            caught_up,
            self.source.identity() or "",
            self.source.dimension,
        )
        moved.write_note(note.to_json())

    def is_copy(self, note: MoveNote) -> bool:
        """Whether a note says that the new collection is filled from this index."""
        return note.is_from(self.source_name, self.source.identity())

    def require_state(self, *states: MoveState) -> None:
        """Refuse to go on where another run has changed the state of the move.

        Raises:
            MigrationError: the note says another one, or is gone.
        """
        note = self.patiently(self.note)
        if note is None or note.state not in states:
            said = "gone" if note is None else repr(note.state)
            raise MigrationError(
                f"Another run has changed the state of {self.there().name}: it is {said}. This one "
                "has stopped; run the same command again."
            )

    def patiently(self, call: Callable[[], T]) -> T:
        """Return what a call returns; where the server does not answer, wait and call again.

        Args:
            call: asks for the two collections as they are in here: those of a lost server are
                opened again. A bound method of one would keep its old connection.

        Raises:
            MigrationError: it does not answer for so long, or the store fails in another way.
        """
        deadline: float | None = None
        while True:
            try:
                if deadline is not None:
                    self._open_again()
                return call()
            except KakehashiError as error:
                if not _is_lost(error):
                    raise
                lost: Exception = error
            except Exception as error:  # whatever the package of the store raises
                if not _is_lost(error):
                    raise MigrationError(_failed(error)) from error
                lost = error
            now = time.monotonic()
            if deadline is None:
                deadline = now + self.patience
                self.say(f"The store does not answer; trying again for {self.patience:.0f} s.")
            if now > deadline:
                raise MigrationError(
                    f"The store did not answer for {self.patience:.0f} s "
                    f"({type(lost).__name__}). Nothing is lost: start it, and run the same command "
                    "again, which goes on from there."
                ) from lost
            time.sleep(min(1.0, self.patience / 10))

    def _open_again(self) -> None:
        self.source = open_movable(self.source.address)
        self.moved = self.source.beside(self.to)


def _failed(error: Exception) -> str:
    said = " ".join(str(error).split()).rstrip(".")
    return (
        f"The store failed: {type(error).__name__}: {said:.300}. The index that is moved is as it "
        "was. Mend the cause (is the disk full?) and run the same command again: it goes on from "
        "there."
    )


def _is_lost(error: BaseException) -> bool:
    """Whether an error, or one that caused it, means that a server does not answer."""
    seen: BaseException | None = error
    while seen is not None:
        if any(each.__name__ in _LOST for each in type(seen).__mro__) or _is_lost_postgres(seen):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def _is_lost_postgres(error: BaseException) -> bool:
    """Whether psycopg lost its connection, or the server shuts down; a full disk is neither."""
    if not any(
        each.__module__.startswith("psycopg") and each.__name__ == "OperationalError"
        for each in type(error).__mro__
    ):
        return False
    state = getattr(error, "sqlstate", None)
    return state is None or state.startswith(("57P", "08"))
