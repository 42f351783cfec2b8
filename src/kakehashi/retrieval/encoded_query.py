"""A query as encoders encoded it: what several aligners ask of one encoder, it answers once."""

from __future__ import annotations

from typing import Any

from ..encoders.identity import EncoderIdentity
from ..vectors import Float32Array


class EncodedQuery:
    """The vectors of one query, each by the encoder that made it.

    Encoders are one where they are one object, or where their identities match.
    """

    def __init__(self) -> None:
        self._known: list[tuple[Any, Float32Array]] = []

    def get(self, encoder: Any) -> Float32Array | None:
        """Return the (1, d) vector of an encoder; None where it has not encoded the query.

        Args:
            encoder: its identity; itself where there is none; None where there is neither.
        """
        return next((vector for known, vector in self._known if _same(known, encoder)), None)

    def put(self, encoder: Any, vector: Float32Array) -> Float32Array:
        """Remember the (1, d) vector of an encoder, and return it."""
        self._known.append((encoder, vector))
        return vector


def _same(one: Any, other: Any) -> bool:
    if one is None or other is None:
        return False
    if isinstance(one, EncoderIdentity) and isinstance(other, EncoderIdentity):
        return one is other or one.matches(other)
    return one is other
