"""Learn what serving mixed corpora needs, on the pairs that the map has not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..data.pairs import Pairs
from ..encoders.adapters import Encoder, EncoderIdentity
from ..encoders.cache import encode_texts
from ..errors import FitError
from ..projection import Projection
from ..retrieval.calibration import Sample, calibrate
from ..routing.domain import Domain
from ..routing.router import Router
from ..serving import Serving
from ..types import SIDES, Mode, Role, Side
from ..vectors import Float32Array, FloatArray, unit_rows
from .inputs import ROLES, Cache, Encoders
from .split_plan import Plan

_READ = 500
"""Held-out pairs that are read in the other role, at most; some encoders tell the two apart."""
_MISREAD = 200
"""Held-out targets that the source encoder reads, at most: it may have to, for this alone."""

Identities = Mapping[Side, EncoderIdentity | None]


def learn_serving(
    tested: Projection,
    pairs: Pairs,
    rows: Plan,
    encoders: Encoders,
    identities: Identities,
    *,
    mode: Mode,
    alone: FloatArray | None,
    same_space: bool,
    seed: int,
    cache: Cache = None,
    progress: bool = False,
) -> Serving:
    """Learn on held-out pairs what serving needs.

    Args:
        tested: the projection that the test part judged, which has seen none of it.
        mode: of the projection.
        alone: (n, d_y), the test queries as the target encoder sees them, where it is at hand.
    """
    held = rows.judged.held
    if len(held) > _READ:
        keep = np.sort(np.random.default_rng(seed).choice(len(held), _READ, replace=False))
        held, alone = held.select(keep), None if alone is None else alone[keep]
    texts = {side: held.texts(side) for side in SIDES}
    reader = _Reader(held, encoders, identities, cache, progress)
    as_served: dict[Role, dict[Side, Float32Array]] = {"query": {}, "document": {}}
    for role, by_side in as_served.items():
        for side in SIDES:
            by_side[side] = _project(tested, reader.vectors(side, role), texts[side], side, role)
    domain = Domain(Domain.sample(rows.pairs.required_vectors("source"), rows.judged.train), None)
    asked_alone = held.required_vectors("source") if reader.one_encoder(same_space) else alone
    misread = reader.misread(same_space)
    if asked_alone is not None and misread is not None:
        n = len(misread)
        documents, sources = as_served["document"]["target"], held.required_vectors("source")
        unread = ~np.isfinite(asked_alone).all(axis=1)  # what the target encoder refuses
        asked_alone = np.nan_to_num(np.asarray(asked_alone, np.float32))
        by_target = _project(tested, asked_alone, texts["source"], "target", "query")
        through_map = _project(tested, misread, _first(texts["target"], n), "source", "query")
        domain = domain.tuned(
            sources,
            misread,
            reciprocal=(
                _reciprocal(as_served["query"]["source"], documents),
                np.where(unread, 1 / len(documents), _reciprocal(by_target, documents)),
            ),
            reciprocal_misread=(
                _reciprocal(through_map, documents),
                _reciprocal(as_served["query"]["target"][:n], documents),
            ),
        )
    seen = Sample(as_served["query"], as_served["document"], texts)
    calibration = calibrate(seen)
    # In another mode the target space is of this aligner alone, and no bridge can be built on it.
    sample = None
    if mode == "keep" and calibration is not None:
        sample = Sample.from_state(seen.state())  # as it will be read again
    return Serving(_router(pairs, seed), domain, calibration, sample)


def _router(pairs: Pairs, seed: int) -> Router | None:
    """Learn to tell the sides apart; None without texts, or where all of them are linked."""
    if pairs.source_texts is None or pairs.target_texts is None:
        return None
    try:
        return Router.fit(pairs, seed=seed)
    except FitError:
        return None


@dataclass(frozen=True)
class _Reader:
    """The held-out pairs, read as a fit does not read them: in the other role, or misread."""

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
        return self._encoded(encoder, texts, role) if identity.tells_roles else stored

    def one_encoder(self, same_space: bool) -> bool:
        """Whether the vectors of one side are what the other side's encoder would give."""
        source, target = self.identities["source"], self.identities["target"]
        return same_space if source is None or target is None else source.matches(target)

    def misread(self, same_space: bool) -> FloatArray | None:
        """Return the first targets as the source encoder sees them, (m, d); None if unknown."""
        if self.one_encoder(same_space):
            return self.held.required_vectors("target")[:_MISREAD]
        encoder, texts = self.encoders["source"], self.held.target_texts
        if encoder is None or texts is None:
            return None
        return self._encoded(encoder, texts[:_MISREAD], "query")

    def _encoded(self, encoder: Encoder, texts: Sequence[str], role: Role) -> FloatArray:
        label = f"encoding held-out texts as {role}"
        return encode_texts(
            encoder, texts, role, cache=self.cache, progress=self.progress, label=label
        )


def _project(
    tested: Projection, vectors: FloatArray, texts: Any, side: Side, role: Role
) -> Float32Array:
    x = np.asarray(vectors, np.float32)
    return unit_rows(tested(x, modality=side, role=role, texts=texts, roughly=True))


def _first(texts: Sequence[str] | None, n: int) -> Sequence[str] | None:
    return None if texts is None else texts[:n]


def _reciprocal(queries: Float32Array, documents: Float32Array) -> FloatArray:
    """Return the reciprocal rank of document i for query i, (n,), ties against."""
    scores = queries @ documents.T
    own = scores[np.arange(len(queries)), np.arange(len(queries))]
    found: FloatArray = 1.0 / np.maximum(1, (scores >= own[:, None] - 1e-6).sum(axis=1))
    return found
