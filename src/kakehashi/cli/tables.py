"""Tables of scores, in the chosen language."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from rich import box
from rich.table import Table
from rich.text import Text

from ..evaluation.robustness.measure import PerturbedScores, RobustnessReport
from ..language import translate, translate_sentence
from ..metrics.ranking import METRICS
from ..metrics.statistics import Scores
from ..printable import printable
from ..report import CHOSEN, Report
from .console import plain_console

_SHOWN = METRICS[:4]  # nDCG@10 is in the JSON; five columns do not fit into 80 cells


def print_report(report: Report, *, all_candidates: bool) -> None:
    """Print the verdict, and the scores of the chosen map (or of all) beside its rivals."""
    print_verdict(report.verdict, report.reason)
    if report.judged:
        print_table(*_report_table(report, all_candidates=all_candidates))
        _print_lines(_explained(report))
        _print_beside(report)
    _print_lines(report.remarks)


def _report_table(report: Report, *, all_candidates: bool) -> tuple[str, Table]:
    """Return the heading and the table of the scores."""
    identity, chosen = report.candidates.get("identity"), report.candidates[report.chosen]
    heading = translate(
        "{n:d} {ASKED} in the whole index: {pool:,} documents",
        n=chosen.scores.n_queries,
        ASKED=report.asked,
        pool=chosen.scores.pool,
    )
    table = plain_table("", translate("valid."), *_SHOWN)
    for name, scores in report.before.items():
        validation = "" if identity is None else f"{identity.validation:.3f}"
        cells = [translate("not\ncomparable")] if scores is None else _cells(scores)
        table.add_row(translate_sentence(name), validation, *cells)
    without = [translate("no texts")]
    table.add_row("BM25", "", *(without if report.bm25 is None else _cells(report.bm25)))
    shown = report.candidates if all_candidates else {report.chosen: chosen}
    if report.second is not None:
        shown = {**shown, report.second.candidate: report.candidates[report.second.candidate]}
    for name, candidate in shown.items():
        if name != "identity":
            # The mode stands below the name: the longest names fill their column of 80 cells.
            bare = printable(name.removeprefix(f"{candidate.mode}/"))
            mark = translate(", chosen") if name == report.chosen else ""
            label = dimmed(f"{bare}\n", f"{printable(candidate.mode)}{mark}")
            table.add_row(label, f"{candidate.validation:.3f}", *_cells(candidate.scores))
    if report.second is not None:
        hits = translate("keep, {n:d} hits", n=report.second.n_hits)
        rescored = dimmed(translate("rescored") + "\n", hits)
        table.add_row(rescored, "", *_cells(report.second.scores))
    return heading, table


def _explained(report: Report) -> Iterator[str]:
    """Yield the lines below the table: its columns, the chosen map, and the advice."""
    scored = "other queries give the scores"
    if "folds" in report.sizes:
        scored = "a fold is scored by the map that the others chose"
    yield f"valid.: MRR on the held-out queries that choose the map; {scored}"
    yield (
        f"chosen: {printable(report.chosen)}, mode {report.mode}; "
        f"scores describe {printable(report.describes)}"
    )
    if report.second is not None:
        yield f"advice: {printable(report.second.advice)}"


def _print_beside(report: Report) -> None:
    """Print the same rows for each kind of question, and among documents that were not fitted."""
    for about, of_rows in report.beside.items():
        some = next(iter(of_rows.values()))
        plain_console().print()
        title = translate(
            "{ABOUT}: {n:d} questions, {pool:,} documents",
            ABOUT=printable(about),
            n=some.n_queries,
            pool=some.pool,
        )
        rows = {report.serves if name == CHOSEN else name: s for name, s in of_rows.items()}
        print_scores(title, rows)


def print_verdict(verdict: str, reason: str) -> None:
    """Print a verdict in bold, and its reason behind it."""
    said = translate("verdict: {VERDICT}", VERDICT=printable(verdict))
    because = translate(" ({REASON})", REASON=printable(reason))
    plain_console().print(Text.assemble((said, "bold"), because))


def _print_lines(sentences: Iterable[str]) -> None:
    """Print finished sentences, a line each, in the chosen language."""
    for sentence in sentences:
        plain_console().print(translate_sentence(sentence))


def print_scores(title: str, rows: Mapping[str, Scores | None]) -> None:
    """Print a table of metrics with their intervals, a row for each name."""
    table = plain_table("", *_SHOWN)
    for name, scores in ((printable(name), scores) for name, scores in rows.items()):
        label = translate_sentence(name)
        if scores is None:
            table.add_row(label, translate("no texts" if name == "BM25" else "not comparable"))
            continue
        table.add_row(label, *_cells(scores))
    print_table(title, table)


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
    table = plain_table("queries", *_SHOWN, "change")
    table.add_row("as they are", *_cells(clean), "")
    for name, perturbed in rows.items():
        share = report.perturbations[name].share_changed
        if perturbed is not None and share:
            low, high = perturbed.interval["mrr@10"]
            table.add_row(
                dimmed(f"{name}\n", f"{share:.0%} changed"),
                *_cells(perturbed.scores),
                dimmed(f"{perturbed.change['mrr@10']:+.3f}\n", f"{low:+.3f}, {high:+.3f}"),
            )
    print_table(heading, table)


def print_table(title: str, table: Table) -> None:
    """Print a table below its title, which may be wider."""
    console = plain_console()
    console.print(Text(title, "italic"))
    console.print(table)


def plain_table(*columns: str) -> Table:
    """Return a table without frames: with them the widest does not fit into 80 cells."""
    return Table(*columns, box=box.SIMPLE_HEAD, padding=0, show_edge=False)


def _cells(scores: Scores) -> list[Text]:
    """Return each mean with its interval on the next line."""
    cells = []
    for name in _SHOWN:
        interval = interval_of(*scores.intervals[name])
        cells.append(dimmed(f"{scores.means[name]:.3f}\n", interval))
    return cells


def interval_of(low: float, high: float) -> str:
    """Return an interval in nine cells: ``.412-.583``."""
    return "-".join(f"{end:.3f}".removeprefix("0")[:4] for end in (low, high))


def dimmed(plain: str, dim: str) -> Text:
    """Return a cell whose second part is dim."""
    return Text.assemble(plain, (dim, "dim"))
