"""Every command and option, as typer writes them from the commands themselves."""

import re
import subprocess
import sys

from sphinx.application import Sphinx

PLACE = "<!-- every command -->"
TYPER = ["-m", "typer", "kakehashi.cli", "utils", "docs", "--name", "kakehashi"]


def _fill(app: Sphinx, name: str, source: list[str]) -> None:
    if PLACE in source[0]:
        done = subprocess.run([sys.executable, *TYPER], capture_output=True, check=True)
        text = done.stdout.decode("utf-8").split("\n", 1)[1]  # without its title
        text = re.sub(r"^\* `--(install|show)-completion.*\n", "", text, flags=re.MULTILINE)
        source[0] = source[0].replace(PLACE, text)


def setup(app: Sphinx) -> dict[str, bool]:
    """Fill the page when it is read."""
    app.connect("source-read", _fill)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
