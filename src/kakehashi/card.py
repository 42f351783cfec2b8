"""The card of a saved aligner, for people who decide whether to use it."""

from __future__ import annotations

from collections.abc import Mapping

from .encoders import EncoderIdentity
from .metrics.ranking import METRICS
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
        f"Held-out scores, {report.sizes['test']} queries:",
        "",
        "| map | " + " | ".join(METRICS) + " |",
        "| --- |" + " --- |" * len(METRICS),
    ]
    rows = [(name, result.scores) for name, result in report.candidates.items()]
    for name, scores in ((TARGET_ENCODER, report.target_encoder), ("BM25", report.bm25)):
        if scores is not None:
            rows.append((name, scores))
    for name, scores in rows:
        cells = " | ".join(f"{scores.means.get(m, float('nan')):.3f}" for m in METRICS)
        lines.append(f"| {name} | {cells} |")
    return "\n".join(lines) + "\n"
