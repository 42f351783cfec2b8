"""What a migration did, and what its probe pairs found."""

from __future__ import annotations

from dataclasses import dataclass

from .probes import Hits


@dataclass(frozen=True)
class Recall:
    """The share of probe pairs whose answer comes first, in the whole index.

    Attributes:
        questions: how many were asked.
        before: by an aligner of mode keep; None for one of mode shared.
        rescored: by the same, with its first hits rescored; None where it does not rescore.
        moved: in the new collection.
    """

    questions: int
    before: float | None
    rescored: float | None
    moved: float

    @classmethod
    def of(cls, before: Hits | None, rescored: Hits | None, moved: Hits) -> Recall:
        """Return the means of hits."""
        first, second = (
            None if hits is None else float(hits.mean()) for hits in (before, rescored)
        )
        return cls(len(moved), first, second, float(moved.mean()))


@dataclass(frozen=True)
class Migration:
    """What a migration did.

    Attributes:
        source, moved: the addresses of the two collections.
        state: ``"verified"``, or ``"live"`` after a switch.
        rows: the documents of both; of the new one, where it was live already.
        written: documents that this run wrote; a run that went on wrote fewer.
        deleted: documents that it deleted, since the source no longer holds them.
        passes: how often it read the source after the survey; the last pass changed nothing.
        checksum: of all but the vectors, equal on both sides, as 64 hexadecimal digits; empty where
            the new one was live already.
        evidence: what showed that the source holds the target encoder's own vectors.
        recall: on the probe pairs; None without.
        seconds: of the whole run.
        store_seconds: those that the store took.
    """

    source: str
    moved: str
    state: str
    rows: int
    written: int
    deleted: int
    passes: int
    checksum: str
    evidence: str
    recall: Recall | None
    seconds: float
    store_seconds: float
