"""The card of a saved aligner, for people who decide whether to use it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .encoders import EncoderIdentity
from .metrics.ranking import METRICS
from .metrics.statistics import Scores
from .report import TARGET_ENCODER, DataRecord, Report
from .types import Side


def render_card(
    report: Report,
    data: DataRecord,
    encoders: Mapping[Side, EncoderIdentity | None],
    dimensions: Mapping[str, int],
) -> str:
    """Return the card as Markdown."""
    names = {s: "vectors only" if e is None else e.name for s, e in encoders.items()}
    lines = [
        "# kakehashi aligner",
        "",
        f"**Verdict: {report.verdict}.** {report.reason}.",
        "",
        f"- source encoder: {names['source']} ({dimensions['source']})",
        f"- target encoder: {names['target']} ({dimensions['target']})",
        f"- mode: {report.mode}; chosen map: {report.chosen}",
        f"- scores describe {report.describes}",
        f"- data: {data.name or 'unnamed'}, {data.n_pairs} pairs"
        f"{f' and {data.n_unpaired} unpaired rows' if data.n_unpaired else ''}, "
        f"SHA-256 {data.content_hash}",
        f"- licence of the data: {data.licence or 'not stated'}",
        "",
        f"Scores of {report.sizes['test']} held-out questions in the whole index, "
        f"{report.candidates[report.chosen].scores.pool:,} documents:",
        "",
    ]
    rows = [(name, result.scores) for name, result in report.candidates.items()]
    for name, scores in ((TARGET_ENCODER, report.target_encoder), ("BM25", report.bm25)):
        if scores is not None:
            rows.append((name, scores))
    lines += _table(rows)
    for about, of_rows in report.beside.items():
        some = next(iter(of_rows.values()))
        told = f"{some.n_queries} questions, {some.pool:,} documents"
        lines += ["", f"{about[0].upper()}{about[1:]} ({told}):", "", *_table(of_rows.items())]
    return "\n".join(lines) + "\n"


def _table(rows: Iterable[tuple[str, Scores]]) -> list[str]:
    lines = ["| map | " + " | ".join(METRICS) + " |", "| --- |" + " --- |" * len(METRICS)]
    for name, scores in rows:
        # A report of an older version lacks some.
        cells = (f"{scores.means[m]:.3f}" if m in scores.means else "" for m in METRICS)
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines
