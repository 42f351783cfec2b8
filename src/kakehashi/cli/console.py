"""Output of the command line: JSON for programs, plain lines for people."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich._wrap import divide_line
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from ..language import translate, translate_sentence
from ..printable import printable, printable_json, printable_lines

_COLUMNS = 80


def plain_console(*, stderr: bool = False) -> Console:
    """Return a console that prints every string as it stands.

    Paths, texts and messages of others hold brackets and colons, which rich would take for markup
    and emoji. Styled parts are therefore ``Text`` objects.
    """
    return _PlainConsole(stderr=stderr, markup=False, emoji=False)


class _PlainConsole(Console):
    """A console that escapes what cannot be seen in the strings that it prints.

    What a ``Text`` or a table shows passes :func:`.printable.printable` where that is made.
    """

    def print(self, *objects: Any, **options: Any) -> None:
        """Print as rich does."""
        shown = (printable_lines(part) if isinstance(part, str) else part for part in objects)
        super().print(*shown, **options)


def print_json(document: dict[str, Any]) -> None:
    """Print one JSON object on one line; what JSON has no word for, as a date, is its text."""
    written = json.dumps(document, ensure_ascii=False, default=str)
    sys.stdout.write(printable_json(written) + "\n")


def print_facts(facts: Mapping[str, str], *, fold: bool = False) -> None:
    """Print one fact a line, unbroken, so that a long one (a hash) can be copied.

    Args:
        fold: break a sentence at 80 columns, between words; a hash or an address stays whole.
    """
    names = {name: translate_sentence(name) for name in facts}
    width = max(map(cell_len, names.values()))
    for name, fact in facts.items():
        padding = " " * (width - cell_len(names[name]))
        said = translate_sentence(printable(fact))
        lines = _folded(said, _COLUMNS - width - 2) if fold else [said]
        sys.stdout.write(f"{names[name]}{padding}  " + f"\n{' ' * (width + 2)}".join(lines) + "\n")


def _folded(text: str, width: int) -> list[str]:
    """Return the lines of a text; those of Japanese end where those of a help do."""
    ends = divide_line(text, width, fold=False)
    parts = zip([0, *ends], [*ends, len(text)], strict=True)
    return [text[start:end].strip() for start, end in parts]


def short(text: str) -> str:
    """Cut a text to one line of 70 terminal cells."""
    line = Text(printable(" ".join(text.split())))
    line.truncate(70, overflow="ellipsis")
    return line.plain


@contextmanager
def warnings_as_lines() -> Iterator[None]:
    """Print warnings of the search as one line each, without a place in the code."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default", UserWarning)
        yield
    ours = [w.message for w in caught if w.category.__module__.startswith("kakehashi")]
    for message in dict.fromkeys(map(str, ours)):
        said = translate("warning: {WARNING}", WARNING=message)
        plain_console(stderr=True).print(said, soft_wrap=True)
