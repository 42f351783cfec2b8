"""migrate(): a collection moved from its stored vectors, completed where it stopped, verified."""

from __future__ import annotations

from pathlib import Path

from ..aligner import Aligner
from ..data.pairs import Pairs
from ..errors import DataError
from ..integrations._aligner_field import warn_unless_advised
from ..multi_aligner import MultiAligner, load
from .copying import begin, copy_until_settled, require_ours
from .direction import require_direction
from .ends import Ends, Say
from .new_vectors import NewVectors, shared_map
from .outcome import Migration
from .probes import Probes
from .stopwatch import Stopwatch
from .survey import Survey, survey
from .switching import is_live, switched
from .verification import verified_recall


def migrate(
    address: str | Path,
    aligner: Aligner | str | Path,
    *,
    to: str | None = None,
    probe: Pairs | str | Path | None = None,
    switch: bool = False,
    patience: float = 60.0,
    say: Say = lambda line: None,
) -> Migration:
    """Move an index: project its stored vectors into a new collection beside it.

    The collection that is moved is never written. Run the same call again where it stopped, for
    whatever reason: it completes what is there. A call on a verified move compares both
    collections again.

    Args:
        address: of a collection, as :func:`kakehashi.read_index` takes it.
        aligner: of mode ``shared``, or of mode ``keep`` with a second map; or its folder.
        to: the name of the new collection; by default that of the old one with ``_moved``.
        probe: pairs whose targets are texts of documents; their recall is compared before and
            after. Their questions are embedded, or come as vectors.
        switch: let retrievers search the new collection, once it is verified. Run again, it
            completes a switch that was stopped, and else changes nothing.
        patience: seconds to wait for a server that does not answer.
        say: is told what a person should know meanwhile.

    Raises:
        AlignerMismatchError: nothing shows that the collection holds vectors that the map takes.
        DataError: documents that cannot be moved, or a new collection that is another's.
        MigrationError: the store fails, is still written to, or the result is not verified.
    """
    watch = Stopwatch()
    given, shared = loaded(aligner)
    warn_unless_advised(given)
    ends = watch.run(Ends.open, str(address), to, say, patience)
    try:
        return _moved(ends, given, shared, probe, switch, watch)
    finally:
        ends.close()


def _moved(
    ends: Ends,
    aligner: Aligner,
    shared: Aligner,
    probe: Pairs | str | Path | None,
    switch: bool,
    watch: Stopwatch,
) -> Migration:
    ends.patiently(lambda: require_ours(ends, shared, may_be_live=switch))
    vectors = NewVectors(shared)
    if is_live(ends):
        return _live_already(ends, switched(ends, vectors, watch), watch)
    found, probes = surveyed(ends, aligner, shared, probe, watch)
    evidence = ends.patiently(
        lambda: require_direction(ends.source, aligner, shared, found.sample, probes)
    )
    ends.patiently(lambda: begin(ends, shared))
    copied = copy_until_settled(ends, vectors, watch)
    recall = None
    if probes is not None:
        asked = probes
        recall = ends.patiently(lambda: verified_recall(ends, asked, aligner, shared))
    ends.require_state("copying", "verified")
    ends.patiently(lambda: ends.write_note(shared.fingerprint, "verified"))
    if switch:
        if probes is not None:  # they took their time: what was changed meanwhile is changed here
            again = copy_until_settled(ends, vectors, watch)
            copied.passes, copied.last = copied.passes + again.passes, again.last
            copied.written += again.written
            copied.deleted += again.deleted
        copied.written += switched(ends, vectors, watch)
    return Migration(
        ends.source.address,
        ends.there().address,
        "live" if switch else "verified",
        copied.last.rows,
        copied.written,
        copied.deleted,
        copied.passes,
        f"{copied.last.moved_sum:064x}",
        evidence,
        recall,
        watch.seconds,
        watch.inside,
    )


def _live_already(ends: Ends, written: int, watch: Stopwatch) -> Migration:
    return Migration(
        ends.source.address,
        ends.there().address,
        "live",
        ends.patiently(lambda: ends.there().count()),
        written,
        deleted=0,
        passes=0,
        checksum="",
        evidence="verified before the switch",
        recall=None,
        seconds=watch.seconds,
        store_seconds=watch.inside,
    )


def surveyed(
    ends: Ends,
    aligner: Aligner,
    shared: Aligner,
    probe: Pairs | str | Path | None,
    watch: Stopwatch,
) -> tuple[Survey, Probes | None]:
    """Read the index once, and return what it holds with the probe pairs that it answers.

    Raises:
        DataError: documents that cannot be moved, or probe pairs without an answer there.
    """
    probes = None if probe is None else Probes.read(probe, aligner, ends.say)
    answers = frozenset(() if probes is None else probes.answers)
    found = ends.patiently(lambda: survey(ends.source, watch, answers))
    found.require_usable(ends.source.name, aligner, shared)
    if probes is None:
        return found, None
    probes = probes.answered_by({row.text for row in found.sample})
    if not probes.answers:
        raise DataError(
            f"No document of {ends.source.name} is the target of a probe pair. Give pairs whose "
            "targets are texts of this index."
        )
    return found, probes


def loaded(aligner: Aligner | MultiAligner | str | Path) -> tuple[Aligner, Aligner]:
    """Return an aligner, and its map of mode ``shared``."""
    read = load(aligner) if isinstance(aligner, (str, Path)) else aligner
    shared = shared_map(read)
    assert isinstance(read, Aligner)  # shared_map refuses any other
    return read, shared
