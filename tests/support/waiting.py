"""Embedding models of both frameworks that wait, as a service does, and what they were asked."""

from __future__ import annotations

import asyncio
from typing import Any

from langchain_core.embeddings import Embeddings
from llama_index.core.base.embeddings.base import BaseEmbedding

from .toy_data import hashed_letters


class Meeting:
    """Lets calls go once ``n`` of them wait at the same time; counts calls that would block."""

    def __init__(self, n: int) -> None:
        self.n, self.waiting, self.blocking = n, 0, 0
        self._event = asyncio.Event()

    async def join(self) -> None:
        """Wait for the others; an asyncio timeout tells that they do not come."""
        self.waiting += 1
        if self.waiting >= self.n:
            self._event.set()
        await asyncio.wait_for(self._event.wait(), 20)

    def block(self) -> None:
        """Note a call of a blocking method."""
        self.blocking += 1


class LangChainWaiting(Embeddings):
    """Answers a query once all queries of a meeting wait."""

    model = "waiting"

    def __init__(self, meeting: Meeting) -> None:
        self.meeting = meeting

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        self.meeting.block()
        return hashed_letters(texts).tolist()

    def embed_query(self, text: str) -> list[float]:
        self.meeting.block()
        return hashed_letters([text])[0].tolist()

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        await self.meeting.join()
        return hashed_letters(texts).tolist()

    async def aembed_query(self, text: str) -> list[float]:
        await self.meeting.join()
        return hashed_letters([text])[0].tolist()


class LlamaIndexWaiting(BaseEmbedding):
    """The same as a model of LlamaIndex."""

    meeting: Any

    def _get_text_embedding(self, text: str) -> list[float]:
        self.meeting.block()
        return hashed_letters([text])[0].tolist()

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        await self.meeting.join()
        return hashed_letters([query])[0].tolist()

    async def _aget_text_embedding(self, text: str) -> list[float]:
        return await self._aget_query_embedding(text)


def waiting_models(meeting: Meeting) -> dict[str, Any]:
    """Return a model of each framework."""
    return {
        "langchain": LangChainWaiting(meeting),
        "llama_index": LlamaIndexWaiting(model_name="waiting", meeting=meeting),
    }
