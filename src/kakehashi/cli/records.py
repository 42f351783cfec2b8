"""Scores and reports as JSON-ready records, in English for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ..metrics.statistics import Scores
from ..report import Report


def scores_json(scores: Scores) -> dict[str, Any]:
    """Return scores as a JSON-ready record: means, and their 95% intervals."""
    return {
        **scores.means,
        "interval": scores.intervals["recall@1"],
        "intervals": scores.intervals,
    }


def report_json(report: Report) -> dict[str, Any]:
    """Return a report as a JSON-ready record."""
    return {
        "mode": report.mode,
        "chosen": report.chosen,
        "verdict": report.verdict,
        "reason": report.reason,
        "n_pairs": report.n_pairs,
        "sizes": report.sizes,
        "describes": report.describes,
        "leaked_rows_left_out": report.leaked_rows_left_out,
        "metric": report.metric,
        "base": "not comparable" if report.base is None else scores_json(report.base),
        "bm25": None if report.bm25 is None else scores_json(report.bm25),
        "target_encoder": None
        if report.target_encoder is None
        else scores_json(report.target_encoder),
        "second": _second_json(report),
        "rungs": {
            name: {
                **scores_json(r.scores),
                "parameters": r.parameters,
                "validation_mrr": r.validation,
            }
            for name, r in report.candidates.items()
        },
        "beside": {
            about: {name: scores_json(scores) for name, scores in rows.items()}
            for about, rows in report.beside.items()
        },
        "learned_from": {name: asdict(each) for name, each in report.learned_from.items()},
        "p_value": report.p_value,
        "notes": report.notes,
        "seconds": report.seconds,
    }


def _second_json(report: Report) -> dict[str, Any] | None:
    """Return what is said of the second map as a JSON-ready record."""
    second = report.second
    if second is None:
        return None
    about = {name: v for name, v in asdict(second).items() if name != "scores"}
    return {**about, "rescored": scores_json(second.scores)}
