"""Help in the chosen language: what typer made in English is translated when it is shown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from inspect import cleandoc
from typing import Any

import rich._wrap
from typer.core import TyperGroup

from ..language import current_language, translate_sentence

_WIDE = "\u3000-\uffef"
_ENDS = "[、。」)ーっゃゅょッャュョァィェォ]*"
_LETTER, _WORD = rf"[「(]?[{_WIDE}]{_ENDS}", rf"(?!\([{_WIDE}])[^\s{_WIDE}]+{_ENDS}"
_PIECE = rf"(?:{_LETTER}|{_WORD})"
_BESIDE = rf"(?:(?<=[{_WIDE}]) +{_PIECE}|(?<![\s{_WIDE}]) +{_LETTER})"
_PIECES = re.compile(rf"\s*{_PIECE}{_BESIDE}*\s*")
"""What stays on one line: a word, or a Japanese letter with the marks that end there. No line ends
at a space beside a Japanese letter, since rich leaves such a space standing and cuts off a letter
in its place."""


class Commands(TyperGroup):
    """The commands; a command that is looked up has its help in the chosen language."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help of all commands together."""
        translate_help(self, ctx)
        with _japanese_lines():
            super().format_help(ctx, formatter)

    def invoke(self, ctx: Any) -> Any:
        """Run a command, or print its help."""
        with _japanese_lines():
            return super().invoke(ctx)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command by its name, or None."""
        command = super().get_command(ctx, cmd_name)
        if command is not None:
            translate_help(command, ctx)
        return command


def translate_help(command: Any, ctx: Any) -> None:
    """Translate the texts of a command's help, and the titles of its panels.

    Each run has command objects of its own, which are English before.
    """
    paragraphs = cleandoc(command.help or "").split("\n\n")
    command.help = "\n\n".join(translate_sentence(" ".join(p.split())) for p in paragraphs)
    command.rich_help_panel = translate_sentence(command.rich_help_panel or "Commands")
    for parameter in command.get_params(ctx):  # with --help, which is an option of its own
        is_argument = parameter.param_type_name == "argument"
        panel = parameter.rich_help_panel or ("Arguments" if is_argument else "Options")
        parameter.rich_help_panel = translate_sentence(panel)
        parameter.help = translate_sentence(parameter.help or "")


@contextmanager
def _japanese_lines() -> Iterator[None]:
    """Let rich break lines between Japanese characters; of itself it cuts them off in a table."""
    before = rich._wrap.re_word
    if current_language() == "ja":
        rich._wrap.re_word = _PIECES
    try:
        yield
    finally:
        rich._wrap.re_word = before
