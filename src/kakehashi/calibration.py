"""Calibration: what a score is worth, so that documents of two modalities fit in one list.

A query and a document of one modality share a language, an alphabet, the habits of one encoder:
their score is high for no reason of meaning. A document of the other modality is scored on another
scale. So for each modality of the query and each of the document a line turns scores into the log
odds that the document answers the query:

    log odds = dense * s + lexical * l + offset

where s is the inner product of unit vectors, and l the BM25 score of the document as a share of
the best one that any document of its modality has for this query: a part number in a text of the
other modality is then not measured by all the words that the query shares with its own. It is a
logistic regression (Platt, Probabilistic outputs for support vector machines, 1999), fitted on
held-out pairs. Across modalities the other side of a query's own pair answers it. Within a
modality nobody has said what answers; but what two texts have to do with each other does not
depend on the language they are written in, so there, and across, the pair that all four views
together find nearest counts as an answer, too. Odds are those of a pool of the held-out pairs:
they order documents, and are no promise about another index.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .errors import DataError
from .pairs import SIDES, Side
from .vectors import Float32Array, FloatArray

MIN_CALIBRATED = 30
"""Held-out pairs below which four lines would be drawn through next to nothing."""
_MAX_CALIBRATED = 500
_PENALTY = 1e-2
_STEPS = 50


class Line(NamedTuple):
    """Log odds from scores; ``lexical`` is 0 where no word is counted."""

    dense: float
    lexical: float
    offset: float


@dataclass(frozen=True)
class Calibration:
    """The lines of each (modality of the query, modality of the document).

    Attributes:
        plain: of the score of the vectors alone.
        hybrid: of that and the BM25 share; empty where texts were missing.
        n_pairs: held-out pairs behind them.
    """

    plain: Mapping[tuple[Side, Side], Line]
    hybrid: Mapping[tuple[Side, Side], Line]
    n_pairs: int

    def log_odds(
        self, dense: Any, lexical: Any = None, *, query: Side, document: Side
    ) -> NDArray[np.float64]:
        """Return the log odds that documents of one modality answer a query, (n,) float64.

        Args:
            dense: (n,) inner products of unit vectors.
            lexical: (n,) BM25 scores, each as a share of the query's best in the modality (0 to 1).

        Raises:
            DataError: lexical scores, and the aligner was fitted without texts.
        """
        if lexical is not None and not self.hybrid:
            raise DataError(
                "This aligner was fitted without texts, so it does not know what a BM25 score is "
                "worth. Fit on pairs with texts, or fuse by rank (fusion='rank')."
            )
        line = (self.plain if lexical is None else self.hybrid)[query, document]
        found = line.dense * np.asarray(dense, np.float64) + line.offset
        return found if lexical is None else found + line.lexical * np.asarray(lexical, np.float64)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready record that :meth:`from_dict` reads back."""
        found: dict[str, Any] = {"n_pairs": self.n_pairs}
        for name in ("plain", "hybrid"):
            lines: Mapping[tuple[Side, Side], Line] = getattr(self, name)
            found[name] = {f"{q} {d}": list(line) for (q, d), line in lines.items()}
        return found

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Calibration:
        """Rebuild from :meth:`to_dict`.

        Raises:
            ValueError, KeyError, TypeError: no such record, or a number that is not finite.
        """
        read: dict[str, dict[tuple[Side, Side], Line]] = {"plain": {}, "hybrid": {}}
        for name, lines in read.items():
            given = record[name]
            for query in SIDES:
                for document in SIDES:
                    if name == "plain" or given:
                        numbers = [float(x) for x in given[f"{query} {document}"]]
                        if not np.isfinite(numbers).all():
                            raise ValueError(f"a line of the calibration is not finite: {numbers}")
                        lines[query, document] = Line(*numbers)
        return cls(read["plain"], read["hybrid"], int(record["n_pairs"]))


class Seen(NamedTuple):
    """Held-out pairs as they serve: (n, d) unit rows of each modality in each role, and texts."""

    queries: Mapping[Side, Float32Array]
    documents: Mapping[Side, Float32Array]
    texts: Mapping[Side, Sequence[str] | None]

    def select(self, rows: Any) -> Seen:
        """Return some of the pairs."""
        return Seen(
            {side: x[rows] for side, x in self.queries.items()},
            {side: x[rows] for side, x in self.documents.items()},
            {s: None if t is None else [t[int(i)] for i in rows] for s, t in self.texts.items()},
        )


