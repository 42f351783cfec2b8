"""`kakehashi report`: an aligner as a page for people who decide."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from ..aligner import Aligner
from ..data.readers import read_texts
from ..language import current_language, translate
from ..pages import check_extra, write_report
from ..printable import without_password
from ..progress import show_progress
from ..types import SIDES
from .app import app
from .console import plain_console
from .options import (
    CacheFile,
    EncoderName,
    Encoding,
    Folder,
    GroupColumn,
    IndexAddress,
    OptionalPairsFile,
    Overwrite,
    Sheet,
    SourceOfFit,
    TargetOfFit,
    TrainedOn,
    load_for,
    load_pairs,
)
from .saving import check_file, check_free


@app.command("report")
def report_command(
    folder: Folder,
    pairs: OptionalPairsFile = None,
    *,
    out: Annotated[Path, typer.Option(help="HTML file to write.")] = Path("report.html"),
    lang: Annotated[
        str | None,
        typer.Option(help="Language of the page: en or ja. By default that of the command."),
    ] = None,
    source_encoder: EncoderName = None,
    target_encoder: EncoderName = None,
    source: SourceOfFit = None,
    target: TargetOfFit = None,
    group: GroupColumn = None,
    encoding: Encoding = None,
    sheet: Sheet = None,
    index: IndexAddress = None,
    trained_on: TrainedOn = None,
    curve: Annotated[
        bool,
        typer.Option(
            "--curve", help="Measure accuracy by number of pairs: ten fits on --trained-on."
        ),
    ] = False,
    questions: Annotated[
        Path | None,
        typer.Option(help="A file of questions without answers: those to pair next are listed."),
    ] = None,
    embed_again: Annotated[
        bool,
        typer.Option(
            "--embed-again",
            help="Measure what the source encoder finds if it embeds the whole index again.",
        ),
    ] = False,
    second_model: Annotated[
        str | None,
        typer.Option(
            help="An encoder that orders the first hits of the aligner again: measure what that "
            "finds, and what it finds if it embeds the whole index.",
        ),
    ] = None,
    cache: CacheFile = None,
    overwrite: Overwrite = False,
) -> None:
    """Write a saved aligner as one HTML page: whether it helps, by how much, and where it fails.

    PAIRS judge it, which it was not trained on. Without them the page shows what the fit measured.
    """
    check_page(out, pairs, trained_on, questions, overwrite=overwrite)
    encoders = {"source_encoder": source_encoder, "target_encoder": target_encoder}
    loaded = Aligner.load(folder).with_encoders(**encoders)
    aligner = replace(loaded, path=folder)  # shown as it was named
    names: dict[str, Any] = dict(zip(SIDES, aligner.data.columns, strict=True))
    data = documents = None
    if pairs is not None:
        columns = (source, target)
        names, data, documents = load_for(
            aligner, pairs, index, columns, group, encoding=encoding, sheet=sheet
        )
    fitted = None if trained_on is None else load_pairs(trained_on, **names)
    texts = None
    if questions is not None:
        texts = read_texts(questions, column=names["source"], encoding=encoding, sheet=sheet)
    with show_progress(True):
        write_report(
            aligner,
            data,
            out,
            language=lang or current_language(),
            index=documents,
            trained_on=fitted,
            curve=curve,
            questions=texts,
            embed_again=embed_again,
            second_model=second_model,
            commands=[this_command()],
            cache=cache,
        )
    plain_console().print(translate("{path} is written.", path=out), soft_wrap=True)


def check_page(out: Path, *read: Path | None, overwrite: bool) -> None:
    """Check that a page can be written, before the work.

    Raises:
        MissingExtraError: what draws it is not installed.
        OSError: something is there, the command reads it, or nothing can be written there.
    """
    check_extra()
    check_free(out, overwrite=overwrite, kind="file")
    check_file(out, *read)


def this_command() -> str:
    """Return the command that is running, to be shown and pasted."""
    return shlex.join(["kakehashi", *map(without_password, sys.argv[1:])])
