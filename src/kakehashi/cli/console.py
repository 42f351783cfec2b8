"""Output of the command line: JSON for programs, short tables for people."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..evaluation.robustness.measure import PerturbedScores, RobustnessReport
from ..metrics.ranking import METRICS
from ..metrics.statistics import Scores
from ..printable import printable, printable_json, printable_lines
from ..report import CHOSEN, Report

_SHOWN = METRICS[:4]  # nDCG@10 is in the JSON; five columns do not fit into 80 cells


def plain_console(*, stderr: bool = False) -> Console:
    """Return a console that prints every string as it stands.

    Paths, texts and messages of others hold brackets and colons, which rich would take for markup
    and emoji. Styled parts are therefore ``Text`` objects.
    """
    return _PlainConsole(stderr=stderr, markup=False, emoji=False)


class _PlainConsole(Console):
    """A console that escapes what cannot be seen in the strings that it prints.

    What a ``Text`` or a table shows passes :func:`.printable.printable` where that is made.
    """

    def print(self, *objects: Any, **options: Any) -> None:
        """Print as rich does."""
        shown = (printable_lines(part) if isinstance(part, str) else part for part in objects)
        super().print(*shown, **options)


def print_json(document: dict[str, Any]) -> None:
    """Print one JSON object on one line."""
    sys.stdout.write(printable_json(json.dumps(document, ensure_ascii=False)) + "\n")


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


def print_report(report: Report, *, all_candidates: bool) -> None:
    """Print the verdict, and the scores of the chosen map (or of all) beside its rivals."""
    console = plain_console()
    verdict, reason = printable(report.verdict), printable(report.reason)
    console.print(Text.assemble((f"verdict: {verdict}", "bold"), f" ({reason})"))
    if not report.judged:
        for remark in report.remarks:
            console.print(remark)
        return
    identity, chosen = report.candidates.get("identity"), report.candidates[report.chosen]
    shown = report.candidates if all_candidates else {report.chosen: chosen}
    if report.second is not None:
        shown = {**shown, report.second.candidate: report.candidates[report.second.candidate]}
    heading = (
        f"{chosen.scores.n_queries} {report.asked} in the whole index: "
        f"{chosen.scores.pool:,} documents"
    )
    table = _table("", "valid.", *_SHOWN, title=heading)
    for name, scores in report.before.items():
        validation = "" if identity is None else f"{identity.validation:.3f}"
        cells = ["not\ncomparable"] if scores is None else _cells(scores)
        table.add_row(name, validation, *cells)
    table.add_row("BM25", "", *(["no texts"] if report.bm25 is None else _cells(report.bm25)))
    for name, candidate in shown.items():
        if name != "identity":
            # The mode stands below the name: the longest names fill their column of 80 cells.
            bare = printable(name.removeprefix(f"{candidate.mode}/"))
            mark = ", chosen" if name == report.chosen else ""
            label = _dimmed(f"{bare}\n", f"{printable(candidate.mode)}{mark}")
            table.add_row(label, f"{candidate.validation:.3f}", *_cells(candidate.scores))
    if report.second is not None:
        rescored = _dimmed("rescored\n", f"keep, {report.second.n_hits} hits")
        table.add_row(rescored, "", *_cells(report.second.scores))
    console.print(table)
    scored = "other queries give the scores"
    if "folds" in report.sizes:
        scored = "a fold is scored by the map that the others chose"
    console.print(f"valid.: MRR on the held-out queries that choose the map; {scored}")
    console.print(
        f"chosen: {printable(report.chosen)}, mode {report.mode}; "
        f"scores describe {printable(report.describes)}"
    )
    if report.second is not None:
        console.print(f"advice: {printable(report.second.advice)}")
    for about, of_rows in report.beside.items():
        some = next(iter(of_rows.values()))
        console.print()
        print_scores(
            f"{printable(about)}: {some.n_queries} questions, {some.pool:,} documents",
            {report.serves if name == CHOSEN else name: s for name, s in of_rows.items()},
        )
    for remark in report.remarks:
        console.print(remark)


def print_scores(title: str, rows: Mapping[str, Scores | None]) -> None:
    """Print a table of metrics with their intervals, a row for each name."""
    table = _table("", *_SHOWN, title=title)
    for name, scores in ((printable(name), scores) for name, scores in rows.items()):
        if scores is None:
            table.add_row(name, *["no texts" if name == "BM25" else "not comparable"])
            continue
        table.add_row(name, *_cells(scores))
    plain_console().print(table)


def print_facts(facts: Mapping[str, str]) -> None:
    """Print one fact a line, unbroken, so that a long one (a hash) can be copied."""
    width = max(map(len, facts))
    for name, fact in facts.items():
        sys.stdout.write(f"{name:{width}}  {printable(fact)}\n")


def print_robustness(report: RobustnessReport) -> None:
    """Print a table for each system, with a row for each perturbation."""
    console = plain_console()
    if report.base is None:
        console.print("untouched vectors: not comparable")
    else:
        base = {name: result.base for name, result in report.perturbations.items()}
        _print_perturbed("untouched vectors", report, report.base, base)
    aligned = {name: result.aligned for name, result in report.perturbations.items()}
    _print_perturbed("aligned vectors", report, report.aligned, aligned)
    console.print(
        "% changed: share of queries that a perturbation changes. change: difference of MRR@10 "
        "over all queries, with its 95% interval, paired by query."
    )
    unchanged = [name for name, result in report.perturbations.items() if not result.n_changed]
    if unchanged:
        console.print(f"changed nothing: {', '.join(unchanged)}")
    for name, reason in report.not_run.items():
        console.print(f"not run: {name}: {printable(reason)}")


def _print_perturbed(
    title: str, report: RobustnessReport, clean: Scores, rows: Mapping[str, PerturbedScores | None]
) -> None:
    heading = f"{title}: {report.n_queries} queries in {report.pool} documents"
    table = _table("queries", *_SHOWN, "change", title=heading)
    table.add_row("as they are", *_cells(clean), "")
    for name, perturbed in rows.items():
        share = report.perturbations[name].share_changed
        if perturbed is not None and share:
            low, high = perturbed.interval["mrr@10"]
            table.add_row(
                _dimmed(f"{name}\n", f"{share:.0%} changed"),
                *_cells(perturbed.scores),
                _dimmed(f"{perturbed.change['mrr@10']:+.3f}\n", f"{low:+.3f}, {high:+.3f}"),
            )
    plain_console().print(table)


def _table(*columns: str, title: str) -> Table:
    """Return a table without frames: with them the widest does not fit into 80 cells."""
    return Table(*columns, title=title, box=box.SIMPLE_HEAD, padding=0, show_edge=False)


def _cells(scores: Scores) -> list[Text]:
    """Return each mean with its interval on the next line."""
    cells = []
    for name in _SHOWN:
        low, high = (f"{end:.3f}".removeprefix("0")[:4] for end in scores.intervals[name])
        cells.append(_dimmed(f"{scores.means[name]:.3f}\n", f"{low}-{high}"))
    return cells


def _dimmed(plain: str, dim: str) -> Text:
    return Text.assemble(plain, (dim, "dim"))


def short(text: str) -> str:
    """Cut a text to one line of 70 terminal cells."""
    line = Text(printable(" ".join(text.split())))
    line.truncate(70, overflow="ellipsis")
    return line.plain
