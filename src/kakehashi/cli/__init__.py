"""The command line: demo, fit, project, bridge, info, evaluate, compare, curve, robustness."""

from __future__ import annotations

import sys

from rich.text import Text

from ..encoders.protocol import raised_by
from ..errors import KakehashiError
from . import make, measure, show  # noqa: F401  # importing them registers their commands
from .app import app
from .console import plain_console


def main() -> None:
    """Run the command line; bad input is one line on standard error and exit code 2."""
    try:
        app()
    except Exception as error:
        said = str(error)
        if blame := raised_by(error):  # not our fault, and no traceback of ours
            said = f"{type(error).__name__}: {error} ({blame})"
        elif not isinstance(error, (KakehashiError, OSError)):
            raise
        said = " ".join(said.split())
        plain_console(stderr=True).print(Text("error:", "red"), said, soft_wrap=True)
        sys.exit(2)
