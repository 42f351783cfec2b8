"""`kakehashi report`: an aligner as a page for people who decide."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from ..aligner import Aligner
from ..bundle import check_parent
from ..pages import write_report
from ..progress import show_progress
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
    load_for,
    load_pairs,
)
from .saving import check_free


@app.command("report")
def report_command(
    folder: Folder,
    pairs: OptionalPairsFile = None,
    *,
    out: Annotated[Path, typer.Option(help="HTML file to write.")] = Path("report.html"),
    lang: Annotated[str, typer.Option(help="Language of the page: en or ja.")] = "en",
    source_encoder: EncoderName = None,
    target_encoder: EncoderName = None,
    source: SourceOfFit = None,
    target: TargetOfFit = None,
    group: GroupColumn = None,
    encoding: Encoding = None,
    sheet: Sheet = None,
    index: IndexAddress = None,
    trained_on: Annotated[
        Path | None,
        typer.Option(
            help="The pairs of the fit: their documents are searched, too, and near copies found."
        ),
    ] = None,
    cache: CacheFile = None,
    overwrite: Overwrite = False,
) -> None:
    """Write a saved aligner as one HTML page: whether it helps, by how much, and where it fails.

    PAIRS judge it, which it was not trained on. Without them the page shows what the fit measured.
    """
    check_free(out, overwrite=overwrite, kind="file")
    check_parent(out)
    encoders = {"source_encoder": source_encoder, "target_encoder": target_encoder}
    aligner = Aligner.load(folder).with_encoders(**encoders)
    data = documents = fitted = None
    if pairs is not None:
        names, data, documents = load_for(
            aligner, pairs, index, (source, target), group, encoding=encoding, sheet=sheet
        )
        fitted = None if trained_on is None else load_pairs(trained_on, **names)
    with show_progress(True):
        write_report(
            aligner,
            data,
            out,
            language=lang,
            index=documents,
            trained_on=fitted,
            commands=[shlex.join(["kakehashi", *sys.argv[1:]])],
            cache=cache,
        )
    plain_console().print(f"{out} is written.", soft_wrap=True)
