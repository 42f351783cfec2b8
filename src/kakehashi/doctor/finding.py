"""A finding about an index: what was seen, how bad it is, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Level = Literal["sound", "note", "fault", "cannot tell"]
SOUND: Level = "sound"
NOTE: Level = "note"
FAULT: Level = "fault"
CANNOT_TELL: Level = "cannot tell"
"""``sound``: as it should be. ``note``: good to know; search works. ``fault``: search finds less
than it could, or the wrong documents. ``cannot tell``: it was asked for, and nothing tells."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        about: what was looked at: ``"vectors"``, ``"copies"``, ``"models"`` and the like.
        level: see :data:`Level`.
        says: sentences with the evidence, in English.
        next_step: what to do; empty where nothing is to be done.
        evidence: the numbers behind the sentences, JSON-ready.
    """

    about: str
    level: Level
    says: tuple[str, ...]
    next_step: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready record."""
        return asdict(self)
