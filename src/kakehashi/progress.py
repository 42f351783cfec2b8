"""Progress, on standard error and only where somebody asked for it: bars, or a line a stage."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def track(items: Sequence[T], label: str, *, enabled: bool) -> Iterator[T]:
    """Yield the items; if ``enabled``, with a bar on standard error.

    Where that is no terminal (a log, a pipe), the label is written once, before the first item: a
    bar would be written when all is done.
    """
    if not enabled or not items:
        yield from items
        return
    from rich.console import Console
    from rich.progress import Progress, TextColumn

    console = Console(stderr=True)
    if console.is_terminal or console.is_jupyter:
        # Labels name encoders and files; rich's own column would read brackets in them as markup.
        named = TextColumn("{task.description}", style="progress.description", markup=False)
        with Progress(named, *Progress.get_default_columns()[1:], console=console) as bar:
            yield from bar.track(items, description=label)
        return
    print(label, file=sys.stderr, flush=True)
    yield from items
