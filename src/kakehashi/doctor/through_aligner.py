"""The ten places through an aligner: what the index would give once it is asked so."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..aligner import Aligner
from ..encoders.protocol import checked_encode
from ..errors import KakehashiError
from ..types import SIDES, Role
from ..vectors import Float32Array, unit_rows
from .asked import Asked
from .places import Places, Pool, Questions, places

ALIGNED, CALIBRATED = "through the aligner", "and by calibrated fusion"


def places_through(
    aligner: Aligner, vectors: Float32Array, pool: Pool, asked: Asked
) -> dict[str, Places]:
    """Return the places through an aligner; empty where it cannot be asked.

    Documents and questions of the source are embedded by its encoder. An aligner that rescores is
    asked by its second map, which orders the first hits of a search.

    Args:
        vectors: (n, d) of the documents, as they are stored; those of the target are the target
            encoder's own.
    """
    space = aligner if aligner.rescoring is None else aligner.as_shared()
    try:
        documents = _projected(space, vectors, pool.keys, pool.modality, "document")
        of_target = asked.vectors if asked.are_documents else None
        queries = _projected(space, of_target, asked.texts, asked.modality, "query")
    except KakehashiError:  # an encoder is missing, say
        return {}
    moved = Pool(documents, pool.modality, pool.keys)
    questions = Questions(queries, asked.modality, asked.keys)
    found = {ALIGNED: places(moved, questions)}
    if space.calibration is not None:
        found[CALIBRATED] = places(moved, questions, space.calibration)
    return found


def _projected(
    space: Aligner,
    of_target: Float32Array | None,
    texts: Sequence[str],
    modality: NDArray[np.str_],
    role: Role,
) -> Float32Array:
    """Return (n, d_out) vectors through an aligner.

    Args:
        of_target: (n, d) vectors of which those of the target are read; None embeds these, too.
    """
    found = np.zeros((len(texts), space.output_dimension), np.float32)
    for side in SIDES:
        rows = np.flatnonzero(modality == side)
        if not len(rows):
            continue
        of_side = [texts[row] for row in rows.tolist()]
        if side == "target" and of_target is not None:
            encoded = of_target[rows]
        else:
            encoded = checked_encode(space.encoder(side), of_side, role)
        found[rows] = space.project(encoded, texts=of_side, modality=side, role=role)
    return unit_rows(found)
