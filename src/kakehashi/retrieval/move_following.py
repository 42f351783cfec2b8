"""Which parts of an index answer, as the notes that migrations leave in them say.

A note lies in the part that a migration fills, and names the part that it is filled from:

- ``copying`` or ``verified``: both answer, and the old part is the truth.
- ``live``: the new part answers, and not the old one.
- ``rolled back``: the old part answers, and not the new one.

Parts without a note all answer.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from ..data.arguments import is_number
from ..errors import DataError, DegradedWarning
from .move_note import MoveNote
from .noted_part import NotedPart, namesakes, source_of
from .time_limit import call_within


@dataclass(frozen=True)
class Standing:
    """Which parts answer.

    Attributes:
        answering: the names of the parts, in their order.
        copied_from: by name of a part that is being filled, the part that is the truth.
        unknown: by name of a part whose note was never read, the error; it does not answer.
    """

    answering: Sequence[str]
    copied_from: Mapping[str, str] = field(default_factory=dict)
    unknown: Mapping[str, Exception] = field(default_factory=dict)


class MoveFollower:
    """Reads the notes of all parts, at most once in so many seconds; threads may share it.

    Args:
        parts: those of the index.
        every: seconds between two readings.
        timeout: seconds for the reading of one note; None without a limit.

    Raises:
        DataError: ``every`` is no number of seconds.
    """

    def __init__(
        self,
        parts: Sequence[NotedPart],
        every: float,
        timeout: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not is_number(every) or not every >= 0:
            raise DataError(
                f"follow_every={every!r:.80}; give seconds between two readings of the notes, 0 or "
                "more."
            )
        self._parts, self._every, self._timeout, self._clock = parts, every, timeout, clock
        self._notes: dict[str, MoveNote | None] = {}
        self._standing: Standing | None = None
        self._read_at = -float("inf")
        self._lock = Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle what it is made of: the copy reads the notes anew."""
        return type(self), (self._parts, self._every, self._timeout, self._clock)

    def now(self) -> Standing:
        """Return which parts answer; read the notes where the last reading is too old.

        Raises:
            DataError: a part is being filled from one that is not among the parts.
        """
        standing = self._standing
        if standing is not None and self._clock() - self._read_at < self._every:
            return standing
        if not self._lock.acquire(blocking=standing is None):
            assert standing is not None  # another thread reads: the last one serves meanwhile
            return standing
        try:
            if self._standing is None or self._clock() - self._read_at >= self._every:
                self._read()
            assert self._standing is not None
            return self._standing
        finally:
            self._lock.release()

    def read(self) -> Standing:
        """Read the notes now, and return which parts answer."""
        with self._lock:
            return self._read()

    def _read(self) -> Standing:
        unknown: dict[str, Exception] = {}
        for part in self._parts:
            try:
                self._notes[part.name] = self._note(part)
            except Exception as error:  # a store may raise anything
                if part.name not in self._notes:
                    unknown[part.name] = error
                else:
                    _warn_of_last(part, self._notes[part.name], error)
        standing = _standing(self._parts, self._notes, unknown)
        # A note that was never read is read again at once.
        self._read_at = -float("inf") if standing.unknown else self._clock()
        self._standing = standing
        return standing

    def _note(self, part: NotedPart) -> MoveNote | None:
        limit = self._timeout
        said = part.note() if limit is None else call_within(limit, part.note, "reading a note")
        if said is None:
            return None
        note = MoveNote.from_json(said)
        if note is None:
            raise DataError(
                f"The part {part.name!r} holds a note of a migration that cannot be read "
                f"({said!r:.80}); a newer release of kakehashi may have written it."
            )
        return note


def _standing(
    parts: Sequence[NotedPart],
    notes: Mapping[str, MoveNote | None],
    unknown: Mapping[str, Exception],
) -> Standing:
    """Return which parts answer.

    Args:
        notes: by name of the part, its last note.
        unknown: by name of the other parts, why their notes could not be read.

    Raises:
        DataError: a part is being filled from one that is not among the parts.
        AlignerMismatchError: the old part is asked through the map that moved its vectors, or a
            part that is not live through another one than filled it.
    """
    silent, copied_from = {*unknown}, {}
    for part in parts:
        note = notes.get(part.name)
        if note is None:
            continue
        note.check_copy(part.name, part.space.fingerprint)
        source = source_of(note, part, parts)
        for asked in (each for each in parts if each.name == source):
            note.check_source(asked.name, asked.space.fingerprint, part.name)
        if note.state == "live":
            silent |= set() if source is None else {source}
        elif source is None:
            raise DataError(
                f"The part {part.name!r} is being filled from {note.source!r} (its note says "
                f"{note.state!r}), which is none of the parts {', '.join(p.name for p in parts)}. "
                "Give that one as a part, too; where its store tells no name, as "
                + " ".join([f"Part(..., name={note.source!r}).", *namesakes(note, part, parts)])
            )
        elif note.state == "rolled back":
            silent.add(part.name)
        else:
            copied_from[part.name] = source
    answering = [part.name for part in parts if part.name not in silent]
    return Standing(answering, copied_from, unknown)


def _warn_of_last(part: NotedPart, last: MoveNote | None, error: Exception) -> None:
    said = "there was none" if last is None else f"it said {last.state!r}"
    warnings.warn(
        f"The note of the part {part.name!r} could not be read, and what it said before holds on "
        f"({said}): {type(error).__name__}: {error}",
        DegradedWarning,
        stacklevel=2,
    )
