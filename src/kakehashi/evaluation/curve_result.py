"""A learning curve: its scores by number of pairs, as text and as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..metrics.statistics import Scores
from ..printable import printable
from .forecast import Forecast

FORECAST = ("recall@1", "mrr@10")


@dataclass(frozen=True, eq=False)
class CurvePoint:
    """What fits on one number of pairs scored.

    Attributes:
        n_pairs: pairs that were fitted on.
        scores: means over queries and fits; the 95% intervals are over the queries.
        per_query: for each metric the score of each test query in each fit, (fits, queries).
        chosen, verdicts: the candidate that ships and the advice, of each fit.
    """

    n_pairs: int
    scores: Scores
    per_query: dict[str, NDArray[np.float64]]
    chosen: tuple[str, ...]
    verdicts: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class LearningCurve:
    """Scores on the same test queries by number of pairs, and what twice as many may bring.

    Attributes:
        points: by ascending number of pairs.
        next_doubling: for recall@1 and mrr@10 the likely gain from the largest size to its
            double, with a 90% interval.
        mode: of the fits.
        ngrams: whether the fits also read the texts, by character n-grams.
        learned_from: what every fit learned from beside its pairs: rows by name.
        notes: which sizes were too small, and other remarks.
    """

    points: tuple[CurvePoint, ...]
    next_doubling: dict[str, Forecast]
    mode: str
    ngrams: bool
    learned_from: dict[str, int]
    notes: tuple[str, ...]

    def __str__(self) -> str:
        """Return the curve as a short text."""
        scores = self.points[-1].scores
        read = "vectors and character n-grams" if self.ngrams else "vectors alone"
        sources = [f"{rows:,} rows of {printable(n)}" for n, rows in self.learned_from.items()]
        learned_from = " and ".join(["pairs", *sources]) if sources else "pairs alone"
        lines = [
            f"{scores.n_queries} held-out questions in the whole index: {scores.pool:,} documents, "
            f"mode {self.mode}",
            f"fits of closed forms, over {read}, from {learned_from}",
            f"{'pairs':>8}  fits  recall@1               MRR@10",
        ]
        for point in self.points:
            cells = []
            for name in FORECAST:
                low, high = point.scores.intervals[name]
                cells.append(f"{point.scores.means[name]:.3f} [{low:.3f}, {high:.3f}]")
            use = point.verdicts.count("use")
            advice = "use" if use == len(point.verdicts) else f"use {use} of {len(point.verdicts)}"
            lines.append(
                f"{point.n_pairs:8,}  {len(point.verdicts):4}  {'   '.join(cells)}   "
                f"{advice if use else 'do not use'}"
            )
        for name, label in zip(FORECAST, ("recall@1", "MRR@10"), strict=True):
            gain = self.next_doubling[name]
            low, high = gain.interval
            lines.append(
                f"the next doubling ({gain.n_from:,} -> {gain.n_to:,} pairs) is likely to bring "
                f"{gain.gain:+.3f} [{low:+.3f}, {high:+.3f}] {label}"
            )
        lines.append("intervals: 95% of a score, over the queries; 90% of what the doubling brings")
        return "\n".join(lines + [f"note: {note}" for note in self.notes])

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready record, without the scores of single queries."""
        return {
            "mode": self.mode,
            "ngrams": self.ngrams,
            "learned_from": self.learned_from,
            "n_queries": self.points[-1].scores.n_queries,
            "pool": self.points[-1].scores.pool,
            "points": [
                {
                    "n_pairs": point.n_pairs,
                    "fits": len(point.verdicts),
                    **point.scores.means,
                    "intervals": point.scores.intervals,
                    "chosen": point.chosen,
                    "verdicts": point.verdicts,
                }
                for point in self.points
            ],
            "next_doubling": {name: gain._asdict() for name, gain in self.next_doubling.items()},
            "notes": self.notes,
        }
