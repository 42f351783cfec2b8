"""The command line. Every command has a file of its own, under its own name."""

from __future__ import annotations

import os
import sys

from rich.text import Text

from ..encoders.protocol import kept_from, raised_by
from ..errors import KakehashiError
from ..language import translate, translate_sentence
from ..printable import printable
from . import (  # noqa: F401  # importing a file registers its command
    bulk,
    combine,
    compare,
    curve,
    demo,
    doctor,
    encoders,
    evaluate,
    fit,
    gate,
    info,
    init,
    migrate,
    project,
    report,
    robustness,
    search,
    starter,
)
from .app import app, spoken
from .console import plain_console


def main() -> None:
    """Run the command line; bad input gives one line on standard error and exit code 2."""
    try:
        spoken(os.environ.get("KAKEHASHI_LANG") or None)  # for --help, which comes before --lang
        app()
    except Exception as error:
        message = str(error)
        if encoder := raised_by(error):  # an encoder of the caller's; our traceback would not help
            message = f"{type(error).__name__}: {error} ({encoder})"
        elif not isinstance(error, (KakehashiError, OSError)):
            raise
        lines = filter(None, (translate_sentence(message), translate_sentence(kept_from(error))))
        said = printable(" ".join(" ".join(lines).split()))
        label = translate("error:")
        plain_console(stderr=True).print(Text(label, "red"), said, soft_wrap=True)
        sys.exit(2)
