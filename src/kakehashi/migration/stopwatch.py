"""How much of a run was spent inside the store."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")


class Stopwatch:
    """Measures the whole time since it was made, and the part of what runs through it.

    Attributes:
        inside: seconds of what ran through it.
    """

    def __init__(self) -> None:
        self._started, self.inside = time.perf_counter(), 0.0

    @property
    def seconds(self) -> float:
        """Seconds since it was made."""
        return time.perf_counter() - self._started

    def run(self, call: Callable[..., T], *arguments: Any) -> T:
        """Return what a call returns."""
        started = time.perf_counter()
        try:
            return call(*arguments)
        finally:
            self.inside += time.perf_counter() - started

    def each(self, items: Iterator[T]) -> Iterator[T]:
        """Yield the items; what makes them counts, and what uses them does not."""
        while (item := self.run(next, items, None)) is not None:
            yield item
