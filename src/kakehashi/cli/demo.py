"""`kakehashi demo`: the whole way on real data."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from ..progress import show_progress
from .app import app
from .console import plain_console, print_json, short
from .options import Json
from .records import scores_json
from .tables import print_scores

if TYPE_CHECKING:
    from ..demo.pipeline import DemoResult


@app.command("demo")
def demo_command(
    out: Annotated[Path, typer.Option(help="Folder to write.")] = Path("kakehashi-demo"),
    as_json: Json = False,
) -> None:
    """Train on sample data that comes with the package, and search an English index in Japanese."""
    from ..demo.pipeline import run

    with show_progress(not as_json):
        result = run(out)
    if as_json:
        print_json(
            {
                "rows": {name: scores_json(scores) for name, scores in result.rows.items()},
                "questions": [asdict(question) for question in result.questions],
                "gained": result.gained,
                "lost": result.lost,
                "verdict": result.verdict,
                "n_train": result.n_train,
                "aligner": str(result.aligner),
                "chroma": str(result.chroma),
                "seconds": result.seconds,
            }
        )
    else:
        _show(result, out)


def _show(result: DemoResult, out: Path) -> None:
    from ..demo.pipeline import COLLECTIONS, LEGEND

    console = plain_console()
    some = next(iter(result.rows.values()))
    print_scores(
        f"{some.n_queries} Japanese questions in the whole index: {some.pool:,} English documents, "
        f"trained on {result.n_train:,} other pairs",
        result.rows,
    )
    for name, meaning in LEGEND.items():
        console.print(f"{name:16}{meaning}", style="dim")
    console.print(f"\nverdict: {result.verdict}\n", style="bold")
    console.print(
        f"{result.gained} queries find their document first only with the aligner (rescored), "
        f"{result.lost} only without it. Some of both, one from each of "
        f"{len(result.questions)} sections:"
    )
    for number, question in enumerate(result.questions, 1):
        console.print(f"{number}. {short(question.text)}", style="bold")
        for label, hit in question.hits.items():
            mark = ("✓", "green") if hit == question.wanted else ("✗", "red")
            console.print(Text.assemble(f"   {label:18} ", mark, f" {short(hit)}"), soft_wrap=True)
    console.print(
        f"\n{result.seconds:.0f} s. In {out}/: aligner/, aligner-shared/ (its second map, "
        "for a moved index), chroma/, train.jsonl, test.jsonl. The README's snippets use them."
    )
    collections = "; ".join(f"{name} ({about})" for name, about in COLLECTIONS.items())
    console.print(f"Collections in chroma/: {collections}.")
