"""Functions, and the embedding models of LangChain and LlamaIndex, as encoders."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ..errors import VectorError
from ..types import Role
from ..vectors import WANTED, Float32Array
from .pickling import problem, refusal, settings_of

_AT_ONCE = 16
"""Queries that a framework's model embeds at the same time, where it takes one in a call."""
_LARGE = 2048
"""Documents in a request of a service that states no limit; OpenAI's is this."""


class FunctionEncoder:
    """Any function from texts to vectors, and perhaps another one for queries."""

    def __init__(
        self,
        name: str,
        encode_documents: Callable[[list[str]], Any],
        encode_queries: Callable[[list[str]], Any] | None = None,
    ) -> None:
        self.name = name
        self._functions = {
            "document": encode_documents,
            "query": encode_queries or encode_documents,
        }

    def encode(self, texts: list[str], role: Role = "document") -> Float32Array:
        """Encode n texts -> (n, d) float32."""
        return self._as_array(self._functions[role](texts))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the functions.

        Raises:
            PicklingError: one of them cannot be pickled; the message has the next step.
        """
        made_from = (self.name, self._functions["document"], self._functions["query"])
        if error := problem(made_from):
            raise refusal(self.name, error) from error
        return FunctionEncoder, made_from

    def __copy__(self) -> FunctionEncoder:
        return self  # a frozen encoder: copying would pickle it

    def __deepcopy__(self, memo: Any) -> FunctionEncoder:
        return self

    def _as_array(self, vectors: Any) -> Float32Array:
        try:
            return np.asarray(vectors, dtype=np.float32)
        # RuntimeError is torch's, over a tensor with a gradient.
        except (ValueError, TypeError, RuntimeError) as error:
            raise VectorError(
                f"vectors of encoder {self.name!r}: rows have different lengths, or hold something "
                f"that is no number: {str(error).rstrip('.')}. {WANTED}"
            ) from error


class Methods(NamedTuple):
    """The names of a framework's methods: texts to vectors, and one query to its vector."""

    documents: str
    query: str
    adocuments: str
    aquery: str


LANGCHAIN = Methods("embed_documents", "embed_query", "aembed_documents", "aembed_query")
LLAMA_INDEX = Methods(
    "get_text_embedding_batch",
    "get_query_embedding",
    "aget_text_embedding_batch",
    "aget_query_embedding",
)


class FrameworkEncoder(FunctionEncoder):
    """An embedding model of LangChain or LlamaIndex, with its own async methods."""

    def __init__(self, name: str, framework_model: Any, methods: Methods) -> None:
        documents, query = (getattr(framework_model, method) for method in methods[:2])
        super().__init__(name, documents, partial(_one_by_one, query))
        self._model, self._methods = framework_model, methods

    @property
    def batch_size(self) -> int:
        """The largest number of documents in a request; LlamaIndex's models state one."""
        stated = getattr(self._model, "embed_batch_size", None)
        return stated if isinstance(stated, int) and stated > 0 else _LARGE

    async def aencode(self, texts: list[str], role: Role = "document") -> Float32Array:
        """Encode n texts -> (n, d) float32 without blocking the event loop."""
        if not self._has_async(role):
            return await asyncio.to_thread(self.encode, texts, role)
        if role == "document":
            return self._as_array(await getattr(self._model, self._methods.adocuments)(texts))
        embed, vectors = getattr(self._model, self._methods.aquery), []
        for start in range(0, len(texts), _AT_ONCE):
            vectors += await asyncio.gather(*map(embed, texts[start : start + _AT_ONCE]))
        return self._as_array(vectors)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the model, or else the settings that it was made with.

        Raises:
            PicklingError: neither can be pickled; the message has the next step.
        """
        error = problem(self._model)
        if error is None:
            return FrameworkEncoder, (self.name, self._model, self._methods)
        settings = settings_of(self._model)
        if settings is None or problem((type(self._model), settings)):
            raise refusal(self.name, error) from error
        return _made_again, (self.name, type(self._model), settings, self._methods)

    def _has_async(self, role: Role) -> bool:
        """Whether the model has an async method that does not merely block.

        LlamaIndex's default for documents calls the blocking method.
        """
        name = self._methods.adocuments if role == "document" else self._methods.aquery
        if self._methods is LLAMA_INDEX and role == "document":
            own = ("_aget_text_embedding", "_aget_text_embeddings")
            return any(_overridden(type(self._model), method) for method in own)
        return hasattr(self._model, name)


def _made_again(
    name: str, model: type, settings: dict[str, Any], methods: Methods
) -> FrameworkEncoder:
    return FrameworkEncoder(name, model(**settings), methods)


def _overridden(model: type, method: str) -> bool:
    """Whether a class defines a method of LlamaIndex's ``BaseEmbedding`` anew."""
    defined_in = next((base for base in model.__mro__ if method in vars(base)), None)
    return defined_in is not None and defined_in.__name__ != "BaseEmbedding"


def _one_by_one(encode: Callable[[str], Any], texts: list[str]) -> list[Any]:
    return [encode(text) for text in texts]
