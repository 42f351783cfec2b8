"""`kakehashi encoders`: which encoder to ask with."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from ..encoders.known import KNOWN_ENCODERS, KnownEncoder
from ..errors import DataError
from ..language import translate, translate_sentence
from .app import app
from .console import plain_console, print_json
from .options import Json
from .tables import plain_table


@app.command("encoders")
def encoders_command(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="A part of a name, such as e5: print how to install and to name these encoders.",
        ),
    ] = None,
    local: Annotated[
        bool, typer.Option("--local", help="Only those that run on this machine.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List encoders that read several languages, to ask an index with.

    Any encoder works, also one that is not listed. The figures are ours, from the demo: how many of
    441 Japanese questions find their English paragraph first, in an index that all-MiniLM-L6-v2
    made. Measure yours with `fit` on your own pairs.
    """
    chosen = [each for each in KNOWN_ENCODERS if not local or each.is_local]
    if name is not None:
        wanted = name.lower()
        chosen = [e for e in chosen if wanted in f"{e.name} {e.source_encoder}".lower()]
        if not chosen:
            listed = ", ".join(each.name for each in KNOWN_ENCODERS)
            raise DataError(f"no encoder is called {name!r}; choose a part of: {listed}.")
    if as_json:
        print_json({"encoders": [each.to_dict() for each in chosen]})
    elif name is None:
        _print_table(chosen)
    else:
        for each in chosen:
            _print_use(each)


def _print_table(encoders: list[KnownEncoder]) -> None:
    console = plain_console()
    headings = (translate("dim"), translate("licence"), translate("languages"), "recall@1")
    table = plain_table("", *headings)
    for each in encoders:
        licence, languages = map(translate_sentence, (each.licence, each.languages))
        table.add_row(each.name, str(each.dimension), licence, languages, recall_of(each))
    console.print(table)
    for line in (
        translate(
            "recall@1: of the demo's questions, in keep / rescored; empty: not measured here"
        ),
        translate("how to name one: kakehashi encoders NAME"),
    ):
        console.print(line, soft_wrap=True)


def _print_use(encoder: KnownEncoder) -> None:
    console = plain_console()
    console.print(f"{encoder.name}: {translate_sentence(encoder.note)}", soft_wrap=True)
    for command in (
        f"pip install {shlex.quote(encoder.install)}",
        "kakehashi fit PAIRS --target-encoder YOURS --out my-aligner "
        f"--source-encoder {in_double_quotes(encoder.source_encoder)}",
    ):
        console.print(f"    {command}", soft_wrap=True)


def recall_of(encoder: KnownEncoder) -> str:
    """Return both scores as they are printed; nothing where none was measured."""
    if encoder.recall is None:
        return ""
    return " / ".join(f"{score:.3f}".removeprefix("0") for score in encoder.recall)


def in_double_quotes(text: str) -> str:
    """Quote an encoder's name for a shell and for PowerShell alike."""
    return f'"{text}"' if any(sign in text for sign in "(){}' ") else text
