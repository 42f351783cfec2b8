"""What a migration would do: counts, sizes, time and gain. Nothing is written."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from ..aligner import Aligner
from ..data.pairs import Pairs
from ..integrations._aligner_field import warn_unless_advised
from ..integrations.stores.address import parse_address
from .copying import require_ours
from .direction import require_direction
from .ends import Ends, Say
from .migrate import loaded, surveyed
from .new_vectors import NewVectors, is_source
from .outcome import Recall
from .probes import Probes
from .stopwatch import Stopwatch
from .survey import Survey

_FLOAT = 4
_WRITTEN, _WRITTEN_BY_OTHERS = {"qdrant": 300}, 1000
"""Rows a second that a store is taken to write: the order of magnitude on two cores and a disk, by
benchmarks/migration.py. Qdrant's local mode writes each point by itself."""
_TIMED = 1000


@dataclass(frozen=True)
class Plan:
    """What a migration would do.

    Attributes:
        source: the address of the index.
        moved: the name of the new one.
        rows: the documents.
        source_rows: those of the source, which would be embedded again.
        there: documents that an earlier run wrote already.
        dimension, new_dimension: of the vectors, before and after.
        vector_bytes, new_vector_bytes: of all vectors, as float32.
        other_bytes: of ids, texts and metadata, which are copied.
        settings: of the index, which are kept.
        evidence: what shows that it holds the target encoder's own vectors.
        read_seconds: to read it three times, as timed: before, for the copy and to compare.
        project_seconds: to project it twice, from a timed page of this many rows at most.
        write_seconds: to write it, not timed, since a dry run writes nothing: at
            ``write_rate`` rows a second, which this kind of store took elsewhere.
        gain: what the probe pairs find in ``sample`` documents; None without probe pairs.
        sample: how many documents that were. A whole index holds more that are alike, so it finds
            less.
    """

    source: str
    moved: str
    rows: int
    source_rows: int
    there: int
    dimension: int
    new_dimension: int
    vector_bytes: int
    new_vector_bytes: int
    other_bytes: int
    settings: Mapping[str, Any]
    evidence: str
    read_seconds: float
    project_seconds: float
    write_seconds: float
    write_rate: int
    gain: Recall | None
    sample: int

    @property
    def seconds(self) -> float:
        """The time of the whole migration."""
        return self.read_seconds + self.project_seconds + self.write_seconds


def dry_run(
    address: str | Path,
    aligner: Aligner | str | Path,
    *,
    to: str | None = None,
    probe: Pairs | str | Path | None = None,
    say: Say = lambda line: None,
) -> Plan:
    """Return what :func:`.migrate` would do, by reading the index once.

    It refuses what a migration refuses.
    """
    given, shared = loaded(aligner)
    warn_unless_advised(given)
    ends = Ends.open(str(address), to, say)
    try:
        ends.patiently(lambda: require_ours(ends, shared))
        found, probes = surveyed(ends, given, shared, probe, Stopwatch())
        evidence = require_direction(ends.source, given, shared, found.sample, probes)
        dimension, new = ends.source.dimension, shared.output_dimension
        parsed = parse_address(ends.source.address)
        rate = _WRITTEN.get(parsed.kind if parsed else "", _WRITTEN_BY_OTHERS)
        return Plan(
            source=ends.source.address,
            moved=ends.to,
            rows=found.rows,
            source_rows=found.source_rows,
            there=ends.moved.count() if ends.moved is not None else 0,
            dimension=dimension,
            new_dimension=new,
            vector_bytes=found.rows * dimension * _FLOAT,
            new_vector_bytes=found.rows * new * _FLOAT,
            other_bytes=found.bytes_beside,
            settings=ends.source.settings,
            evidence=evidence,
            read_seconds=3 * found.seconds,
            project_seconds=2 * _project_seconds(ends, shared, found),
            write_seconds=found.rows / rate,
            write_rate=rate,
            gain=None if probes is None else _gain(probes, given, shared, found),
            sample=len(found.sample),
        )
    finally:
        ends.close()


def _project_seconds(ends: Ends, shared: Aligner, found: Survey) -> float:
    """Time one page of documents of the target."""
    first = next(iter(ends.source.pages()))
    rows = list(islice((row for row in first if not is_source(row)), _TIMED))
    if not rows:
        return 0.0
    started = time.perf_counter()
    NewVectors(shared).of(rows)
    return (time.perf_counter() - started) * found.rows / len(rows)


def _gain(probes: Probes, aligner: Aligner, shared: Aligner, found: Survey) -> Recall:
    """Ask the sample before a move and after it, in memory."""
    before = rescored = None
    if aligner.mode == "keep":
        before, rescored = probes.ask_old(aligner, [found.sample])
    return Recall.of(before, rescored, probes.ask_projected(shared, found.sample))
