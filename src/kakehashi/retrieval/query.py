"""A query: its vector, and the modality that it was read as."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, Protocol

import numpy as np

from ..vectors import Float32Array

How = Literal["declared", "routed", "unsure"]
AUTO = "auto"


class Query(NamedTuple):
    """A query as it is searched with.

    Attributes:
        vector: (d_out,) float32.
        modality: what it was read as.
        how: ``"declared"`` (the caller named the modality), ``"routed"`` (the router did), or
            ``"unsure"`` (the router could not tell; the target encoder embeds the query).
    """

    vector: Float32Array
    modality: str
    how: How


class EmbeddingSpace(Protocol):
    """Tells modalities apart and embeds texts of each: an aligner, or a multi aligner."""

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities of texts; the last is the target."""

    @property
    def output_dimension(self) -> int:
        """The dimension of projected vectors."""

    def route(self, texts: Sequence[str]) -> Sequence[str | None]:
        """Return the modality of each text; None where it cannot be told."""
        ...

    def embed_queries(self, texts: Sequence[str], *, modality: str) -> Float32Array:
        """Return (n, d_out) vectors of queries of a modality."""
        ...

    def embed_documents(self, texts: Sequence[str], *, modality: str) -> Float32Array:
        """Return (n, d_out) vectors of documents of a modality."""
        ...


def prepare_query(space: EmbeddingSpace, text: str, modality: str) -> Query:
    """Encode and project one query; see :meth:`kakehashi.Aligner.prepare_query`."""
    how: How = "declared"
    if modality == AUTO:
        [routed] = space.route([text])
        how = "unsure" if routed is None else "routed"
        modality = space.modalities[-1] if routed is None else routed
    [vector] = space.embed_queries([text], modality=modality)
    return Query(vector, modality, how)


def modalities_of(space: EmbeddingSpace, texts: Sequence[str]) -> list[str]:
    """Return the modality of each text by the router; the target where it is unsure."""
    routed = space.route(texts) if len(texts) else []  # an empty list needs no router
    return [space.modalities[-1] if modality is None else modality for modality in routed]


def embed_routed(
    space: EmbeddingSpace, texts: Sequence[str], embed: Callable[[list[str], str], Float32Array]
) -> Float32Array:
    """Embed each text as the modality that the router gives it.

    Args:
        embed: embeds texts of one modality, given both.

    Returns:
        (n, d_out) float32.
    """
    modalities = np.array(modalities_of(space, texts), object)
    vectors = np.empty((len(modalities), space.output_dimension), np.float32)
    for modality in dict.fromkeys(modalities):
        rows = np.flatnonzero(modalities == modality)
        vectors[rows] = embed([texts[int(row)] for row in rows], modality)
    return vectors
