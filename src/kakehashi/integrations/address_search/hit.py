"""A document that a store returned for one question."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ...retrieval.score_scales import SCALES


@dataclass(frozen=True)
class StoreHit:
    """A document that a search of a store returned.

    Attributes:
        similarity: inner product of unit vectors, of the second map where the search was rescored;
            None where the scale of the store's scores is not known.
        unrescored: the similarity that rescoring replaced; None where it replaced none.
        raw: the score of the store, in its own scale.
        modality: of the document.
    """

    text: str
    id: str | None
    similarity: float | None
    raw: float | None
    modality: str | None
    unrescored: float | None = None
    metadata: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, text: str, id: str | None, metadata: dict[str, Any], scale: str | None) -> StoreHit:
        """Return the hit of a single search with ``explain``, which adds ``kakehashi``.

        Args:
            scale: of the scores, as the store declares it. Without a calibration the search does
                not convert them itself.
        """
        explained = metadata["kakehashi"]
        raw = next(iter(explained["searches"].values()))
        similarity = explained["similarity"]
        if similarity is None and raw is not None and scale is not None:
            similarity = float(SCALES[scale](raw))
        return cls(
            text,
            id,
            similarity,
            raw,
            explained["modality"],
            explained["unrescored"],
            {name: value for name, value in metadata.items() if name != "kakehashi"},
        )
