"""Calibration: what a score is worth, so that documents of two modalities fit in one list.

A query and a document of one modality share a language, an alphabet, the habits of one encoder:
their score is high for no reason of meaning. A document of the other modality is scored on another
scale. So for each modality of the query and each of the document there is a line that says what a
similarity, the place that it gives among the documents of that modality, and shared words are worth
(:mod:`kakehashi.retrieval.conditional_logit`). With the similarity alone it would be fusion by
score, with the place alone fusion by rank; how much each counts is learned on held-out pairs.
Words count as a share of
the best that any document of the modality has for the query: a part number in a text of the other
modality is then not measured by all the words that the query shares with its own. Scores are
shifted so that the mean answer in the target modality has 0.

Within a modality nobody has said what answers; but what two texts have to do with each other does
not depend on the language they are written in, so the pair that all four views together find
nearest counts as the answer, in each of them. A query's own pair is left out, also across, where it
could stand: lines drawn through translations would only find translations worth something, and
bury the documents of the query's own modality, which has none.
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
from .conditional_logit import Choice, Line, choose, places

MIN_CALIBRATED = 30
"""Held-out pairs with an answer below which four lines would be drawn through next to nothing."""
RANK_CONSTANT = 60
"""Of reciprocal rank fusion: a place counts 1 / (60 + rank)."""
_WORD_WEIGHTS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)


Lines = dict[tuple[str, str], Line]


@dataclass(frozen=True)
class Calibration:
    """The lines of each (modality of the query, modality of the document).

    Attributes:
        plain: of the similarity of the vectors and the place that it gives.
        hybrid: of these and the BM25 share; empty where texts were missing.
        n_pairs: held-out pairs behind them.
        words_by_rank: the share of a search by words beside one by vectors in fusion by rank, 0 to
            1, with which the answers rank best; empty where texts were missing.
    """

    plain: Mapping[tuple[str, str], Line]
    hybrid: Mapping[tuple[str, str], Line]
    n_pairs: int
    words_by_rank: Mapping[tuple[str, str], float] = field(default_factory=dict)

    def scores(
        self, dense: Any, rank: Any, lexical: Any = None, *, query: str, document: str
    ) -> NDArray[np.float64]:
        """Return what documents of one modality score for a query, (n,) float64.

        Args:
            dense: (n,) inner products of unit vectors.
            rank: (n,) places among the documents of the modality, from 1, the nearest first.
            lexical: (n,) BM25 scores, each as a share of the query's best in the modality (0 to 1).

        Raises:
            DataError: lexical scores, and the aligner was fitted without texts.
        """
        if lexical is not None and not self.hybrid:
            raise DataError(
                "This aligner, or one of this bridge, was fitted without texts, so that nothing is "
                "known of what a BM25 score is worth. Fit on pairs with texts, or fuse by rank "
                "(fusion='rank')."
            )
        of = (self.plain if lexical is None else self.hybrid)[query, document]
        found: NDArray[np.float64] = (
            of.dense * np.asarray(dense, np.float64)
            + of.place * np.log(np.asarray(rank, np.float64))
            + of.offset
        )
        return found if lexical is None else found + of.lexical * np.asarray(lexical, np.float64)

    @property
    def modalities(self) -> tuple[str, ...]:
        """Whose scores it compares."""
        return tuple(dict.fromkeys(query for query, _ in self.plain))

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready record that :meth:`from_dict` reads back, of source and target."""
        found: dict[str, Any] = {"n_pairs": self.n_pairs}
        for name in ("plain", "hybrid", "words_by_rank"):
            given: Mapping[tuple[str, str], Any] = getattr(self, name)
            found[name] = {f"{query} {document}": x for (query, document), x in given.items()}
        return found

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Calibration:
        """Rebuild from :meth:`to_dict`.

        Raises:
            ValueError, KeyError, TypeError: no such record, or a number that is not finite.
        """

        def read(name: str) -> dict[tuple[str, str], NDArray[np.float64]]:
            if not record[name] and name != "plain":
                return {}
            found: dict[tuple[str, str], NDArray[np.float64]] = {}
            for query, document in product(SIDES, SIDES):
                numbers = np.array(record[name][f"{query} {document}"], np.float64)
                if not np.isfinite(numbers).all():
                    raise ValueError(f"{name} of the calibration is not finite: {numbers}")
                found[query, document] = numbers
            return found

        plain, hybrid = (
            {key: Line(*map(float, numbers)) for key, numbers in read(name).items()}
            for name in ("plain", "hybrid")
        )
        shares = {key: float(share) for key, share in read("words_by_rank").items()}
        for line in (*plain.values(), *hybrid.values()):
            if line.dense <= 0 or line.place > 0 or line.lexical < 0:
                raise ValueError(
                    f"a line of the calibration counts what is nearer as worse: {line}"
                )
        n_pairs = record["n_pairs"]
        if type(n_pairs) is not int or n_pairs < 1 or (not shares) != (not hybrid):
            raise ValueError(f"the calibration is of {n_pairs!r:.20} pairs, or lacks a part")
        if not all(0 <= share <= 1 for share in shares.values()):
            raise ValueError(f"a share of the calibration is no share: {shares}")
        return cls(plain, hybrid, n_pairs, shares)


