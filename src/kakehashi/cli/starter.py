"""`kakehashi starter build`: public pairs on disk to a starter set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..bundle import check_parent
from ..pairing.starters import AT_MOST, build_starter
from .app import app
from .console import plain_console, print_json
from .options import Json
from .saving import check_free, named

_STARTER = typer.Typer(no_args_is_help=True, help="Public pairs of other fields, to start with.")
app.add_typer(_STARTER, name="starter")


@_STARTER.command("build")
def build_command(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The .jsonl file to write.")],
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="SOURCE...",
            help="Checkouts on disk: python-docs translations, Django, manpages-l10n or another "
            "folder of .po files; tldr-pages; sentence pairs of Tatoeba (.tsv, English second); "
            "or files of pairs.",
        ),
    ],
    languages: Annotated[
        str, typer.Option(help="Source and target, one of them en.", metavar="SOURCE-TARGET")
    ] = "ja-en",
    licence: Annotated[
        str, typer.Option(help="Licence of a source that is none of the public ones named above.")
    ] = "",
    at_most: Annotated[int, typer.Option(min=1, help="Pairs of each source.")] = AT_MOST,
    overwrite: Annotated[bool, typer.Option(help="Replace OUT, if it is there.")] = False,
    as_json: Json = False,
) -> None:
    """Write a starter set from checkouts of public sources; nothing is fetched.

    Every pair keeps its origin and its licence. `fit --starter OUT` learns from it.
    """
    check_free(out, overwrite=overwrite, kind="file")
    check_parent(out)
    with named(out):
        by_origin = build_starter(out, sources, languages, licence=licence, at_most=at_most)
    if as_json:
        print_json({"out": str(out), "pairs": by_origin})
        return
    console = plain_console()
    for origin, n in by_origin.items():
        console.print(f"{n:,} pairs: {origin}", soft_wrap=True)
    console.print(f"next: kakehashi fit PAIRS --starter {out} --out FOLDER", soft_wrap=True)
