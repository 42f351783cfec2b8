"""The command line: demo, fit, evaluate, project, info."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .aligner import Aligner
from .errors import KakehashiError
from .evaluation.intervals import Scores
from .evaluation.metrics import METRICS, ranks
from .evaluation.report import Report
from .ladder import fit as fit_aligner
from .pairs import SIDES, Pairs
from .readers import read_pairs

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Train a small projection on pairs of texts, and see whether it helps.",
)
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")]
Source = Annotated[str, typer.Option(help="Column, array or language of the source.")]
Target = Annotated[str, typer.Option(help="Column, array or language of the target.")]


def main() -> None:
    """Run the command line; bad input is one line on standard error and exit code 2."""
    try:
        app()
    except (KakehashiError, FileExistsError, PermissionError) as error:
        Console(stderr=True).print(f"[red]error:[/] {' '.join(str(error).split())}", soft_wrap=True)
        sys.exit(2)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the aligner and the Chroma index.")] = Path(
        "kakehashi-demo"
    ),
    as_json: AsJson = False,
) -> None:
    """Train on a sample that comes along, and search an English index in Japanese."""
    from .demo.pipeline import LEGEND, run

    result = run(out, progress=not as_json)
    if as_json:
        _print_json(
            {
                "rows": {name: _row(scores) for name, scores in result.rows.items()},
                "questions": [asdict(question) for question in result.questions],
                "verdict": result.verdict,
                "n_train": result.n_train,
                "aligner": str(result.aligner),
                "chroma": str(result.chroma),
                "seconds": result.seconds,
            }
        )
        return
    console = Console()
    pool = next(iter(result.rows.values())).pool
    _print_table(
        f"{pool} Japanese queries in {pool} English documents, trained on {result.n_train} others",
        result.rows,
        ("recall@1", "recall@10", "mrr@10"),
    )
    for name, meaning in LEGEND.items():
        console.print(f"[dim]{name:14}{meaning}")
    console.print(f"\n[bold]verdict (keep): {result.verdict}[/]\n")
    for number, question in enumerate(result.questions, 1):
        console.print(f"[bold]{number}. {_short(question.text)}[/]")
        for label, hit in question.hits.items():
            mark = "[green]✓[/]" if hit == question.wanted else "[red]✗[/]"
            console.print(f"   {label:18} {mark} ", end="")
            console.print(_short(hit), markup=False)
    console.print(
        f"\n{result.seconds:.0f} s. Left for you: the aligner in {result.aligner}/, the Chroma "
        f"index in {result.chroma}/ (the README's next step uses both)."
    )


@app.command()
def fit(
    pairs: Path,
    out: Annotated[Path, typer.Option(help="Folder to write the aligner to.")],
    source_encoder: Annotated[str | None, typer.Option(help="Model name or path.")] = None,
    target_encoder: Annotated[str | None, typer.Option(help="Model name or path.")] = None,
    mode: Annotated[str, typer.Option(help="keep, shared or auto.")] = "auto",
    validation: Annotated[Path | None, typer.Option(help="Pairs to choose by.")] = None,
    test: Annotated[Path | None, typer.Option(help="Pairs to report on.")] = None,
    seed: int = 0,
    refit: Annotated[bool, typer.Option(help="Refit the chosen rung on all pairs.")] = True,
    source: Source = "source",
    target: Target = "target",
    group: str = "group",
    licence: Annotated[str, typer.Option(help="Licence of the data, kept in the record.")] = "",
    cache: Annotated[Path | None, typer.Option(help="File that keeps encoded vectors.")] = None,
    overwrite: bool = False,
    as_json: AsJson = False,
) -> None:
    """Train an aligner on PAIRS and report on held-out queries."""
    if out.exists() and not overwrite:
        raise FileExistsError(f"{out} exists; pass --overwrite or another folder.")

    def read(path: Path | None) -> Pairs | None:
        if path is None:
            return None
        names = {"source": source, "target": target, "group": group}
        found = read_pairs(path, **names, on_invalid="drop", licence=licence)  # type: ignore[arg-type]
        if found.validation.findings:
            Console(stderr=True).print(f"{path}: {found.validation}")
        return found

    training = read(pairs)
    assert training is not None
    aligner = fit_aligner(
        training,
        source=source_encoder,
        target=target_encoder,
        mode=mode,  # type: ignore[arg-type]  # fit names the allowed values
        validation=read(validation),
        test=read(test),
        seed=seed,
        refit=refit,
        cache=cache,
        progress=sys.stderr.isatty() and not as_json,
    )
    aligner.save(out, overwrite=overwrite)
    _print_report(aligner.report, as_json)


@app.command()
def evaluate(
    folder: Path,
    pairs: Path,
    source: Source = "source",
    target: Target = "target",
    as_json: AsJson = False,
) -> None:
    """Score a saved aligner on PAIRS: each query's own target among all targets of the file."""
    aligner = Aligner.load(folder)
    data = read_pairs(pairs, source=source, target=target)
    x, y = (_vectors_of(aligner, data, side) for side in SIDES)
    metric: Any = aligner.report.metric
    queries = aligner.project(x, modality="source", role="query")
    documents = aligner.project(y, modality="target", role="document")
    rows = {"base": None, "aligned": Scores.of_ranks(ranks(queries, documents, metric), len(data))}
    if aligner.report.base is not None:
        raw = ranks(np.asarray(x, np.float32), np.asarray(y, np.float32), metric)
        rows["base"] = Scores.of_ranks(raw, len(data))
    if as_json:
        means = {name: None if row is None else row.means for name, row in rows.items()}
        _print_json({"n_queries": len(data), "pool": len(data), **means})
        return
    _print_table(f"{len(data)} queries in as many documents", rows)


