"""A value that one object has during one call, for facts that a framework does not pass on.

LangChain's stores embed documents themselves. They pass texts, and nothing else, to the embeddings
object that they were made with. The modality of the documents has to come by another way. No
method of every store takes vectors. A copy of a store with another embeddings object is no way
either: some stores create their table at the first write, and the original would not know of it.
LlamaIndex's cache reads a text before the embedding model learns whether it is a query.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Generic, TypeVar

T = TypeVar("T")


class CallValue(Generic[T]):
    """A value that holds for one object during one call, in the thread or task of the call.

    Other objects do not see it: an encoder may itself be built on an object of the same class.
    """

    def __init__(self, name: str) -> None:
        self._current: ContextVar[tuple[int, T] | None] = ContextVar(name, default=None)

    @contextmanager
    def set(self, owner: object, value: T) -> Iterator[None]:
        """Set the value of an object inside a ``with`` block."""
        token = self._current.set((id(owner), value))
        try:
            yield
        finally:
            self._current.reset(token)

    def get(self, owner: object) -> T | None:
        """Return the value of an object; None outside of the block."""
        current = self._current.get()
        return current[1] if current is not None and current[0] == id(owner) else None
