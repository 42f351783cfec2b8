"""The protocol of an encoder, and the checks of its vectors."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol, runtime_checkable

from ..errors import EncoderError, KakehashiError, add_note
from ..types import Role
from ..vectors import Float32Array, as_array, as_matrix

_RAISED_BY = "raised by encoder"
KEPT = "What was encoded is kept"
"""The beginnings of the notes on an encoder's own error."""


@runtime_checkable
class Encoder(Protocol):
    """A frozen text encoder: a name, and texts to vectors."""

    @property
    def name(self) -> str:
        """The name of the encoder; part of its identity."""

    def encode(self, texts: list[str], role: Role = "document") -> Float32Array:
        """Encode n texts -> (n, d) float32."""


class LoadableEncoder:
    """Base of the encoders that a saved aligner may load again by the name of their model.

    Only kakehashi's own wrappers derive from it. An attribute ``model`` of any other object is
    never recorded, because loading an aligner opens the model that is recorded.

    Attributes:
        model: a path or a hub name for sentence-transformers, or None.
    """

    model: str | None


def is_local(encoder: Encoder) -> bool:
    """Whether an encoder is a model of sentence-transformers, which costs nothing but time."""
    return isinstance(encoder, LoadableEncoder) and encoder.model is not None


def checked_encode(
    encoder: Encoder, texts: list[str], role: Role, *, about_texts: str = ""
) -> Float32Array:
    """Encode n texts and check the result: (n, d) float32 of finite, non-zero rows.

    An error of the encoder itself is passed on, with a note that names the encoder.

    Args:
        about_texts: added to an error after a text with a faulty vector.

    Raises:
        EncoderError: not one vector a text.
        VectorError: a vector of a wrong type or value.
    """
    with _named_in_errors(encoder, texts):
        returned = encoder.encode(texts, role)
    return _checked_vectors(encoder, texts, returned, about_texts)


async def checked_aencode(encoder: Encoder, texts: list[str], role: Role) -> Float32Array:
    """Do the same without blocking the event loop.

    An encoder may have a coroutine ``aencode`` with the parameters of ``encode``: it is awaited.
    Any other encoder runs in a thread.
    """
    with _named_in_errors(encoder, texts):
        returned = await aencode(encoder, texts, role)
    return _checked_vectors(encoder, texts, returned, "")


async def aencode(encoder: Encoder, texts: list[str], role: Role) -> Any:
    """Await an encoder's own ``aencode``, or run its ``encode`` in a thread."""
    own = getattr(encoder, "aencode", None)
    if own is None:
        return await asyncio.to_thread(encoder.encode, texts, role)
    return await own(texts, role)


@contextmanager
def _named_in_errors(encoder: Encoder, texts: list[str]) -> Iterator[None]:
    """Add a note that names the encoder to an error of its own."""
    try:
        yield
    except KakehashiError:
        raise
    except Exception as error:  # any error of a caller's encoder
        first = f", the first {texts[0][:60]!r}" if texts else ""
        add_note(error, f"{_RAISED_BY} {encoder.name!r} over {len(texts)} texts{first}")
        raise


def _checked_vectors(
    encoder: Encoder, texts: list[str], returned: Any, about_texts: str
) -> Float32Array:
    label = f"vectors of encoder {encoder.name!r}"
    vectors = as_array(returned, label)
    if vectors.ndim == 2 and len(vectors) != len(texts):
        raise EncoderError(
            f"Encoder {encoder.name!r} returned {len(vectors)} vectors for {len(texts)} texts."
        )

    def named(row: int) -> str:  # by its text: rows count inside a batch of sorted texts
        return f"that of the text {texts[row][:60]!r}{about_texts}"

    return as_matrix(vectors, what=label, row_name=named)


def raised_by(error: BaseException) -> str:
    """Return the note of :func:`checked_encode` on an encoder's own error, or nothing."""
    return _note(error, _RAISED_BY)


def kept_from(error: BaseException) -> str:
    """Return the note on an error that says where the vectors are that came before it."""
    return _note(error, KEPT)


def _note(error: BaseException, beginning: str) -> str:
    notes = getattr(error, "__notes__", [])
    return next((note for note in notes if note.startswith(beginning)), "")
