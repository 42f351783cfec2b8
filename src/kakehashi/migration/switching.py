"""The switch: questions go to the new collection, and what the old one got until then is added.

The note says ``live`` before that pass, and whether the pass was made. So a switch that is killed
between is completed by the next one. A switch that is complete is never made again: a document that
was deleted from the new collection since would come back.
"""

from __future__ import annotations

from .ends import Ends
from .new_vectors import NewVectors
from .one_pass import one_pass
from .stopwatch import Stopwatch


def is_live(ends: Ends) -> bool:
    """Whether questions go to the new collection."""
    note = ends.patiently(ends.note)
    return note is not None and note.state == "live"


def switched(ends: Ends, vectors: NewVectors, watch: Stopwatch) -> int:
    """Send questions to the new collection, and return how many late documents were added.

    Documents that the new one holds are neither changed nor deleted: it is the truth by then.
    """
    fingerprint, note = vectors.shared.fingerprint, ends.patiently(ends.note)
    if note is not None and note.state == "live" and note.caught_up:
        return 0
    if not is_live(ends):
        ends.require_state("verified")
        ends.patiently(lambda: ends.write_note(fingerprint, "live", caught_up=False))
    late = ends.patiently(
        lambda: one_pass(ends.source, ends.there(), vectors, watch, adds_only=True)
    )
    if late.differing:
        ends.say(
            f"{late.differing} documents differ between the two collections: they were written to "
            f"while {ends.there().name} went live. Look at them before --clean-up."
        )
    if is_live(ends):  # nobody rolled it back meanwhile
        ends.patiently(lambda: ends.write_note(fingerprint, "live"))
    return late.written