@app.command()
def project(folder: Path, vectors: Path, out: Path, as_json: AsJson = False) -> None:
    """Project an .npz: its array `source` as queries, its array `target` as documents."""
    aligner = Aligner.load(folder)
    if vectors.suffix != ".npz" or not vectors.is_file():
        raise typer.BadParameter(f"{vectors} is not an .npz file")
    try:
        with np.load(vectors, allow_pickle=False) as archive:
            given = {side: archive[side] for side in SIDES if side in archive}
    except (ValueError, OSError, EOFError) as error:
        raise typer.BadParameter(f"{vectors} is not an .npz of plain arrays: {error}") from error
    if not given:
        raise typer.BadParameter(f"{vectors} has neither an array 'source' nor 'target'")
    roles: Any = {"source": "query", "target": "document"}
    projected: dict[str, Any] = {
        side: aligner.project(x, modality=side, role=roles[side]) for side, x in given.items()
    }
    np.savez(out, **projected)
    shapes = {side: list(x.shape) for side, x in projected.items()}
    if as_json:
        _print_json({"out": str(out), "shapes": shapes})
    else:
        Console().print(f"{out}: {shapes}")


@app.command()
def info(folder: Path, as_json: AsJson = False) -> None:
    """Show what a saved aligner is, which data made it, and what it scored."""
    aligner = Aligner.load(folder)
    names = {s: None if e is None else e.name for s, e in aligner.encoders.items()}
    if as_json:
        about = {"fingerprint": aligner.fingerprint, "encoders": names}
        _print_json({**about, "data": aligner.data.__dict__, **_report_json(aligner.report)})
        return
    console = Console()
    console.print(f"encoders {names}, dimensions {aligner.dimensions}")
    console.print(f"data {aligner.data.name!r}, licence {aligner.data.licence or 'not stated'!r}")
    console.print(f"SHA-256 of the data {aligner.data.content_hash}")
    _print_report(aligner.report, False)


def _vectors_of(aligner: Aligner, data: Pairs, side: Any) -> Any:
    stored = data.vectors(side)
    if stored is not None:
        return stored
    return aligner.encode(
        list(data.texts(side) or ()),
        modality=side,
        role="query" if side == "source" else "document",
    )


def _report_json(report: Report) -> dict[str, Any]:
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
        "base": "not comparable" if report.base is None else _row(report.base),
        "bm25": None if report.bm25 is None else _row(report.bm25),
        "rungs": {
            name: {**_row(r.scores), "parameters": r.parameters, "validation_mrr": r.validation}
            for name, r in report.rungs.items()
        },
        "p_value": report.p_value,
        "notes": report.notes,
        "seconds": report.seconds,
    }


def _row(scores: Scores) -> dict[str, Any]:
    return {
        **scores.means,
        "interval": scores.intervals["recall@1"],
        "intervals": scores.intervals,
    }


def _print_report(report: Report, as_json: bool) -> None:
    if as_json:
        _print_json(_report_json(report))
        return
    rows: dict[str, Scores | None] = {n: r.scores for n, r in report.rungs.items()}
    if report.base is None:
        rows = {"identity": None, **rows}
    rows["BM25"] = report.bm25
    _print_table(f"{report.sizes['test']} held-out queries in as many documents", rows)
    console = Console()
    console.print(f"[bold]verdict: {report.verdict}[/] ({report.reason})")
    console.print(
        f"chosen: {report.chosen}, mode {report.mode}; scores describe {report.describes}"
    )


def _short(text: str, cells: int = 70) -> str:
    line = Text(" ".join(text.split()))
    line.truncate(cells, overflow="ellipsis")
    return line.plain


def _print_table(
    title: str, rows: Mapping[str, Scores | None], metrics: Sequence[str] = METRICS
) -> None:
    table = Table("", *metrics, title=title)
    for name, scores in rows.items():
        if scores is None:
            table.add_row(name, *["not comparable" if name != "BM25" else "no texts"])
            continue
        cells = [
            f"{scores.means[m]:.3f} [dim]{scores.intervals[m][0]:.3f}-{scores.intervals[m][1]:.3f}"
            for m in metrics
        ]
        table.add_row(name, *cells)
    Console().print(table)


def _print_json(document: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
