"""Learn a calibration on held-out pairs, as a conditional logit.

Pairs name no answers within a modality. But how two texts relate does not depend on their language.
So the answer of a query is the pair that all four score matrices together find nearest, and it
counts in each modality. The pair of the query itself is excluded, because weights learned on
translations would value only translations, and bury the documents of the query's own modality.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..types import SIDES, Side
from ..vectors import Float32Array, FloatArray
from .bm25 import LexicalIndex
from .calibration import MIN_CALIBRATED, RANK_CONSTANT, Calibration, ModalityPair
from .conditional_logit import ScoredDocuments, ScoreWeights, fit_weights, places

_WORD_SHARES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)


class RescoredPairs(NamedTuple):
    """The same pairs as a second map sees them.

    Queries of the source are rescored, and their hits of the target.

    Attributes:
        queries: (n, d) unit rows of the source.
        documents: (n, d) unit rows of the target.
    """

    queries: Float32Array
    documents: Float32Array


class HeldOutPairs(NamedTuple):
    """n pairs that the projection was not fitted on.

    Attributes:
        queries, documents: (n, d) projected unit rows of each modality, embedded in that role.
        texts: n texts of each modality; None where only vectors were passed.
        rescored: by the second map; None where there is none.
    """

    queries: Mapping[Side, Float32Array]
    documents: Mapping[Side, Float32Array]
    texts: Mapping[Side, Sequence[str] | None]
    rescored: RescoredPairs | None = None

    def similarity(self, query: Side, document: Side) -> FloatArray:
        """Return the (n, n) similarities that a search gives between two modalities."""
        if self.rescored is not None and (query, document) == ("source", "target"):
            again: FloatArray = self.rescored.queries @ self.rescored.documents.T
            return again
        kept: FloatArray = self.queries[query] @ self.documents[document].T
        return kept


def calibrate(pairs: HeldOutPairs) -> Calibration | None:
    """Learn a calibration; return None where it cannot be learned.

    That is where fewer than :data:`MIN_CALIBRATED` pairs have an answer, or where a larger
    similarity does not mean a better answer.

    Args:
        pairs: a few hundred: every query is scored with every document.
    """
    n = len(pairs.queries["source"])
    if n < MIN_CALIBRATED:
        return None
    similarities: dict[ModalityPair, FloatArray] = {
        (query, document): pairs.similarity(query, document)
        for query, document in product(SIDES, SIDES)
    }
    excluded = _same_text(pairs, "source") | _same_text(pairs, "target")
    answers = nearest_pairs(list(similarities.values()), excluded)
    if answers.any(axis=1).sum() < MIN_CALIBRATED:
        return None
    documents = {
        pair: ScoredDocuments(s, None, ~excluded, answers) for pair, s in similarities.items()
    }
    plain = _fit_all(documents)
    hybrid: dict[ModalityPair, ScoreWeights] = {}
    words_by_rank: dict[ModalityPair, float] = {}
    if (shares := _bm25_shares(pairs.texts, excluded)) is not None:
        documents = {pair: d._replace(lexical=shares[pair]) for pair, d in documents.items()}
        hybrid = _fit_all(documents)
        words_by_rank = {pair: _best_word_share(d) for pair, d in documents.items()}
    if min(weights.similarity for weights in (*plain.values(), *hybrid.values())) <= 0:
        return None
    return Calibration(plain, hybrid, n, words_by_rank)


def _fit_all(
    documents: Mapping[ModalityPair, ScoredDocuments],
) -> dict[ModalityPair, ScoreWeights]:
    """Fit the weights for queries of each modality. The mean answer in the target scores 0."""
    weights: dict[ModalityPair, ScoreWeights] = {}
    for query in SIDES:
        by_modality = {side: documents[query, side] for side in ("target", "source")}
        weights |= {(query, side): w for side, w in fit_weights(by_modality).items()}
    return weights


def _best_word_share(documents: ScoredDocuments) -> float:
    """Return the weight of words with which rank fusion ranks the answers best.

    The measure is the mean reciprocal rank of the best answer within the modality.
    """
    assert documents.lexical is not None
    allowed = documents.allowed
    by_vector = _reciprocal_ranks(documents.similarity, allowed)
    by_words = _reciprocal_ranks(documents.lexical, allowed & (documents.lexical > 0))
    answered = documents.answers.any(axis=1)
    mean_reciprocal_ranks = []
    for share in _WORD_SHARES:
        scores = np.where(allowed, (1 - share) * by_vector + share * by_words, -np.inf)
        best = np.where(documents.answers, scores, -np.inf).max(axis=1, keepdims=True)
        ranks = (scores >= best - 1e-12).sum(axis=1)[answered]
        mean_reciprocal_ranks.append(float((1 / ranks).mean()))
    return _WORD_SHARES[int(np.argmax(mean_reciprocal_ranks))]


def _reciprocal_ranks(scores: FloatArray, allowed: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return 1 / (60 + rank) of (n, m) scores within their rows; 0 for excluded columns."""
    return np.where(allowed, 1 / (RANK_CONSTANT + places(scores, allowed)), 0)


def _same_text(pairs: HeldOutPairs, side: Side) -> NDArray[np.bool_]:
    """Say which documents of a side are the query itself, (n, n) bool; no index would hold it."""
    texts = pairs.texts[side]
    if texts is not None:
        _, numbers = np.unique(np.array(texts, object), return_inverse=True)
        same: NDArray[np.bool_] = numbers[:, None] == numbers
        return same
    return pairs.documents[side] @ pairs.documents[side].T > 1 - 1e-5


def nearest_pairs(scores: Sequence[FloatArray], excluded: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Say which pair is nearest to each pair by all (n, n) score matrices: at most one a row.

    Args:
        excluded: (n, n) bool, pairs that are not an answer.
    """
    total = np.sum([(x - x.mean()) / max(float(x.std()), 1e-12) for x in scores], axis=0)
    symmetric = np.where(excluded, -np.inf, total + total.T)
    nearest = np.zeros(symmetric.shape, bool)
    nearest[np.arange(len(nearest)), symmetric.argmax(axis=1)] = True
    return nearest & ~excluded


def _bm25_shares(
    texts: Mapping[Side, Sequence[str] | None], excluded: NDArray[np.bool_]
) -> dict[ModalityPair, FloatArray] | None:
    """Return (n, n) BM25 scores divided by the best of each query in each modality."""
    source, target = texts["source"], texts["target"]
    if source is None or target is None:
        return None
    index, n = LexicalIndex([*source, *target]), len(source)
    queries: dict[Side, Sequence[str]] = {"source": source, "target": target}
    columns: dict[Side, slice] = {"source": slice(0, n), "target": slice(n, 2 * n)}
    shares: dict[ModalityPair, FloatArray] = {}
    for query in SIDES:
        scores = np.stack([index.scores(text) for text in queries[query]])
        for document in SIDES:
            of_modality = np.where(excluded, 0, scores[:, columns[document]])
            best = of_modality.max(axis=1, keepdims=True)
            shares[query, document] = of_modality / np.where(best > 0, best, 1)
    return shares
