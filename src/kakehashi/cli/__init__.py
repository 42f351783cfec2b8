"""The command line: demo, fit, project, info, evaluate, compare, curve, robustness."""

from __future__ import annotations

import sys

from rich.console import Console

from ..errors import KakehashiError
from . import make, measure  # noqa: F401  # importing them registers their commands
from .app import app


def main() -> None:
    """Run the command line; bad input is one line on standard error and exit code 2."""
    try:
        app()
    except (KakehashiError, OSError) as error:
        console = Console(stderr=True)
        console.print("[red]error:[/] ", end="")
        console.print(" ".join(str(error).split()), soft_wrap=True, markup=False)
        sys.exit(2)
