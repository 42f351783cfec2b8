"""`kakehashi bulk`: files of millions of texts or vectors, embedded block by block."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..bulk import embed_parquet
from ..language import translate
from ..progress import show_progress
from .after_bulk import print_next_step
from .app import app
from .console import plain_console, print_json
from .options import EncoderName, Json
from .saving import named, when_stopped


@app.command("bulk")
def bulk_command(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="IN",
            help="A Parquet file, or a folder of them, with the columns id, text, and perhaps "
            "vector and metadata. Vectors are projected; without them, texts are encoded.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Argument(
            metavar="OUT", help="The folder to write. A run that was stopped goes on in it."
        ),
    ],
    aligner: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder of a saved aligner.")],
    second_map: Annotated[
        bool,
        typer.Option("--second-map", help="Project by the second map of an aligner of mode keep."),
    ] = False,
    target_encoder: EncoderName = None,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Work on Ray: local starts one on this machine; auto or HOST:PORT joins a "
            "cluster, whose machines see IN, OUT and the aligner under the same paths.",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="Workers of Ray, with one CPU each; by default one a CPU."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Embed the rows of Parquet files as documents, and write a folder that is an index.

    One file is written for each block of rows, as a whole or not at all. After an interruption,
    the same command writes only those that are missing.
    """
    with when_stopped(lambda _: _kept(out)), named(out), show_progress(not as_json):
        result = embed_parquet(
            source,
            out,
            aligner=aligner,
            second_map=second_map,
            target_encoder=target_encoder,
            ray=ray,
            workers=workers,
        )
    if as_json:
        print_json(result.to_dict())
        return
    console = plain_console()
    console.print(
        translate(
            "{out}: {rows:,} rows in {blocks:,} files; this run wrote {written:,} of them",
            **result.to_dict(),
        ),
        soft_wrap=True,
    )
    if result.left_out:
        console.print(translate("{n:,} rows without a text were left out", n=result.left_out))
    print_next_step(result, aligner, second_map=second_map)


def _kept(out: Path) -> str:
    return translate(
        "stopped. {out} keeps {n:,} files; the same command goes on from there.",
        out=out,
        n=len(list(out.glob("*.parquet"))),
    )
