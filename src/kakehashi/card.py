"""The card of a saved aligner, for people who decide whether to use it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from .encoders import EncoderIdentity
from .metrics.ranking import METRICS
from .metrics.statistics import Scores
from .printable import markdown
from .report import TARGET_ENCODER, DataRecord, Report
from .types import Side


def render_card(
    report: Report,
    data: DataRecord,
    encoders: Mapping[Side, EncoderIdentity | None],
    dimensions: Mapping[str, int],
    holds: str,
    n_rescored: int | None = None,
) -> str:
    """Return the card as Markdown.

    Every string of others is escaped: on a web page a name could be a script.

    Args:
        holds: the tensors by kind, as :func:`contents` says it.
        n_rescored: the hits of a search that the second map orders again; None without one.
    """
    names = {s: "vectors only" if e is None else markdown(e.name) for s, e in encoders.items()}
    lines = [
        "# kakehashi aligner",
        "",
        f"**Verdict: {markdown(report.verdict)}.** {markdown(report.reason)}.",
        "",
        f"- source encoder: {names['source']} ({dimensions['source']})",
        f"- target encoder: {names['target']} ({dimensions['target']})",
        f"- mode: {markdown(report.mode)}; chosen map: {markdown(report.chosen)}",
        *_second_map(n_rescored),
        f"- scores describe {markdown(report.describes)}",
        f"- data: {markdown(data.name) or 'unnamed'}, {data.n_pairs} pairs, "
        f"SHA-256 {markdown(data.content_hash)}",
        *(f"- learned from {markdown(n)}: {each}" for n, each in report.learned_from.items()),
        f"- licence of the data: {markdown(data.licence) or 'not stated'}",
        f"- holds: {holds}",
    ]
    if not report.judged:
        return "\n".join(lines) + "\n"
    lines += [
        "",
        f"Scores of {report.sizes['test']} {report.asked} in the whole index, "
        f"{report.candidates[report.chosen].scores.pool:,} documents:",
        "",
    ]
    rows = [(name, result.scores) for name, result in report.candidates.items()]
    if report.second is not None:
        name = f"{report.chosen}, its first {report.second.n_hits} hits rescored"
        rows.append((name, report.second.scores))
    for name, scores in ((TARGET_ENCODER, report.target_encoder), ("BM25", report.bm25)):
        if scores is not None:
            rows.append((name, scores))
    lines += _table(rows)
    if report.second is not None:
        lines += ["", f"Advice: {markdown(report.second.advice)}."]
    for about, of_rows in report.beside.items():
        some = next(iter(of_rows.values()))
        told = f"{some.n_queries} questions, {some.pool:,} documents"
        title = markdown(f"{about[:1].upper()}{about[1:]}")
        lines += ["", f"{title} ({told}):", "", *_table(of_rows.items())]
    return "\n".join(lines) + "\n"


def contents(tensors: Collection[str], *, hashes: bool) -> str:
    """Say what the tensors of an aligner tell of its data, for people who may not pass texts on."""
    prefix = "rescoring."
    two = any(name.startswith(prefix) for name in tensors)
    names = {name.removeprefix(prefix) for name in tensors}
    parts = ["weights of two maps" if two else "weights of the map"]
    if any(name.startswith("hubness.") for name in names):
        parts.append("mean, spread and centroids (of 8 vectors or more) of each side's vectors")
    if any(name.startswith("signature") for name in names):
        parts.append("main directions of the target's vectors")
    if any(name.startswith("router.") for name in names):
        parts.append("weights of a router, and which hashes of one and two letters it saw")
    if any(name.startswith("probes.") for name in names):
        parts.append("vectors of kakehashi's own probe texts")
    if hashes:
        parts.append("hashes of up to 1,000 pairs")
    return f"{'; '.join(parts)}; no text, and no vector of a text of the data"


def _second_map(n_rescored: int | None) -> list[str]:
    if n_rescored is None:
        return []
    return [f"- two maps: the second orders the first {n_rescored} hits of a search again"]


def _table(rows: Iterable[tuple[str, Scores]]) -> list[str]:
    lines = ["| map | " + " | ".join(METRICS) + " |", "| --- |" + " --- |" * len(METRICS)]
    for name, scores in rows:
        cells = (f"{scores.means[m]:.3f}" for m in METRICS)
        lines.append(f"| {markdown(name)} | {' | '.join(cells)} |")
    return lines
