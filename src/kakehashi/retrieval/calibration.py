"""Calibration: make scores of documents of two modalities comparable.

A query and a document of one modality share a language, an alphabet and the habits of one encoder:
their similarity is high without any common meaning. So similarities of two modalities are on two
scales. For each modality of the query and each of the document, a calibration holds weights of the
similarity, of the document's place within its modality, and of shared words. They are learned on
held-out pairs (:mod:`kakehashi.retrieval.learn_calibration`). With the similarity alone this would
be fusion by score, and with the place alone fusion by rank.

Words count as a share of the best BM25 score of the modality. Otherwise a part number in a text of
the other modality would be measured by all the words that the query shares with its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..types import SIDES
from .answer_probability import AnswerProbability
from .conditional_logit import ScoreWeights

MIN_CALIBRATED = 30
"""Least number of held-out pairs with an answer; fewer are too few for four sets of weights."""
RANK_CONSTANT = 60
"""Of reciprocal rank fusion: a document scores 1 / (60 + rank)."""
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
