"""The code of the guides: read from Markdown, and run page by page in one process.

Run as a script, it reads pages as JSON on standard input and runs them in the folder it stands in.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shlex
import sys
from pathlib import Path

_BLOCK = re.compile(
    r"^```(python|bash|powershell|console|text)\n(.*?)^```$", re.DOTALL | re.MULTILINE
)
_SAID = re.compile(r"^print\(.*\)  # (.+)$", re.MULTILINE)


def blocks(page: Path) -> list[tuple[str, str]]:
    """Return the fenced blocks of a page as pairs of language and code, in their order.

    A block of a console shows a command and is not run.
    """
    return _BLOCK.findall(page.read_text(encoding="utf-8"))


def commands(code: str, *, continued: str = "\\") -> list[list[str]]:
    """Split a block of a shell into commands, each a list of words.

    Args:
        continued: the character that ends a line which goes on; a backtick in PowerShell.
    """
    lines = code.replace(f"{continued}\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def run_page(name: str, code: list[tuple[str, str]]) -> None:
    """Run the blocks of a page in one namespace, and compare what they print with what they say.

    In a block of Python, ``print(...)  # words`` says what is printed. After a command, the lines
    of a block of text are among what it prints, white space aside.
    """
    namespace = {"__name__": "__main__"}
    printed = ""
    for language, block in code:
        if language == "text":
            for line in block.splitlines():
                assert _flat(line) in _flat(printed), f"{name}: {line!r} is not in\n{printed}"
            continue
        if language not in ("python", "bash"):
            continue
        with contextlib.redirect_stdout(io.StringIO()) as out:
            if language == "python":
                exec(compile(block, name, "exec"), namespace)
            else:
                for words in commands(block):
                    _run_command(words)
        printed = out.getvalue()
        if language == "python" and (said := _SAID.findall(block)):
            assert printed.splitlines() == said, f"{name}: {printed!r} is not {said!r}"


def _run_command(words: list[str]) -> None:
    """Run `kakehashi ...` in this process, where all is imported; leave out what installs."""
    if re.fullmatch(r"\w+=.*", words[0]) and len(words) == 1:
        name, _, value = words[0].partition("=")
        os.environ[name] = value
        return
    if words[0] in ("pip", "gunicorn") or words == ["kakehashi", "demo"]:  # have tests of their own
        return
    assert words[0] == "kakehashi", words
    from kakehashi.cli import app

    code = app([os.path.expandvars(word) for word in words[1:]], standalone_mode=False)
    assert not code, (words, code)


def _flat(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    for page_name, page_code in json.load(sys.stdin):
        try:
            run_page(page_name, page_code)
        except Exception as error:
            raise SystemExit(f"{page_name}: {type(error).__name__}: {error}") from error
        print(page_name, flush=True)
