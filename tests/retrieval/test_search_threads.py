"""Searches of async queries wait for their stores at the same time."""

import asyncio
import contextvars
import threading

import numpy as np
import pytest

from kakehashi.retrieval.fusion import fusion_of
from kakehashi.retrieval.hits import Hit, SearchResult
from kakehashi.retrieval.hybrid_search import HybridSearch
from kakehashi.retrieval.query import Query
from kakehashi.retrieval.search import SearchRequest
from kakehashi.retrieval.search_threads import in_search_thread

N = 32


class Waiting:
    """A store that answers once all searches of a meeting have come."""

    by_vector = True

    def __init__(self, name, barrier):
        self.name, self._barrier = name, barrier

    def find(self, request, n, *, per_modality):
        self._barrier.wait(20)
        return SearchResult([Hit(request.text, request.text, "target", self.name, raw=1.0)], {})


def test_sixteen_queries_of_two_searches_wait_at_once():
    barrier = threading.Barrier(N)
    searches = [Waiting(name, barrier) for name in "ab"]
    hybrid = HybridSearch(fusion_of("rank", None, None), "raise")
    query = Query(np.ones(3, np.float32), "source", "declared")

    async def run():
        asked = (hybrid.arun(searches, SearchRequest(query, str(i), 1)) for i in range(N // 2))
        return await asyncio.gather(*asked)

    found = [result.documents[0].payload for result in asyncio.run(run())]
    assert found == [str(i) for i in range(N // 2)]


def test_a_thread_sees_the_context_of_its_caller_and_passes_errors_on():
    value = contextvars.ContextVar("value", default="none")

    async def run():
        value.set("of the caller")
        return await in_search_thread(value.get)

    assert asyncio.run(run()) == "of the caller"
    with pytest.raises(ZeroDivisionError):
        asyncio.run(in_search_thread(divmod, 1, 0))
