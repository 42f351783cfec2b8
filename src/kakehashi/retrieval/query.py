"""A prepared query: its vector and its modality."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

from ..vectors import Float32Array

How = Literal["declared", "routed", "unsure"]
AUTO = "auto"
QueryVectors = tuple[Float32Array, Float32Array | None]
"""The vectors of one query: by the projection, and by the rescoring where there is one."""


class Query(NamedTuple):
    """A query with its vector.

    Attributes:
        vector: (d_out,) float32.
        modality: the modality that it was embedded as.
        how: ``"declared"`` (the caller named the modality), ``"routed"`` (the router did), or
            ``"unsure"`` (the router could not tell, and the target encoder embedded the query).
        rescoring: (d,) float32, the query as the second map of the aligner sees it; None where the
            aligner has none for this modality.
    """

    vector: Float32Array
    modality: str
    how: How
    rescoring: Float32Array | None = None


class Routing(Protocol):
    """What routes texts to modalities."""

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities; the last is the target."""

    def route(self, texts: Sequence[str]) -> Sequence[str | None]:
        """Return the modality of each text; None where it is unsure."""
        ...


class EmbeddingSpace(Routing, Protocol):
    """An aligner or a multi aligner: it routes texts to modalities, and embeds them."""

    @property
    def output_dimension(self) -> int:
        """The dimension of projected vectors."""

    def embed_queries(self, texts: Sequence[str], *, modality: str) -> Float32Array:
        """Return (n, d_out) vectors of queries of a modality."""
        ...

    def embed_documents(self, texts: Sequence[str], *, modality: str) -> Float32Array:
        """Return (n, d_out) vectors of documents of a modality."""
        ...


def told_modality(space: Routing, text: str, modality: str) -> tuple[str, How]:
    """Return the modality to embed a query as, and how it was told."""
    if modality != AUTO:
        return modality, "declared"
    [routed] = space.route([text])
    if routed is None:
        return space.modalities[-1], "unsure"
    return routed, "routed"


def modalities_of(space: Routing, texts: Sequence[str]) -> list[str]:
    """Return the modality of each text by the router; the target where the router is unsure."""
    routed = space.route(texts) if len(texts) else []  # an empty list needs no router
    return [space.modalities[-1] if modality is None else modality for modality in routed]


def rows_by_modality(space: Routing, texts: Sequence[str]) -> dict[str, list[int]]:
    """Return the rows of the texts of each modality, as the router tells it."""
    rows: dict[str, list[int]] = {}
    for row, modality in enumerate(modalities_of(space, texts)):
        rows.setdefault(modality, []).append(row)
    return rows
