"""The encoder of a second model: what it refuses, what it may spend, and whether it is down."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from ...encoders import Encoder
from ...encoders.identity import EncoderIdentity
from ...encoders.protocol import checked_encode
from ...types import Role
from ...vectors import Float32Array

_AGAIN = 600.0
"""Seconds after which a document that was refused is asked for again: a quota may have ended it."""
_SHORT = "kakehashi"
"""A text that any encoder reads, unless it is down."""


class ModelFailedError(Exception):
    """The encoder raised the error that is the cause of this one."""


@contextmanager
def _failing() -> Iterator[None]:
    """Tell an error of the encoder from any other."""
    try:
        yield
    except Exception as error:  # a service may raise anything
        raise ModelFailedError from error


@contextmanager
def as_raised() -> Iterator[None]:
    """Raise the encoder's own error."""
    try:
        yield
    except ModelFailedError as error:
        raise error.__cause__ or error from None


class SecondEncoder:
    """An encoder that is not asked twice for a document that it refuses.

    Args:
        max_texts: how many documents it embeds at most; None for any number.

    Attributes:
        n_embedded: documents that it embedded.
    """

    def __init__(self, encoder: Encoder, max_texts: int | None) -> None:
        self._encoder, self._max_texts = encoder, max_texts
        self._lock, self._refused_until = threading.Lock(), dict[str, float]()
        self.n_embedded = 0

    def identity(self) -> EncoderIdentity:
        """Ask who the encoder is; raise ModelFailedError where it fails."""
        with _failing():
            return EncoderIdentity.of(self._encoder)

    def query(self, text: str) -> Float32Array:
        """Embed one question, (d,); raise ModelFailedError where that fails."""
        vector: Float32Array = self._encoded([text], "query")[0]
        return vector

    def documents(self, texts: list[str]) -> dict[str, Float32Array]:
        """Embed n different documents, by text.

        Those that it refuses are left out, and those beyond its budget. One that is refused must
        not keep the others from being embedded, now or later.

        Raises:
            ModelFailedError: it is down.
        """
        now = time.monotonic()
        taken = self._taken([text for text in texts if self._refused_until.get(text, 0) <= now])
        made: dict[str, Float32Array] = {}
        try:
            if taken:
                made |= zip(taken, self._encoded(taken, "document"), strict=True)
        except ModelFailedError:
            if not self._is_up():
                raise
            self._one_by_one(taken, made)
        finally:  # only what has a vector counts
            with self._lock:
                self.n_embedded -= len(taken) - len(made)
        return made

    def _taken(self, texts: list[str]) -> list[str]:
        with self._lock:
            left = len(texts) if self._max_texts is None else self._max_texts - self.n_embedded
            taken = texts[: max(0, left)]
            self.n_embedded += len(taken)
        return taken

    def _one_by_one(self, texts: list[str], made: dict[str, Float32Array]) -> None:
        """Embed each document by itself, after the encoder refused them together.

        Raises:
            ModelFailedError: it went down.
        """
        for text in texts:
            try:
                made[text] = self._encoded([text], "document")[0]
            except ModelFailedError:
                if not self._is_up():
                    raise
                self._refused_until[text] = time.monotonic() + _AGAIN

    def _is_up(self) -> bool:
        try:
            self._encoded([_SHORT], "document")
        except ModelFailedError:
            return False
        return True

    def _encoded(self, texts: list[str], role: Role) -> Float32Array:
        with _failing():
            return np.asarray(checked_encode(self._encoder, texts, role))
