"""Learn the router, and the calibration on pairs that the map has not seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..aligner_record import Identities
from ..data.pairs import Pairs
from ..encoders.cache import encode_texts
from ..errors import FitError
from ..metrics.rescored import first_hits
from ..projection import Projection
from ..projection.rescoring import Rescoring
from ..retrieval.answer_probability import DEPTH, AnswerProbability, fit_probability
from ..retrieval.calibration import Calibration
from ..retrieval.learn_calibration import HeldOutPairs, RescoredPairs, calibrate
from ..routing.router import Router
from ..types import SIDES, Role, Side
from ..vectors import Float32Array, FloatArray, drawn, unit_rows
from .inputs import ROLES, Cache, EncodersBySide

_MAX_PAIRS = 500
"""Held-out pairs that a calibration is learned from, at most: some are encoded once more."""
_ACROSS: tuple[tuple[Side, Side], ...] = (("source", "target"), ("target", "source"))
_MAX_DOCUMENTS = 10_000
"""Documents of the index that held-out questions are asked of, at most."""


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
    index: Pairs,
    seed: int,
    cache: Cache = None,
    rescoring: Rescoring | None = None,
) -> Calibration | None:
    """Learn on held-out pairs how scores of the modalities compare, and how likely they are right.

    Scores are those of a search. A second map gives those of queries of the source and documents
    of the target.

    Args:
        projection: fitted without the part that judges it, so on none of these pairs.
        held_out: the pairs of that part: the first fold, or the test part.
        index: pairs whose documents are in the index beside theirs.
        seed: decides which of many pairs are taken.
        rescoring: a second map that was fitted on none of these pairs either.
    """
    sample = held_out.select(drawn(len(held_out), _MAX_PAIRS, seed))
    raw: dict[Role, dict[Side, FloatArray]] = {
        role: {side: _in_role(sample, side, role, encoders, identities, cache) for side in SIDES}
        for role in ("query", "document")
    }
    projected: dict[Role, dict[Side, Float32Array]] = {
        role: {
            side: _project(projection, vectors, sample, side, role)
            for side, vectors in by_side.items()
        }
        for role, by_side in raw.items()
    }
    texts = {side: sample.texts(side) for side in SIDES}
    rescored = None if rescoring is None else _rescored(rescoring, raw, sample)
    held_out_pairs = HeldOutPairs(projected["query"], projected["document"], texts, rescored)
    calibration = calibrate(held_out_pairs)
    if calibration is None:
        return None
    others = index.select(drawn(len(index), _MAX_DOCUMENTS, seed))
    answers: dict[str, AnswerProbability] = {}
    for query, document in _ACROSS:
        searched = [(sample, raw["document"][document])]
        if not _encodes_again(index, document, "document", encoders, identities):
            searched.append((others, others.required_vectors(document)))
        keys = np.concatenate([pairs.keys(document) for pairs, _ in searched])
        _, once = np.unique(keys, return_index=True)
        right = sample.keys(document)[:, None] == keys[once]
        documents = np.concatenate(
            [_project(projection, x, pairs, document, "document") for pairs, x in searched]
        )
        similarity = projected["query"][query] @ documents[once].T
        if rescoring is not None and rescored is not None and query == "source":
            again = np.concatenate([_again(rescoring, x, pairs) for pairs, x in searched])
            first = first_hits(projected["query"][query], documents[once], "ip", rescoring.n_hits)
            similarity = _only(first, rescored.queries @ again[once].T)
        probability = fit_probability(
            *_best(calibration, similarity, right, query, document),
            _best(calibration, np.where(right, -np.inf, similarity), right, query, document)[0],
        )
        if probability is None:
            return calibration
        answers[query] = probability
    return replace(calibration, answers=answers)


def _rescored(
    rescoring: Rescoring, raw: dict[Role, dict[Side, FloatArray]], sample: Pairs
) -> RescoredPairs:
    """Return held-out pairs as the second map sees them."""
    queries = rescoring.query(raw["query"]["source"], texts=sample.texts("source"))
    documents = _again(rescoring, raw["document"]["target"], sample)
    return RescoredPairs(queries, documents)


def _again(rescoring: Rescoring, vectors: FloatArray, pairs: Pairs) -> Float32Array:
    """Return the (n, d) vectors of targets as the second map sees them."""
    return rescoring.documents(vectors, texts=pairs.texts("target"))


def _only(hits: NDArray[np.intp], scores: Float32Array) -> Float32Array:
    """Return (n, m) scores of the hits (n, k) of each query; all others have none."""
    result = np.full_like(scores, -np.inf)
    np.put_along_axis(result, hits, np.take_along_axis(scores, hits, axis=1), axis=1)
    return result


def _best(
    calibration: Calibration,
    similarity: FloatArray,
    right: NDArray[np.bool_],
    query: Side,
    document: Side,
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return scores of the best documents of each query, (n, k), and whether they are right."""
    rows = np.argsort(-similarity, axis=1, kind="stable")[:, :DEPTH]
    place = np.arange(1.0, rows.shape[1] + 1)
    best = np.take_along_axis(similarity, rows, axis=1)
    scores = calibration.scores(best, place, query=query, document=document)
    return scores, np.take_along_axis(right, rows, axis=1)


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
    texts, encoder = pairs.texts(side), encoders[side]
    again = _encodes_again(pairs, side, role, encoders, identities)
    if not again or texts is None or encoder is None:
        return pairs.required_vectors(side)
    return encode_texts(
        encoder, texts, role, cache=cache, label=f"encoding held-out texts as {role}"
    )


def _encodes_again(
    pairs: Pairs, side: Side, role: Role, encoders: EncodersBySide, identities: Identities
) -> bool:
    """Whether the vectors at hand are of another role, and can be made in this one."""
    identity = identities[side]
    knows_roles = identity is not None and identity.tells_roles
    at_hand = pairs.texts(side) is not None and encoders[side] is not None
    return role != ROLES[side] and knows_roles and at_hand


def _project(
    projection: Projection, vectors: FloatArray, pairs: Pairs, side: Side, role: Role
) -> Float32Array:
    """Project vectors as they are served, to unit length."""
    x = np.asarray(vectors, np.float32)
    return unit_rows(projection(x, modality=side, role=role, texts=pairs.texts(side), roughly=True))
