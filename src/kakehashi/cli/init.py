"""`kakehashi init`: a pilot project to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..data.arguments import check_choice
from ..language import LANGUAGES, choose_language, current_language, translate
from ..pilot.writing import write_pilot
from .app import app
from .console import plain_console


@app.command("init")
def init_command(
    name: Annotated[Path, typer.Argument(metavar="NAME", help="Folder to write, new or empty.")],
    lang: Annotated[
        str | None,
        typer.Option(help="Language of the files: en or ja. By default that of the command."),
    ] = None,
) -> None:
    """Write a pilot project: settings, sample pairs, a notebook, a gate for GitHub, a README.

    All of it runs as it stands, on 200 sample pairs. Nothing that exists is written over.
    """
    if lang is not None:
        check_choice("--lang", lang, LANGUAGES)
        choose_language(lang)
    for path in write_pilot(name, current_language()):
        plain_console().print(str(path), soft_wrap=True)
    readme = str(name / "README.md")
    plain_console().print(translate("next: read {path}", path=readme), soft_wrap=True)
