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

    @classmethod
    def of(cls, text: str, id: str | None, metadata: dict[str, Any]) -> StoreHit:
        """Return the hit of a single search with ``explain``, which adds ``kakehashi``."""
        explained = metadata["kakehashi"]
        return cls(
            text,
            id,
            explained["similarity"],
            next(iter(explained["searches"].values())),
            explained["modality"],
            {name: value for name, value in metadata.items() if name != "kakehashi"},
        )
