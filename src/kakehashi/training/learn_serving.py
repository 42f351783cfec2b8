"""Learn the router, and the calibration on pairs that the map has not seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..data.pairs import Pairs
from ..encoders import EncoderIdentity
from ..encoders.cache import encode_texts
from ..errors import FitError
from ..projection import Projection
from ..retrieval.calibration import Calibration, HeldOutPairs, calibrate
from ..routing.router import Router
from ..types import SIDES, Role, Side
from ..vectors import Float32Array, FloatArray, unit_rows
from .inputs import ROLES, Cache, Encoders

_READ = 500
"""Held-out pairs that are read in the other role, at most; some encoders tell the two apart."""

Identities = Mapping[Side, EncoderIdentity | None]


def learn_calibration(
    tested: Projection,
    held: Pairs,
    encoders: Encoders,
    identities: Identities,
    *,
    seed: int,
    cache: Cache = None,
    progress: bool = False,
) -> Calibration | None:
    """Learn on held-out pairs how scores of the modalities compare.

    Args:
        tested: the projection that the test part judged, which has seen none of it.
        held: the pairs of the test part.
    """
    if len(held) > _READ:
        keep = np.sort(np.random.default_rng(seed).choice(len(held), _READ, replace=False))
        held = held.select(keep)
    texts = {side: held.texts(side) for side in SIDES}
    reader = _Reader(held, encoders, identities, cache, progress)
    as_served: dict[Role, dict[Side, Float32Array]] = {"query": {}, "document": {}}
    for role, by_side in as_served.items():
        for side in SIDES:
            by_side[side] = _project(tested, reader.vectors(side, role), texts[side], side, role)
    return calibrate(HeldOutPairs(as_served["query"], as_served["document"], texts))


def learn_router(pairs: Pairs, seed: int) -> Router | None:
    """Learn to tell the sides apart; None without texts, or where all of them are linked."""
    if pairs.source_texts is None or pairs.target_texts is None:
        return None
    try:
        return Router.fit(pairs, seed=seed)
    except FitError:
        return None


@dataclass(frozen=True)
class _Reader:
    """The held-out pairs, read as a fit does not read them: in the other role."""

    held: Pairs
    encoders: Encoders
    identities: Identities
    cache: Cache
    progress: bool

    def vectors(self, side: Side, role: Role) -> FloatArray:
        """Return the (n, d) vectors of a side in a role; most encoders know no roles."""
        texts, encoder, identity = self.held.texts(side), self.encoders[side], self.identities[side]
        stored = self.held.required_vectors(side)
        if role == ROLES[side] or texts is None or encoder is None or identity is None:
            return stored
        if not identity.tells_roles:
            return stored
        label = f"encoding held-out texts as {role}"
        return encode_texts(
            encoder, texts, role, cache=self.cache, progress=self.progress, label=label
        )


def _project(
    tested: Projection, vectors: FloatArray, texts: Any, side: Side, role: Role
) -> Float32Array:
    x = np.asarray(vectors, np.float32)
    return unit_rows(tested(x, modality=side, role=role, texts=texts, roughly=True))
