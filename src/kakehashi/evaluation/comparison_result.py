"""A comparison of baselines: the scores and times of each, as a table and as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..metrics.statistics import Interval, Scores
from .comparison_verdict import ComparisonVerdict
from .paper_metrics import INSTANT, POOL
from .second_verdict import SecondVerdict


@dataclass(frozen=True, eq=False)
class BaselineResult:
    """The scores of one baseline, and its time.

    Attributes:
        scores: recall@1, recall@5, recall@10, MRR@10 and nDCG@10 with 95% intervals.
        accuracy: top-1 accuracy in a pool of 250; see :func:`.paper_metrics.accuracy_in_pool`.
        accuracy_interval: its 95% interval.
        latency: mean seconds of one query, over up to 50 evenly spaced ones, after a first that is
            not counted. It includes translating, encoding and reranking a text; a query that
            comes as a vector is only projected and searched. Search is exact.
        harmonic_mean: of accuracy and speed; see :func:`.paper_metrics.harmonic_mean`.
        train_seconds: seconds of fitting; for an aligner, the seconds of its report. Encoding the
            training texts and indexing the documents are not counted.
        ranks: (n,) rank of the best answer to each test query, for paired tests of two rows.
    """

    scores: Scores
    accuracy: float
    accuracy_interval: Interval
    latency: float
    harmonic_mean: float
    train_seconds: float
    ranks: NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Comparison:
    """Baselines on the same test queries.

    Attributes:
        rows: the result of each baseline by name, or the reason why it cannot run.
        n_train: pairs that were fitted on.
        leaked: training pairs left out because a side of them also stands in the test part.
        n_queries, pool: test queries, and documents of the whole index, which they search.
        notes: where the groups make the scores say another thing than they seem to.
        verdict: which row finds most, and whether it is shown to.
        second: whether a second model pays; None where none was asked for, or it has no row.
    """

    rows: dict[str, BaselineResult | str]
    n_train: int
    leaked: int
    n_queries: int
    pool: int
    notes: tuple[str, ...] = ()
    verdict: ComparisonVerdict | None = None
    second: SecondVerdict | None = None

    def __str__(self) -> str:
        """Return a table (means, and the 95% interval of recall@1) with notes on its columns."""
        width = max(8, *map(len, self.rows))
        drawn = min(POOL, self.pool)
        top = f"top-1/{drawn}"
        lines = [
            f"{self.n_queries} queries in the whole index: {self.pool:,} documents, "
            f"{self.n_train} training pairs",
            f"{'':{width}} {'recall@1':20} {'@5':>5} {'@10':>5} {'MRR@10':>7} {top:>9}  ms/query  "
            "h-mean train s",
        ]
        for name, row in self.rows.items():
            if isinstance(row, str):
                lines.append(f"{name:{width}} {row}")
                continue
            low, high = row.scores.intervals["recall@1"]
            recall = f"{row.scores.means['recall@1']:.3f} [{low:.3f}, {high:.3f}]"
            lines.append(
                f"{name:{width}} {recall} {row.scores.means['recall@5']:.3f} "
                f"{row.scores.means['recall@10']:.3f} {row.scores.means['mrr@10']:7.3f} "
                f"{row.accuracy:9.3f} "
                f"{1000 * row.latency:9.2f} {row.harmonic_mean:7.3f} {row.train_seconds:7.1f}"
            )
        lines += [
            f"{top}: share of queries whose answer comes first among {drawn} documents, the answer "
            "and others at random",
            f"ms/query: mean time of one query; h-mean: harmonic mean of {top} and of "
            f"speed, {INSTANT} s / ({INSTANT} s + time)",
            *(f"note: {note}" for note in self.notes),
        ]
        if self.verdict is not None:
            lines.append(f"verdict: {self.verdict}")
        if self.second is not None:
            lines.append(str(self.second))
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready record without ranks; a baseline that cannot run has a ``reason``."""
        rows: dict[str, Any] = {}
        for name, row in self.rows.items():
            if isinstance(row, str):
                rows[name] = {"reason": row}
                continue
            record = {k: v for k, v in asdict(row).items() if k not in ("scores", "ranks")}
            rows[name] = {**row.scores.means, "intervals": row.scores.intervals, **record}
        return {
            "n_train": self.n_train,
            "leaked": self.leaked,
            "n_queries": self.n_queries,
            "pool": self.pool,
            "notes": self.notes,
            "verdict": None if self.verdict is None else str(self.verdict),
            "second": None if self.second is None else asdict(self.second),
            "rows": rows,
        }
