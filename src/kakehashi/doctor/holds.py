"""What vectors are to an aligner: the target encoder's own, projected, moved, or none of these."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..aligner import Aligner
from ..encoders.protocol import checked_encode
from ..errors import EncoderError, KakehashiError
from ..retrieval.index_check import ALIKE
from ..vectors import Float32Array, unit_rows
from .likeness import LIKE, Group
from .reading import Sample

Kind = Literal["own", "projected", "shared", "other", "unknown"]
"""``own``: the target encoder's own. ``projected``: by the map of mode ``keep``. ``shared``: by the
map of mode ``shared``. ``other``: none of these. ``unknown``: no evidence is at hand."""


class Held(NamedTuple):
    """What each of some documents is, and how it was found.

    Attributes:
        by: the evidence, in a few words.
    """

    kinds: list[Kind]
    by: str


def held(space: Any, sample: Sample, modality: str) -> Held:
    """Say what the vectors of documents of one modality are to an aligner or a multi aligner.

    Texts are embedded again where the encoders are at hand. Where they are not, the vectors may
    show it by themselves (:meth:`kakehashi.Aligner.recognises`).

    Args:
        sample: some documents of this modality.
    """
    n, target = len(sample), space.modalities[-1]
    maps = {k: each for k, each in _maps(space).items() if _fits(each, sample)}
    reads_own = isinstance(space, Aligner) and space.dimensions["target"] == sample.unit.shape[1]
    if not maps and not reads_own:
        return Held(["other"] * n, "their dimension")
    agrees = {kind: _agrees(each, sample, modality) for kind, each in maps.items()}
    if "projected" in agrees and modality == target:  # a keep map leaves the target as it is
        agrees["own"] = agrees.pop("projected")
    elif reads_own:
        agrees["own"] = _own_agrees(space, sample)
    kinds: list[Kind] = [_kind(agrees, row) for row in range(n)]
    if "unknown" not in kinds:
        return Held(kinds, "embedded again")
    for kind, each in maps.items():
        left = np.array([k == "unknown" for k in kinds])
        if left.any() and each.recognises(sample.vectors[left], modality):
            found: Kind = "own" if kind == "projected" else kind  # by the encoder's signature
            by = "their directions" if found == "own" else "their last two numbers"
            return Held([found if k == "unknown" else k for k in kinds], by)
    return Held(kinds, "no encoder")


def moved_by_likeness(space: Any, own: Sample, others: Sample) -> bool:
    """Whether other vectors have the habits of the target's own after these are moved.

    No encoder is needed: the own vectors are moved, and compared with the others.
    """
    shared = _maps(space).get("shared")
    if not isinstance(shared, Aligner):
        return False
    try:
        moved = shared.project(own.vectors, texts=own.texts, modality="target", role="document")
    except KakehashiError:  # a document without a text, say, where the map reads texts
        return False
    if moved.shape[1] != others.unit.shape[1]:
        return False
    return Group.of(unit_rows(moved)).likeness(Group.of(others.unit)) >= LIKE


def _maps(space: Any) -> dict[Kind, Any]:
    """Return the maps that may have filled an index, by what they leave there."""
    if space.mode == "shared":
        return {"shared": space}
    if isinstance(space, Aligner) and space.rescoring is not None:
        return {"projected": space, "shared": space.as_shared()}
    return {"projected": space}


def _kind(agrees: dict[Kind, NDArray[np.bool_] | None], row: int) -> Kind:
    """Return what one row is by the comparisons; unknown where one could not be made."""
    for kind, rows in agrees.items():
        if rows is not None and rows[row]:
            return kind
    return "unknown" if any(rows is None for rows in agrees.values()) else "other"


def _fits(space: Any, sample: Sample) -> bool:
    return bool(space.output_dimension == sample.unit.shape[1])


def _agrees(space: Any, sample: Sample, modality: str) -> NDArray[np.bool_] | None:
    """Return which vectors are those that an aligner gives; None where it cannot embed."""
    try:
        return _alike(space.embed_documents(list(sample.texts), modality=modality), sample)
    except EncoderError:
        return None


def _own_agrees(space: Aligner, sample: Sample) -> NDArray[np.bool_] | None:
    """Return which vectors are the target encoder's own; None where it is not at hand."""
    try:
        encoder = space.encoder("target")
        return _alike(checked_encode(encoder, list(sample.texts), "document"), sample)
    except EncoderError:
        return None


def _alike(vectors: Float32Array, sample: Sample) -> NDArray[np.bool_]:
    return np.asarray(np.einsum("ij,ij->i", unit_rows(vectors), sample.unit) >= ALIKE)
