"""Filling the new collection: passes until one finds nothing to do."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..aligner import Aligner
from ..errors import DataError, MigrationError
from ..integrations.stores.movable.protocol import MovableCollection
from ..retrieval.index_record import IndexRecord
from .ends import Ends
from .new_vectors import NewVectors
from .one_pass import Passed, ids_missing, one_pass
from .stopwatch import Stopwatch

_PASSES = 12
"""Passes after which a source that is still written to is given up."""


@dataclass
class Copied:
    """What all passes did.

    Attributes:
        last: the pass that changed nothing.
    """

    passes: int = 0
    written: int = 0
    deleted: int = 0
    last: Passed = field(default_factory=Passed)


def require_ours(ends: Ends, shared: Aligner, *, may_be_live: bool = False) -> None:
    """Refuse a new collection that another program, aligner or move filled, or that is live.

    A run that was killed before it wrote the note left an empty one.

    Args:
        may_be_live: whether a live one is taken: a switch was killed, or is run twice.

    Raises:
        DataError: it is not to be filled.
    """
    if ends.moved is None:
        return
    note, name = ends.note(), ends.moved.name
    other = "Give the new collection another name: --to NAME, or to= in Python."
    if note is None:
        if ends.moved.count():
            raise DataError(f"{name} holds documents that no migration wrote. {other}")
        if ends.moved.settings != ends.source.settings:
            raise DataError(f"{name} was made by another program. {other}")
        return
    if not ends.is_copy(note):
        raise DataError(f"{name} was filled from {note.origin}, not from this index. {other}")
    if note.aligner != shared.fingerprint:
        raise DataError(
            f"{name} was filled by another aligner ({note.aligner[:12]!r}, not "
            f"{shared.fingerprint[:12]!r}). {other}"
        )
    if note.state == "live" and not may_be_live:
        raise DataError(
            f"{name} is live: documents may have been added to it since. Roll it back first "
            "(--rollback), or delete the old one (--clean-up)."
        )
    if note.state == "rolled back":
        _require_nothing_of_its_own(ends, ends.moved)


def _require_nothing_of_its_own(ends: Ends, moved: MovableCollection) -> None:
    """Refuse to fill a collection again that got documents while it was live.

    A pass would delete them, as what the source no longer holds.
    """
    only = len(ids_missing(moved, ends.source))
    if only:
        raise DataError(
            f"{moved.name} was rolled back, and holds {only} documents that are nowhere else: "
            "moving again would delete them. Copy them first, then delete it (--clean-up)."
        )


def begin(ends: Ends, shared: Aligner) -> None:
    """Create the new collection where there is none, and note and record what it will hold."""
    if ends.moved is None:
        ends.moved = ends.source.create_beside(ends.to, shared.output_dimension)
    ends.write_note(shared.fingerprint, "copying")
    ends.moved.write_record(IndexRecord.of(shared, "document"))


def copy_until_settled(ends: Ends, vectors: NewVectors, watch: Stopwatch) -> Copied:
    """Run passes until one changes nothing: it has compared every document.

    Raises:
        MigrationError: the store fails, the source is still written to, or another run has
            changed the state of the move.
    """
    copied = Copied()
    while copied.passes < _PASSES:
        ends.require_state("copying", "verified")  # another run may have made it live meanwhile
        before = copied.last
        copied.last = ends.patiently(lambda: one_pass(ends.source, ends.there(), vectors, watch))
        copied.passes += 1
        copied.written += copied.last.written
        copied.deleted += copied.last.deleted
        if copied.last.settled:
            if not copied.written:  # a run that was killed may have written all, and finished none
                ends.patiently(lambda: ends.there().finish())
            return copied
        if 0 < before.rows == before.written and copied.last.written == copied.last.rows:
            raise MigrationError(
                f"{ends.there().name} does not give back the vectors that were written to it."
            )
        if copied.passes > 1:
            ends.say(
                f"The index was written to meanwhile: {copied.last.written} documents were added "
                f"or changed, {copied.last.deleted} deleted."
            )
    raise MigrationError(
        f"{ends.source.name} is still written to: each of {_PASSES} passes found changes. Stop "
        "what writes to it, and run the same command again."
    )
