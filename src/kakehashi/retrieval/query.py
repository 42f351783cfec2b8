"""Ask: one query, read as the modality that it is of, as a vector for the index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

import numpy as np

from ..types import Role
from ..vectors import Float32Array

How = Literal["declared", "routed", "unsure"]
AUTO = "auto"


class Query(NamedTuple):
    """A query as it is searched with.

    Attributes:
        vector: (d_out,) float32.
        modality: what it was read as.
        how: declared by the caller, who is taken at his word; routed by the aligner; or unsure: no
            modality is likely enough, and the target encoder reads it.
    """

    vector: Float32Array
    modality: str
    how: How


class EmbeddingSpace(Protocol):
    """What tells modalities apart and embeds texts of each: an aligner, or a bridge of several."""

    @property
    def modalities(self) -> tuple[str, ...]:
        """What a text can be; the last is the target."""

    @property
    def output_dimension(self) -> int:
        """The dimension of projected vectors."""

    def route(self, texts: Sequence[str]) -> Sequence[str | None]:
        """Return the modality of each text; None where it cannot be told."""
        ...

    def embed(self, texts: Sequence[str], *, modality: str, role: Role) -> Float32Array:
        """Return (n, d_out) vectors of texts of a modality."""
        ...


def prepare_query(space: EmbeddingSpace, text: str, modality: str) -> Query:
    """Encode and project one query; see :meth:`kakehashi.Aligner.prepare_query`."""
    how: How = "declared"
    if modality == AUTO:
        [routed] = space.route([text])
        how = "unsure" if routed is None else "routed"
        modality = space.modalities[-1] if routed is None else routed
    [vector] = space.embed([text], modality=modality, role="query")
    return Query(vector, modality, how)


def read_as(space: EmbeddingSpace, texts: Sequence[str]) -> list[str]:
    """Return the modality of each text as the router tells it; the target where it is unsure."""
    routed = space.route(texts) if len(texts) else []  # nothing to read asks for no router
    return [space.modalities[-1] if side is None else side for side in routed]


def embed_routed(space: EmbeddingSpace, texts: Sequence[str], role: Role) -> Float32Array:
    """Embed texts, each as the modality that it is routed to, (n, d_out) float32."""
    sides = np.array(read_as(space, texts), object)
    found = np.empty((len(sides), space.output_dimension), np.float32)
    for side in dict.fromkeys(sides):
        rows = np.flatnonzero(sides == side)
        found[rows] = space.embed([texts[int(row)] for row in rows], modality=side, role=role)
    return found
