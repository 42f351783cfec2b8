"""The note that a migration leaves in the index that it fills, and that retrievers follow.

It lies in the store, beside the record of the index (:mod:`.index_record`), so every process that
searches the store sees the same state. The index that is moved holds no note: it is never written.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from ..errors import AlignerMismatchError

NOTE_KEY = "kakehashi_move"
"""The key under which a store keeps the note in its metadata."""
MoveState = Literal["copying", "verified", "live", "rolled back"]
"""``copying``: documents may be missing. ``verified``: all are there, and questions still go to the
old index. ``live``: questions go to this one. ``rolled back``: they go to the old one again."""


@dataclass(frozen=True)
class MoveNote:
    """Where the documents of an index come from, and how far a migration is.

    Attributes:
        source: the name of the collection that is moved, in the same store.
        aligner: the fingerprint of the aligner that projects the vectors, of mode ``shared``.
        state: see :data:`MoveState`.
        rows: how many documents were there when the state was written.
        at: when the state was written, as ISO 8601 in UTC.
        caught_up: false between a switch and the pass after it, which adds what the old index got
            until then: a process that was killed there has not made that pass.
        source_id: the id that the store itself gave the source; empty where it gives none.
        source_dimension: of the vectors of the source; 0 where it is not known.
    """

    source: str
    aligner: str
    state: MoveState
    rows: int
    at: str
    caught_up: bool = True
    source_id: str = ""
    source_dimension: int = 0

    @property
    def origin(self) -> str:
        """The name of the source, with the id of the store where it gives one, for messages."""
        return repr(self.source) + (f" (id {self.source_id})" if self.source_id else "")

    def is_from(self, name: str, identity: str | None) -> bool:
        """Whether a collection is the source: by the store's own id, or by its name without one.

        Args:
            name: of the collection.
            identity: the id that its store gave it; None where the store gives none.
        """
        if self.source_id and identity:
            return identity == self.source_id
        return name == self.source

    def check_source(self, name: str, fingerprint: str, copy: str) -> None:
        """Refuse to ask the old index through the map that moved its vectors.

        Args:
            name: of the part that holds the old index.
            fingerprint: of the aligner of that part.
            copy: name of the part that holds this note.

        Raises:
            AlignerMismatchError: it is the aligner that projected them.
        """
        if fingerprint == self.aligner:
            raise AlignerMismatchError(
                f"The part {name!r} is asked through the aligner {fingerprint[:12]!r}, which moved "
                f"its vectors into the part {copy!r}. It holds them as they were before: give it "
                "the aligner of mode keep, without as_shared()."
            )

    def check_copy(self, name: str, fingerprint: str) -> None:
        """Refuse to ask a part that this note keeps silent or beside another through a wrong map.

        The record of a live part is read at its first search, and may be newer than the note.

        Args:
            name: of the part that holds this note.
            fingerprint: of the aligner of that part.

        Raises:
            AlignerMismatchError: another aligner projected its vectors.
        """
        if self.state != "live" and fingerprint != self.aligner:
            raise AlignerMismatchError(
                f"The part {name!r} is asked through the aligner {fingerprint[:12]!r}, and "
                f"{self.aligner[:12]!r} has moved its vectors (its note says {self.state!r}). "
                "Give it that one: aligner.as_shared() of the aligner that was moved with."
            )

    def to_json(self) -> str:
        """Return the note as one line of JSON: some stores keep flat metadata only."""
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True)

    @classmethod
    def from_json(cls, value: Any) -> MoveNote | None:
        """Return the note that a store kept; None where it is none of ours."""
        try:
            read = json.loads(value)
            names = [field.name for field in fields(cls) if field.name in read]
            note = cls(**{name: read[name] for name in names})  # notes of older releases have fewer
        except (AttributeError, TypeError, ValueError, KeyError, RecursionError):
            return None
        kinds = {"rows": int, "caught_up": bool, "source_dimension": int}
        whole = all(isinstance(v, kinds.get(n, str)) for n, v in asdict(note).items())
        return note if whole and note.state in get_args(MoveState) else None
