"""A model of every kind that ``as_encoder`` takes, all of the same vectors."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from langchain_core.embeddings import Embeddings
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.schema import TextNode

from .embedding_server import EmbeddingServer
from .toy_data import hashed_letters

TEXTS = ["Close the valve.", "栓"]


def embeds(embedding: Any) -> Any:
    """Embed the texts in another process, which finds this module by its name."""
    return [node.embedding for node in embedding([TextNode(text=text) for text in TEXTS])]


class OnlyEncode:
    """What many embedding libraries look like."""

    def __init__(self, threads: int = 4) -> None:
        self.threads = threads

    def encode(self, texts: list[str]) -> Any:
        return hashed_letters(texts).tolist()


class Session(OnlyEncode):
    """Holds what cannot be pickled, as a session of a runtime does."""

    def __init__(self, threads: int = 4) -> None:
        super().__init__(threads)
        self.lock = threading.Lock()


class Own:
    """An Encoder of its own right."""

    name = "own"

    def encode(self, texts: list[str], role: str = "document") -> np.ndarray:
        return hashed_letters(texts)


class LangChainLetters(Embeddings):
    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return hashed_letters(texts).tolist()

    def embed_query(self, text: str) -> list[float]:
        return hashed_letters([text])[0].tolist()


class LlamaIndexLetters(BaseEmbedding):
    def _get_text_embedding(self, text: str) -> list[float]:
        return hashed_letters([text])[0].tolist()

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)


def models(server: EmbeddingServer) -> dict[str, Any]:
    """Return a model of each kind, by name; clients ask the server."""
    from langchain_openai import OpenAIEmbeddings
    from llama_index.embeddings.openai import OpenAIEmbedding

    return {
        "function": hashed_letters,
        "method": OnlyEncode().encode,
        "object": OnlyEncode(),
        "name of a function": "support.toy_data:hashed_letters",
        "name of a class": "support.encoder_kinds:Session",
        "name with arguments": "support.encoder_kinds:Session(threads=2)",
        "own": Own(),
        "langchain": LangChainLetters(),
        "llama_index": LlamaIndexLetters(model_name="letters"),
        "langchain client": OpenAIEmbeddings(
            model="letters", base_url=server.url, api_key="none", check_embedding_ctx_length=False
        ),
        "llama_index client": OpenAIEmbedding(
            model_name="letters", api_base=server.url, api_key="none"
        ),
    }
