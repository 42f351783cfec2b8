"""Calibration: make scores of documents of two modalities comparable.

A query and a document of one modality share a language, an alphabet and the habits of one encoder:
their similarity is high without any common meaning. So similarities of two modalities are on two
scales. For each modality of the query and each of the document, a calibration holds weights of the
similarity, of the document's place within its modality, and of shared words. They are learned on
held-out pairs (:mod:`kakehashi.retrieval.conditional_logit`). With the similarity alone this would
be fusion by score, and with the place alone fusion by rank.

Words count as a share of the best BM25 score of the modality. Otherwise a part number in a text of
the other modality would be measured by all the words that the query shares with its own.

Pairs name no answers within a modality. But how two texts relate does not depend on their language.
So the answer of a query is the pair that all four score matrices together find nearest, and it
counts in each modality. The pair of the query itself is excluded, because weights learned on
translations would value only translations, and bury the documents of the query's own modality.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..types import SIDES, Side
from ..vectors import Float32Array, FloatArray
from .answer_probability import AnswerProbability
from .conditional_logit import ScoredDocuments, ScoreWeights, fit_weights, places

MIN_CALIBRATED = 30
"""Least number of held-out pairs with an answer; fewer are too few for four sets of weights."""
RANK_CONSTANT = 60
"""Of reciprocal rank fusion: a document scores 1 / (60 + rank)."""
_WORD_SHARES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)

ModalityPair = tuple[str, str]
"""Modality of the query, and of the document."""


@dataclass(frozen=True)
class Calibration:
    """Score weights by modality of the query and of the document.

    Attributes:
        plain: for similarity and place.
        hybrid: for similarity, place and BM25 share; empty where the aligner has no texts.
        n_pairs: number of held-out pairs that they were learned on.
        words_by_rank: for rank fusion, the weight of a search by words, 0 to 1; the search by
            vector has the rest. Empty where the aligner has no texts.
        answers: by modality of the query, the probability that a document of a plain score answers
            it. Empty where it could not be learned.
    """

    plain: Mapping[ModalityPair, ScoreWeights]
    hybrid: Mapping[ModalityPair, ScoreWeights]
    n_pairs: int
    words_by_rank: Mapping[ModalityPair, float] = field(default_factory=dict)
    answers: Mapping[str, AnswerProbability] = field(default_factory=dict)

    def scores(
        self, similarity: Any, place: Any, lexical: Any = None, *, query: str, document: str
    ) -> NDArray[np.float64]:
        """Return the scores of n documents of one modality for a query, (n,) float64.

        Args:
            similarity: (n,) inner products of unit vectors.
            place: (n,) places among the documents of the modality, from 1, the nearest first.
            lexical: (n,) BM25 scores divided by the best of the modality, 0 to 1; None without a
                search by words.
            query, document: their modalities.

        Raises:
            DataError: lexical scores, but the aligner was fitted without texts.
        """
        if lexical is not None and not self.hybrid:
            raise DataError(
                "This aligner, or one of this multi aligner, was fitted without texts, so the "
                "weight of a BM25 score is not known. Fit on pairs with texts, or fuse by rank "
                "(fusion='rank')."
            )
        weights = (self.plain if lexical is None else self.hybrid)[query, document]
        scores: NDArray[np.float64] = (
            weights.similarity * np.asarray(similarity, np.float64)
            + weights.place * np.log(np.asarray(place, np.float64))
            + weights.offset
        )
        if lexical is None:
            return scores
        return scores + weights.lexical * np.asarray(lexical, np.float64)

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities whose scores compare."""
        return tuple(dict.fromkeys(query for query, _ in self.plain))

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready record of the calibration of an aligner; see :meth:`from_dict`."""
        record: dict[str, Any] = {"n_pairs": self.n_pairs}
        for name in ("plain", "hybrid", "words_by_rank"):
            values: Mapping[ModalityPair, Any] = getattr(self, name)
            record[name] = {f"{query} {document}": v for (query, document), v in values.items()}
        record["answers"] = dict(self.answers)
        return record

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Calibration:
        """Rebuild from :meth:`to_dict`.

        Raises:
            ValueError, KeyError, TypeError: the record is incomplete or its numbers are not valid.
        """
        plain, hybrid = (
            {pair: ScoreWeights(*map(float, numbers)) for pair, numbers in values.items()}
            for values in (_read(record, "plain"), _read(record, "hybrid"))
        )
        shares = {pair: float(share) for pair, share in _read(record, "words_by_rank").items()}
        for weights in (*plain.values(), *hybrid.values()):
            if weights.similarity <= 0 or weights.place > 0 or weights.lexical < 0:
                raise ValueError(f"a weight of the calibration has the wrong sign: {weights}")
        n_pairs = record["n_pairs"]
        if type(n_pairs) is not int or n_pairs < 1 or (not shares) != (not hybrid):
            raise ValueError(f"the calibration is of {n_pairs!r:.20} pairs, or lacks a part")
        if not all(0 <= share <= 1 for share in shares.values()):
            raise ValueError(f"a share of the calibration is not between 0 and 1: {shares}")
        return cls(plain, hybrid, n_pairs, shares, _read_answers(record.get("answers") or {}))


def _read_answers(record: Mapping[str, Any]) -> dict[str, AnswerProbability]:
    """Return the probabilities by modality of the query; of both modalities, or empty."""
    if not record:
        return {}
    answers: dict[str, AnswerProbability] = {
        side: AnswerProbability(*map(float, record[side])) for side in SIDES
    }
    for answer in answers.values():
        if not np.isfinite(answer).all() or answer.slope <= 0 or not 0 <= answer.recommended <= 1:
            raise ValueError(f"a probability of the calibration cannot be: {answer}")
    return answers


def _read(record: Mapping[str, Any], name: str) -> dict[ModalityPair, NDArray[np.float64]]:
    """Return the numbers of one field by modalities; only ``plain`` may not be empty."""
    if not record[name] and name != "plain":
        return {}
    values: dict[ModalityPair, NDArray[np.float64]] = {}
    for query, document in product(SIDES, SIDES):
        numbers = np.array(record[name][f"{query} {document}"], np.float64)
        if not np.isfinite(numbers).all():
            raise ValueError(f"{name} of the calibration is not finite: {numbers}")
        values[query, document] = numbers
    return values


class HeldOutPairs(NamedTuple):
    """n pairs that the projection was not fitted on.

    Attributes:
        queries, documents: (n, d) projected unit rows of each modality, embedded in that role.
        texts: n texts of each modality; None where only vectors were passed.
    """

    queries: Mapping[Side, Float32Array]
    documents: Mapping[Side, Float32Array]
    texts: Mapping[Side, Sequence[str] | None]


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
        (query, document): pairs.queries[query] @ pairs.documents[document].T
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
    from .bm25 import LexicalIndex

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
