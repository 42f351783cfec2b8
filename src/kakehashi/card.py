"""The card of a saved aligner: what a person wants to know before using it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .evaluation.metrics import METRICS

if TYPE_CHECKING:
    from .aligner import Aligner


def render_card(aligner: Aligner) -> str:
    """Return the card as Markdown."""
    report, data = aligner.report, aligner.data
    names = {s: "vectors only" if e is None else e.name for s, e in aligner.encoders.items()}
    lines = [
        "# kakehashi aligner",
        "",
        f"**Verdict: {report.verdict}.** {report.reason}.",
        "",
        f"- source encoder: {names['source']} ({aligner.dimensions['source']})",
        f"- target encoder: {names['target']} ({aligner.dimensions['target']})",
        f"- mode: {aligner.mode}; chosen rung: {report.chosen}",
        f"- scores describe {report.describes}",
        f"- data: {data.name or 'unnamed'}, {data.n_pairs} pairs, SHA-256 {data.content_hash}",
        f"- licence of the data: {data.licence or 'not stated'}",
        "",
        f"Held-out scores, {report.sizes['test']} queries in as many documents:",
        "",
        "| rung | " + " | ".join(METRICS) + " |",
        "| --- |" + " --- |" * len(METRICS),
    ]
    rows = [(name, result.scores) for name, result in report.rungs.items()]
    if report.bm25 is not None:
        rows.append(("BM25", report.bm25))
    for name, scores in rows:
        cells = " | ".join(f"{scores.means[m]:.3f}" for m in METRICS)
        lines.append(f"| {name} | {cells} |")
    return "\n".join(lines) + "\n"
