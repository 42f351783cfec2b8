"""The command line: demo, fit, project, info, evaluate, compare, curve, robustness."""

from __future__ import annotations

import sys

from rich.text import Text

from ..console import plain_console
from ..errors import KakehashiError
from . import make, measure  # noqa: F401  # importing them registers their commands
from .app import app


def main() -> None:
    """Run the command line; bad input is one line on standard error and exit code 2."""
    try:
        app()
    except (KakehashiError, OSError) as error:
        said = " ".join(str(error).split())
        plain_console(stderr=True).print(Text("error:", "red"), said, soft_wrap=True)
        sys.exit(2)
