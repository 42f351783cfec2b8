"""A document that a store returned for one question."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class StoreHit:
    """A document that a search of a store returned.

    Attributes:
        similarity: inner product of unit vectors, where the aligner has a calibration, which reads
            the scale of the store's scores; else None.
        raw: the score of the store, in its own scale.
        modality: of the document.
    """

    text: str
    id: str | None
    similarity: float | None
    raw: float | None
    modality: str | None
    metadata: dict[str, Any] = field(default_factory=dict)
