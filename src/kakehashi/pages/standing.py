"""How an aligner stands: the case that a page leads with, and the scores of every system."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..aligner import Aligner
from ..evaluation.judgement import NO_VERDICT
from ..evaluation.scoring import Evaluation
from ..metrics.statistics import Scores
from ..report import BM25, KEEP, RESCORED, SHARED, TARGET_ENCODER, UNTOUCHED, Report
from ..training.verdict import FEW_QUERIES, MIN_QUERIES

CaseName = Literal["helps", "does not help", "too few", "cannot judge", "not judged"]
EMBEDDED_AGAIN = "embedded again"
"""The row of an index that the source encoder embedded anew."""
SECOND_MODEL, SECOND_AGAIN = "second model", "embedded again by the second model"
"""The rows of a second model over the first hits, and of an index that it embedded anew."""
_NO_INDEX = "the index is taken to hold"  # so the note begins (training/assemble.py)


@dataclass(frozen=True)
class Standing:
    """The case, and the scores behind it.

    Attributes:
        rows: scores by the names of :mod:`kakehashi.report`; all in the same pool.
        served: the row of the aligner as it serves; None without scores.
        before: the row of the index as it was asked before; None where it could not be.
        reason: the verdict's own words, in English.
        warnings: what makes the scores say another thing than they seem to.
        by_pairs: whether other pairs judged, and not the fit.
    """

    case: CaseName
    rows: dict[str, Scores]
    served: str | None
    before: str | None
    verdict: str
    reason: str
    warnings: tuple[str, ...] = ()
    by_pairs: bool = False

    @property
    def after_scores(self) -> Scores | None:
        """Scores of the aligner as it serves."""
        return None if self.served is None else self.rows[self.served]

    @property
    def before_scores(self) -> Scores | None:
        """Scores of the index as it was asked before."""
        return None if self.before is None else self.rows[self.before]

    @property
    def best_rival(self) -> str | None:
        """The row without an aligner, in the same index, that finds most by MRR@10."""
        rivals = [name for name in (TARGET_ENCODER, UNTOUCHED, BM25) if name in self.rows]
        rivals = [name for name in rivals if name != self.served]
        return max(rivals, key=lambda name: self.rows[name].means["mrr@10"], default=None)


def of_fit(aligner: Aligner) -> Standing:
    """Read the report of the fit."""
    report = aligner.report
    if not report.judged:
        return Standing("not judged", {}, None, None, report.verdict, report.reason)
    rows = {TARGET_ENCODER: report.target_encoder, UNTOUCHED: report.base, BM25: report.bm25}
    unchanged = aligner.projection.is_identity and aligner.rescoring is None
    served = UNTOUCHED if unchanged else _as_served(aligner)
    rows |= _ways(report, served)
    told = _standing(rows, served, report.verdict, report.reason)
    searched = tuple(note for note in report.notes if note.startswith(_NO_INDEX))
    return Standing(**{**vars(told), "warnings": searched})


def of_pairs(
    aligner: Aligner, evaluation: Evaluation, others: dict[str, Scores] | None = None
) -> Standing:
    """Read the scores on other pairs.

    Args:
        others: rows that :func:`kakehashi.evaluation.evaluate` does not give.
    """
    judgement = evaluation.judgement
    assert judgement is not None
    unchanged = aligner.projection.is_identity and aligner.rescoring is None
    served = UNTOUCHED if unchanged else _as_served(aligner)
    rows: dict[str, Scores | None] = {
        TARGET_ENCODER: evaluation.target_encoder,
        UNTOUCHED: evaluation.base,
        BM25: evaluation.bm25,
        RESCORED: evaluation.rescored,
        SHARED: evaluation.shared,
        UNTOUCHED if unchanged else _by_one_map(aligner): evaluation.aligned,
        **(others or {}),
    }
    told = _standing(rows, served, judgement.verdict, judgement.reason)
    warnings = (*judgement.warnings, *filter(None, [evaluation.note]))
    return Standing(**{**vars(told), "warnings": warnings, "by_pairs": True})


def _by_one_map(aligner: Aligner) -> str:
    return KEEP if aligner.mode == "keep" else SHARED


def _as_served(aligner: Aligner) -> str:
    return _by_one_map(aligner) if aligner.rescoring is None else RESCORED


def _ways(report: Report, served: str) -> dict[str, Scores | None]:
    """Return the scores of each way to serve; an identity that ships is the untouched vectors."""
    ways = report.ways if report.second is not None else {served: report.served}
    if served == UNTOUCHED and report.base is not None:
        ways = {name: scores for name, scores in ways.items() if name != KEEP}
    return dict(ways)


def _standing(rows: dict[str, Scores | None], served: str, verdict: str, reason: str) -> Standing:
    known = {name: scores for name, scores in rows.items() if scores is not None}
    before = next((n for n in (TARGET_ENCODER, UNTOUCHED) if n in known and n != served), None)
    told = Standing("helps", known, served, before, verdict, reason)
    return Standing(**{**vars(told), "case": _case(told)})


def _case(told: Standing) -> CaseName:
    if told.verdict == "use":
        return "helps"
    if told.verdict == NO_VERDICT:
        return "cannot judge"
    after, rival = told.after_scores, told.best_rival
    assert after is not None
    if after.n_queries < MIN_QUERIES:
        return "too few"
    if after.n_queries >= FEW_QUERIES:
        return "does not help"
    shown_worse = rival is not None and (
        told.rows[rival].intervals["mrr@10"][0] > after.intervals["mrr@10"][1]
    )
    return "does not help" if shown_worse else "too few"
