"""`kakehashi gate`: whether an aligner may go into production, for continuous integration."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from ..aligner import Aligner
from ..data.arguments import check_choice
from ..evaluation.gate import (
    CANNOT_TELL,
    FALLS_SHORT,
    PASSES,
    TOLERANCE,
    Demand,
    Other,
    check_tolerance,
    decide,
)
from ..evaluation.scoring import Evaluation, evaluate
from ..language import LANGUAGES, choose_language, translate
from ..progress import show_progress
from ..types import SIDES
from .app import app
from .console import plain_console, print_json
from .gate_files import Subject, junit_of, lines_of, summary_of
from .options import (
    CacheFile,
    EncoderName,
    Encoding,
    Folder,
    GroupColumn,
    IndexAddress,
    Json,
    PairsFile,
    Sheet,
    SourceOfFit,
    TargetOfFit,
    TrainedOn,
    load_for,
    load_pairs,
    require_encoder,
)
from .saving import check_file, write_file

_EXIT = {PASSES: 0, FALLS_SHORT: 1, CANNOT_TELL: 3}
"""Two is for errors of usage, as in every command."""


@app.command("gate")
def gate_command(
    folder: Folder,
    pairs: PairsFile,
    minimum: Annotated[
        list[str] | None,
        typer.Option(
            "--min",
            metavar="METRIC=VALUE",
            help="The least value of a metric, such as recall@1=.85; may be given several times. "
            "Metrics: recall@1, recall@5, recall@10, mrr@10, ndcg@10.",
        ),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            metavar="OTHER",
            help="Folder of another aligner, such as the one that serves: no worse than that.",
        ),
    ] = None,
    no_worse: Annotated[
        bool,
        typer.Option(
            "--no-worse",
            help="No worse than a search without the aligner: by the untouched vectors, the "
            "index's own encoder and BM25. So it is without --min and --against.",
        ),
    ] = False,
    tolerance: Annotated[
        float, typer.Option(help="How much less MRR@10 still counts as no worse, from 0 to 1.")
    ] = TOLERANCE,
    cannot_tell: Annotated[
        str,
        typer.Option(
            metavar="fail|pass",
            help="What follows where the questions cannot tell. fail: exit code 3. pass: 0.",
        ),
    ] = "fail",
    summary: Annotated[
        Path | None, typer.Option(metavar="FILE.md", help="Markdown file to write.")
    ] = None,
    junit: Annotated[
        Path | None, typer.Option(metavar="FILE.xml", help="JUnit XML file to write.")
    ] = None,
    as_json: Json = False,
    lang: Annotated[
        str | None,
        typer.Option(help="Language of the lines and the files: en or ja."),
    ] = None,
    source_encoder: EncoderName = None,
    target_encoder: EncoderName = None,
    cache: CacheFile = None,
    index: IndexAddress = None,
    source: SourceOfFit = None,
    target: TargetOfFit = None,
    group: GroupColumn = None,
    encoding: Encoding = None,
    sheet: Sheet = None,
    trained_on: TrainedOn = None,
) -> None:
    """Let an aligner pass, or not, by PAIRS that it was not trained on.

    Exit code 0: it passes. 1: it falls short. 3: the questions cannot tell. 2: an error of usage.
    A demand passes where the whole 95% interval reaches it, and falls short where all of it lies
    below. The summary is also appended to the file that $GITHUB_STEP_SUMMARY names.
    """
    check_choice("--cannot-tell", cannot_tell, ("fail", "pass"))
    demands = [Demand.parse(text) for text in minimum or ()]
    if lang is not None:
        check_choice("--lang", lang, LANGUAGES)
        choose_language(lang)
    check_tolerance(tolerance)
    for path in filter(None, (summary, junit)):
        check_file(path, pairs)
    encoders = {"source_encoder": source_encoder, "target_encoder": target_encoder}
    aligner = Aligner.load(folder).with_encoders(**encoders)
    other = None if against is None else Aligner.load(against).with_encoders(**encoders)
    columns = (source, target)
    names, data, documents = load_for(
        aligner, pairs, index, columns, group, encoding=encoding, sheet=sheet
    )
    fitted = None if trained_on is None else load_pairs(trained_on, **names)

    def scored(of: Aligner) -> Evaluation:
        for side in SIDES:
            if data.vectors(side) is None:
                require_encoder(of, side)
        return evaluate(of, data, index=documents, trained_on=fitted, cache=cache)

    with show_progress(not as_json):
        ours = scored(aligner)
        theirs = (
            None if other is None else Other(str(against), scored(other), _same(aligner, other))
        )
    result = decide(
        ours, demands, mode=aligner.mode, no_worse=no_worse, against=theirs, tolerance=tolerance
    )
    about = Subject(str(folder), str(pairs), result)
    if as_json:
        print_json({"aligner": str(folder), "pairs": str(pairs), **result.to_dict()})
    else:
        for line in lines_of(about):
            plain_console().print(line, soft_wrap=True)
    _write(about, summary, junit)  # after what is printed, which a full disk then does not lose
    if result.outcome == CANNOT_TELL and cannot_tell == "pass":
        raise typer.Exit(0)
    raise typer.Exit(_EXIT[result.outcome])


def _same(one: Aligner, other: Aligner) -> bool:
    """Whether two aligners order all results alike."""
    return (one.fingerprint, one.retrieval_fingerprint) == (
        other.fingerprint,
        other.retrieval_fingerprint,
    )


def _write(about: Subject, summary: Path | None, junit: Path | None) -> None:
    text = summary_of(about)
    if summary is not None:
        write_file(summary, text)
    if junit is not None:
        write_file(junit, junit_of(about))
    if of_github := os.environ.get("GITHUB_STEP_SUMMARY"):
        try:
            with Path(of_github).open("a", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:  # which nobody asked for: it decides nothing
            said = translate("note: {NOTE}", NOTE=f"no summary for GitHub: {error}")
            plain_console(stderr=True).print(said, soft_wrap=True)
