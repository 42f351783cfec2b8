"""Ask: one query, read as the modality that it is of, as a vector for the index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

import numpy as np

from ..errors import DataError
from ..types import SIDES, Role
from ..vectors import Float32Array

if TYPE_CHECKING:
    from ..aligner import Aligner

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


class Reads(Protocol):
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


def ask(aligner: Aligner, text: str, modality: str) -> Query:
    """Encode and project one query; see :meth:`kakehashi.Aligner.ask`."""
    how: How = "declared"
    if modality == AUTO:
        [routed] = aligner.route([text])
        modality, how = (routed, "routed") if routed is not None else ("target", "unsure")
    if modality not in SIDES:
        raise DataError(f"modality={modality!r}; a modality is source or target, or auto.")
    if modality == "target":
        return by_target(aligner, text, how)
    return through_map(aligner, text, how)


def by_target(aligner: Aligner, text: str, how: How) -> Query:
    """Read a query with the target encoder."""
    [vector] = aligner.embed([text], modality="target", role="query")
    return Query(vector, "target", how)


def through_map(aligner: Aligner, text: str, how: How) -> Query:
    """Read a query with the source encoder, and map it."""
    [vector] = aligner.embed([text], modality="source", role="query")
    return Query(vector, "source", how)


def read_as(space: Reads, texts: Sequence[str]) -> list[str]:
    """Return the modality of each text as the router tells it; the target where it is unsure."""
    routed = space.route(texts) if len(texts) else []  # nothing to read asks for no router
    return [space.modalities[-1] if side is None else side for side in routed]


def embed_routed(space: Reads, texts: Sequence[str], role: Role) -> Float32Array:
    """Embed texts, each as the modality that it is routed to, (n, d_out) float32."""
    sides = np.array(read_as(space, texts), object)
    found = np.empty((len(sides), space.output_dimension), np.float32)
    for side in dict.fromkeys(sides):
        rows = np.flatnonzero(sides == side)
        found[rows] = space.embed([texts[int(row)] for row in rows], modality=side, role=role)
    return found
