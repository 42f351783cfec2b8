"""What is written down in the index: the record of its aligner, and the note of a move."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

from ..integrations.stores.movable.protocol import MovableCollection
from ..printable import printable
from ..retrieval.move_note import MoveNote
from .finding import FAULT, NOTE, SOUND, Finding
from .leftovers import collection_beside

_LONG = timedelta(days=1)
"""A copy that has not got on for so long was interrupted."""


def look_at_record(collection: MovableCollection, dimension: int) -> Iterator[Finding]:
    """Say which aligner filled the index, as far as the store holds a record."""
    record = collection.record()
    if record is None:
        yield Finding("record", NOTE, ("the store holds no record of an aligner",))
        return
    evidence = {"fingerprint": record.fingerprint, "mode": record.mode}
    made = printable(record.fingerprint)[:12]
    says = f"filled through the aligner {made}"
    if record.mode:
        mode, d = printable(record.mode), record.dimension
        source, target = printable(record.source_encoder), printable(record.target_encoder)
        says = (
            f"filled through the aligner {made} ({mode}, {source} into {target}, {d:,} dimensions)"
        )
    if record.dimension and dimension and record.dimension != dimension:
        yield Finding(
            "record",
            FAULT,
            (says, f"but its vectors have {dimension:,} dimensions"),
            "another program stored vectors here: fill the index again through the aligner",
            evidence,
        )
    else:
        yield Finding("record", SOUND, (says,), "", evidence)


def look_at_note(collection: MovableCollection) -> Iterator[Finding]:
    """Say whether a move filled the index, and how far it came."""
    note = MoveNote.from_json(collection.note())
    if note is None:
        return
    age = _age(note)
    evidence = {"source": note.source, "state": note.state, "rows": note.rows, "at": note.at}
    source = printable(note.source)
    says = (
        f"moved from {source!r}: {note.state} since {printable(note.at)}, {note.rows:,} documents"
    )
    if note.state == "copying":
        step = "kakehashi migrate goes on where it stopped; search the old index until it is done"
        why = "the copy is not complete"
        if age is not None and age > _LONG:
            why = f"the copy was interrupted {age.days:,} days ago"
        yield Finding("move", FAULT, (says, why), step, evidence)
    elif note.state == "verified":
        yield Finding(
            "move", NOTE, (says,), "kakehashi migrate --switch lets searches follow", evidence
        )
    elif note.state == "live":
        step = "kakehashi migrate --clean-up deletes the old index, after a question"
        there = collection_beside(collection, note.source) is not None
        said = "the old index is still there" if there else "the old index is deleted"
        yield Finding(
            "move", NOTE if there else SOUND, (says, said), step if there else "", evidence
        )
    else:
        step = "kakehashi migrate --clean-up deletes this copy, after a question"
        yield Finding("move", NOTE, (says, "searches go to the old index"), step, evidence)


def _age(note: MoveNote) -> timedelta | None:
    """Return how long ago the state was written; None where the time cannot be read."""
    try:
        at = datetime.fromisoformat(note.at)
    except ValueError:
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=timezone.utc)
    return datetime.now(timezone.utc) - at
