"""Learn the router, and the calibration on pairs that the map has not seen."""

from __future__ import annotations

import numpy as np

from ..aligner_record import Identities
from ..data.pairs import Pairs
from ..encoders.cache import encode_texts
from ..errors import FitError
from ..projection import Projection
from ..retrieval.calibration import Calibration, HeldOutPairs, calibrate
from ..routing.router import Router
from ..types import SIDES, Role, Side
from ..vectors import Float32Array, FloatArray, drawn, unit_rows
from .inputs import ROLES, Cache, EncodersBySide

_MAX_PAIRS = 500
"""Held-out pairs that a calibration is learned from, at most: some are encoded once more."""


def router_or_none(pairs: Pairs, seed: int) -> Router | None:
    """Learn to tell the sides apart; None without texts, or where all of them are linked."""
    if pairs.source_texts is None or pairs.target_texts is None:
        return None
    try:
        return Router.fit(pairs, seed=seed)
    except FitError:
        return None


def learn_calibration(
    projection: Projection,
    held_out: Pairs,
    encoders: EncodersBySide,
    identities: Identities,
    *,
    seed: int,
    cache: Cache = None,
) -> Calibration | None:
    """Learn on held-out pairs how scores of the modalities compare.

    Args:
        projection: the one that the test part judged; it was fitted on none of these pairs.
        held_out: the pairs of the test part.
        seed: decides which of many pairs are taken.
    """
    sample = held_out.select(drawn(len(held_out), _MAX_PAIRS, seed))
    projected: dict[Role, dict[Side, Float32Array]] = {"query": {}, "document": {}}
    for role, by_side in projected.items():
        for side in SIDES:
            vectors = _in_role(sample, side, role, encoders, identities, cache)
            by_side[side] = _project(projection, vectors, sample, side, role)
    texts = {side: sample.texts(side) for side in SIDES}
    return calibrate(HeldOutPairs(projected["query"], projected["document"], texts))


def _in_role(
    pairs: Pairs,
    side: Side,
    role: Role,
    encoders: EncodersBySide,
    identities: Identities,
    cache: Cache,
) -> FloatArray:
    """Return the (n, d) vectors of a side as queries or as documents.

    A fit has encoded sources as queries and targets as documents. Most encoders know no roles: the
    vectors at hand serve for both. The others encode the texts again.
    """
    texts, encoder, identity = pairs.texts(side), encoders[side], identities[side]
    knows_roles = identity is not None and identity.tells_roles
    if role == ROLES[side] or texts is None or encoder is None or not knows_roles:
        return pairs.required_vectors(side)
    return encode_texts(
        encoder, texts, role, cache=cache, label=f"encoding held-out texts as {role}"
    )


def _project(
    projection: Projection, vectors: FloatArray, pairs: Pairs, side: Side, role: Role
) -> Float32Array:
    """Project vectors as they are served, to unit length."""
    x = np.asarray(vectors, np.float32)
    return unit_rows(projection(x, modality=side, role=role, texts=pairs.texts(side), roughly=True))