class HeldOutPairs(NamedTuple):
    """Pairs that a projection was not fitted on, as it serves them.

    Attributes:
        queries, documents: (n, d) unit rows of each modality in the role.
        texts: n of each modality, None where only vectors were given.
    """

    queries: Mapping[Side, Float32Array]
    documents: Mapping[Side, Float32Array]
    texts: Mapping[Side, Sequence[str] | None]


def calibrate(seen: HeldOutPairs) -> Calibration | None:
    """Fit the lines on held-out pairs; None where they are too few, or scores order nothing.

    Args:
        seen: pairs that the projection was not fitted on, a few hundred: every query is scored
            with every document.
    """
    n = len(seen.queries["source"])
    if n < MIN_CALIBRATED:
        return None
    scores: dict[tuple[str, str], FloatArray] = {
        (q, d): seen.queries[q] @ seen.documents[d].T for q in SIDES for d in SIDES
    }
    own = {q: _same(seen.queries[q], seen.documents[q], seen.texts[q]) for q in SIDES}
    barred = own["source"] | own["target"]
    answers = likeliest(list(scores.values()), barred)
    if answers.any(axis=1).sum() < MIN_CALIBRATED:
        return None
    shares = _bm25_shares(seen.texts, barred)
    plain: Lines = {}
    hybrid: Lines = {}
    for query in SIDES:
        for lines, words in ((plain, None), (hybrid, shares)):
            if lines is hybrid and words is None:
                continue
            choices: dict[str, Choice] = {
                document: Choice(
                    scores[query, document],
                    None if words is None else words[query, document],
                    ~barred,
                    answers,
                )
                for document in reversed(SIDES)  # scores are told from those of the target
            }
            lines |= {(query, document): of for document, of in choose(choices).items()}
    if min(found.dense for found in (*plain.values(), *hybrid.values())) <= 0:
        return None
    by_rank = {}
    if shares is not None:
        by_rank = {
            key: _word_weight(Choice(scores[key], shares[key], ~barred, answers)) for key in scores
        }
    return Calibration(plain, hybrid, n, by_rank)


def _word_weight(choice: Choice) -> float:
    """Return the share of words with which the answers of a modality rank best by both ranks."""
    assert choice.lexical is not None
    by_vector = _reciprocal_ranks(choice.dense, choice.counted)
    by_words = _reciprocal_ranks(choice.lexical, choice.counted & (choice.lexical > 0))
    asked, best = choice.answers.any(axis=1), []
    for share in _WORD_WEIGHTS:
        scores = np.where(choice.counted, (1 - share) * by_vector + share * by_words, -np.inf)
        own = np.where(choice.answers, scores, -np.inf).max(axis=1, keepdims=True)
        rank = (scores >= own - 1e-12).sum(axis=1)[asked]
        best.append(float((1 / rank).mean()))
    return _WORD_WEIGHTS[int(np.argmax(best))]


def _reciprocal_ranks(scores: FloatArray, counted: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return what each place of (n, m) scores adds in fusion by rank; 0 for what is not counted."""
    return np.where(counted, 1 / (RANK_CONSTANT + places(scores, counted)), 0)


def _same(
    queries: Float32Array, documents: Float32Array, texts: Sequence[str] | None
) -> NDArray[np.bool_]:
    """Say which documents are the query itself: they are in no index that is worth asking."""
    if texts is not None:
        _, known = np.unique(np.array(texts, object), return_inverse=True)
        found: NDArray[np.bool_] = known[:, None] == known
        return found
    return documents @ documents.T > 1 - 1e-5


def likeliest(scores: Sequence[FloatArray], barred: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Say which pair is nearest to each by the mean of all views of (n, n), one a row."""
    total = views_together(scores)
    return nearest(total + total.T, barred)


def views_together(scores: Sequence[FloatArray]) -> FloatArray:
    """Return the sum of (n, m) scores of the same things, each on one scale."""
    found: FloatArray = np.sum(
        [(x - x.mean()) / max(float(x.std()), 1e-12) for x in scores], axis=0
    )
    return found


def nearest(scores: FloatArray, barred: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Say which column of (n, m) scores is the best of each row, of those that are not barred."""
    found = np.zeros(scores.shape, bool)
    found[np.arange(len(scores)), np.where(barred, -np.inf, scores).argmax(axis=1)] = True
    return found & ~barred


def _bm25_shares(
    texts: Mapping[Side, Sequence[str] | None], barred: NDArray[np.bool_]
) -> dict[tuple[str, str], FloatArray] | None:
    """Return BM25 scores, as shares of the query's best among the documents of a modality."""
    source, target = texts["source"], texts["target"]
    if source is None or target is None:
        return None
    from .bm25 import LexicalIndex

    index, n = LexicalIndex([*source, *target]), len(source)
    asked: dict[Side, Sequence[str]] = {"source": source, "target": target}
    parts: dict[Side, slice] = {"source": slice(0, n), "target": slice(n, 2 * n)}
    found: dict[tuple[str, str], FloatArray] = {}
    for query in SIDES:
        scores = np.stack([index.scores(text) for text in asked[query]])
        for document in SIDES:
            of_modality = np.where(barred, 0, scores[:, parts[document]])
            best = of_modality.max(axis=1, keepdims=True)
            found[query, document] = of_modality / np.where(best > 0, best, 1)
    return found
