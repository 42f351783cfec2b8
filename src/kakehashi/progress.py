"""Progress bars, on standard error and only where somebody asked for one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def track(items: Sequence[T], label: str, *, enabled: bool) -> Iterator[T]:
    """Yield the items, with a bar on standard error if ``enabled``."""
    if not enabled or not items:
        yield from items
        return
    from rich.console import Console
    from rich.progress import track as rich_track

    yield from rich_track(items, description=label, console=Console(stderr=True))
