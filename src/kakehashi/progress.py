"""Progress on standard error, only inside ``with show_progress()``: bars, or a line a stage."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from .language import translate_sentence

T = TypeVar("T")

_shown: ContextVar[bool] = ContextVar("kakehashi_progress", default=False)


@contextmanager
def show_progress(shown: bool = True) -> Iterator[None]:
    """Show the progress of all that runs inside, on standard error.

    The setting belongs to the context: other threads and tasks that run meanwhile stay silent.
    A thread that ``asyncio.to_thread`` starts inside shows its progress, too; any other thread has
    to be run in a copy of the context (``contextvars.copy_context().run``).

    Args:
        shown: False silences what runs inside.
    """
    token = _shown.set(shown)
    try:
        yield
    finally:
        _shown.reset(token)


def track(items: Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
    """Yield the items; inside :func:`show_progress`, with a bar on standard error.

    Args:
        total: about how many items there are, where they have no length.

    Where that is no terminal (a log, a pipe), the label is written once, before the first item: a
    bar would be written when all is done.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    if not _shown.get() or total == 0:
        yield from items
        return
    label = translate_sentence(label)
    from rich.console import Console
    from rich.progress import Progress, TextColumn

    console = Console(stderr=True)
    if console.is_terminal or console.is_jupyter:
        # Labels name encoders and files; rich's own column would read brackets in them as markup.
        description = TextColumn("{task.description}", style="progress.description", markup=False)
        with Progress(description, *Progress.get_default_columns()[1:], console=console) as bar:
            yield from bar.track(items, total=total, description=label)
        return
    print(label, file=sys.stderr, flush=True)
    yield from items
