"""A time limit for a search: a store that hangs must not hang the answer."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from ..data.arguments import is_number
from ..errors import DataError, SearchTimeoutError

T = TypeVar("T")


def check_timeout(timeout: Any) -> None:
    """Raise DataError for what is no number of seconds."""
    if timeout is not None and (not is_number(timeout) or not timeout > 0):
        raise DataError(f"timeout={timeout!r:.80}; give seconds for each search, more than 0.")


def call_within(seconds: float, function: Callable[[], T], what: str) -> T:
    """Call a function in a thread of its own, and return its result.

    A thread cannot be ended from outside. After the limit it runs on, its result is dropped, and it
    does not keep the process alive.

    Args:
        what: is called, for the message.

    Raises:
        SearchTimeoutError: the function took longer.
        BaseException: what the function raised.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def call() -> None:
        try:
            results.append(function())
        except BaseException as error:
            errors.append(error)

    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(call,), daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise SearchTimeoutError(f"{what} took more than {seconds:g} s.")
    return results[0]