def calibrate(seen: Seen, *, seed: int = 0) -> Calibration | None:
    """Fit the lines on held-out pairs; None where they are too few, or scores order nothing.

    Args:
        seen: pairs that the projection was not fitted on; at most five hundred are read.
        seed: decides which.
    """
    n = len(seen.queries["source"])
    if n > _MAX_CALIBRATED:
        rows = np.random.default_rng(seed).choice(n, _MAX_CALIBRATED, replace=False)
        seen, n = seen.select(np.sort(rows)), _MAX_CALIBRATED
    if n < MIN_CALIBRATED:
        return None
    scores = {(q, d): seen.queries[q] @ seen.documents[d].T for q in SIDES for d in SIDES}
    own = {q: _same(seen.queries[q], seen.documents[q], seen.texts[q]) for q in SIDES}
    neighbours = _nearest(scores, own["source"] | own["target"])
    shares = _shares(seen.texts, own)
    plain, hybrid = {}, {}
    for query, document in scores:
        answers = neighbours if query == document else neighbours | np.eye(n, dtype=bool)
        counted = ~own[query] if query == document else np.ones((n, n), bool)
        y = answers[counted].astype(np.float64)
        dense = scores[query, document][counted]
        plain[query, document] = _line(y, dense)
        if shares is not None:
            hybrid[query, document] = _line(y, dense, shares[query, document][counted])
    if min(line.dense for line in (*plain.values(), *hybrid.values())) <= 0:
        return None
    return Calibration(plain, hybrid, n)


def _same(
    queries: Float32Array, documents: Float32Array, texts: Sequence[str] | None
) -> NDArray[np.bool_]:
    """Say which documents are the query itself: they are in no index that is worth asking."""
    if texts is not None:
        _, known = np.unique(np.array(texts, object), return_inverse=True)
        found: NDArray[np.bool_] = known[:, None] == known
        return found
    return documents @ documents.T > 1 - 1e-5


def _nearest(scores: Mapping[Any, FloatArray], barred: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Say which pair is nearest to each by the mean of all four views, (n, n), one a row."""
    total: Any = sum((x - x.mean()) / max(float(x.std()), 1e-12) for x in scores.values())
    total = total + total.T
    total[barred] = -np.inf
    found = np.zeros(total.shape, bool)
    found[np.arange(len(total)), total.argmax(axis=1)] = True
    return found & ~barred


def _shares(
    texts: Mapping[Side, Sequence[str] | None], own: Mapping[Side, NDArray[np.bool_]]
) -> dict[tuple[Side, Side], FloatArray] | None:
    """Return BM25 scores, as shares of the query's best among the documents of a modality."""
    source, target = texts["source"], texts["target"]
    if source is None or target is None:
        return None
    from .evaluation.lexical import LexicalIndex  # which an aligner that serves does not need

    index, n = LexicalIndex([*source, *target]), len(source)
    asked: dict[Side, Sequence[str]] = {"source": source, "target": target}
    parts: dict[Side, slice] = {"source": slice(0, n), "target": slice(n, 2 * n)}
    found: dict[tuple[Side, Side], FloatArray] = {}
    for query in SIDES:
        scores = np.stack([index.scores(text) for text in asked[query]])
        scores[:, parts[query]][own[query]] = 0
        for document in SIDES:
            of_modality = scores[:, parts[document]]
            best = of_modality.max(axis=1, keepdims=True)
            found[query, document] = of_modality / np.where(best > 0, best, 1)
    return found


def _line(y: FloatArray, dense: FloatArray, lexical: FloatArray | None = None) -> Line:
    """Fit one line; a lexical score that would count against a document counts nothing."""
    if lexical is None:
        slope, offset = _logistic(dense[:, None], y)
        return Line(float(slope), 0.0, float(offset))
    slope, share, offset = _logistic(np.stack([dense, lexical], axis=1), y)
    return Line(float(slope), float(share), float(offset)) if share > 0 else _line(y, dense)


def _logistic(x: FloatArray, y: FloatArray) -> NDArray[np.float64]:
    """Fit a logistic regression by Newton's method, (n, k) -> (k + 1,), the offset last.

    A small penalty on the weights of the standardised columns keeps them finite where the classes
    can be told apart without error.
    """
    mean, deviation = x.mean(axis=0, dtype=np.float64), x.std(axis=0, dtype=np.float64)
    deviation = np.where(deviation > 0, deviation, 1)
    z = np.hstack([(x - mean) / deviation, np.ones((len(x), 1))])
    share = np.clip(y.mean(), 1e-9, 1 - 1e-9)
    beta = np.zeros(z.shape[1])
    beta[-1] = np.log(share / (1 - share))
    penalty = np.full(len(beta), _PENALTY)
    penalty[-1] = 0
    for _ in range(_STEPS):
        odds = np.clip(z @ beta, -30, 30)
        p = 1 / (1 + np.exp(-odds))
        gradient = z.T @ (p - y) + penalty * beta
        curvature = (z * (p * (1 - p))[:, None]).T @ z + np.diag(penalty)
        step = np.linalg.solve(curvature + 1e-9 * np.eye(len(beta)), gradient)
        step *= min(1.0, 4 / max(float(np.abs(step).max()), 1e-12))  # far steps overshoot
        beta -= step
        if np.abs(step).max() < 1e-8:
            break
    weights = beta[:-1] / deviation
    return np.append(weights, beta[-1] - weights @ mean)
