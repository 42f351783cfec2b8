"""The application that commands register with."""

from __future__ import annotations

from typing import Annotated

import typer

from .. import __version__
from ..language import LANGUAGES, choose_language, language_of_environment
from ..language.chosen import can_be_printed
from .help_texts import Commands

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode="markdown",  # which joins the lines of a paragraph
    pretty_exceptions_enable=False,
    help="Train a small map between two embedding spaces, and see whether it helps search.",
)


def _version(requested: bool) -> None:
    if requested:
        print(__version__)
        raise typer.Exit


def spoken(code: str | None) -> str:
    """Choose the language: as asked, else that of the environment if the terminal can show it."""
    if code not in (None, *LANGUAGES):
        raise typer.BadParameter(f"{code!r} is none of {', '.join(LANGUAGES)}.")
    found = language_of_environment()
    chosen = code or (found if can_be_printed(found) else "en")
    choose_language(chosen)
    return chosen


@app.callback()
def _app(
    lang: Annotated[
        str | None,
        typer.Option(
            metavar="|".join(LANGUAGES),
            callback=spoken,
            is_eager=True,
            envvar="KAKEHASHI_LANG",
            help="Language of tables and messages. By default that of the locale.",
        ),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass
