"""Threads of their own for the searches of async queries.

A store that is asked over a network waits most of the time. asyncio's own pool has as many threads
as cores, and four: that many searches would wait, and all others for them.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

T = TypeVar("T")

_THREADS = 32


async def in_search_thread(function: Callable[..., T], *args: object) -> T:
    """Call a function in one of these threads, in the context of the caller."""
    context = contextvars.copy_context()
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_pool(), lambda: context.run(function, *args))


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_THREADS, thread_name_prefix="kakehashi-search")


if hasattr(os, "register_at_fork"):  # a child has none of the threads
    os.register_at_fork(after_in_child=_pool.cache_clear)
