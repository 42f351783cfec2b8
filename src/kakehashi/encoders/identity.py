"""The identity of an encoder: how an aligner recognises the encoder that it was trained with."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np

from ..errors import EncoderError, EncoderMismatchError
from ..vectors import Float32Array, unit_rows
from .protocol import Encoder, LoadableEncoder, checked_encode

PROBES = (
    "The quick brown fox jumps over the lazy dog.",
    "圧力センサーの定格電圧は5Vです。",
    "def add(a, b): return a + b",
    "Part no. 74HC595, -40 to 125 °C",
    " ".join(f"Step {i}: turn valve {i} until gauge {i} reads zero." for i in range(60)),
)
"""Texts whose vectors distinguish encoders of any name. The last is longer than most encoders read,
so it also shows where they cut a text. The first is also encoded as a query, because some encoders
put other words before a query."""

_ABOUT = " (a probe text of kakehashi's; every text needs a vector)"

_PROBE_TOLERANCE = 5e-3
"""Largest distance between two unit probe vectors that count as equal. Another batch size, thread
count or library release moves a vector by 1e-6 to 1e-4; another model moves it by 0.1 and more."""


@dataclass(frozen=True, eq=False)
class EncoderIdentity:
    """How an aligner recognises its encoder: name, dimension, and vectors of the probe texts.

    Attributes:
        model: a path or a hub name for sentence-transformers; None for an encoder that has to be
            passed.
        probes: (6, d) float32 unit vectors of ``PROBES`` as documents, and of the first as a query.
    """

    name: str
    dimension: int
    model: str | None
    probes: Float32Array = field(repr=False)

    @classmethod
    def of(cls, encoder: Encoder) -> EncoderIdentity:
        """Encode the probe texts and return the identity."""
        documents = checked_encode(encoder, list(PROBES), "document", about_texts=_ABOUT)
        queries = checked_encode(encoder, list(PROBES[:1]), "query", about_texts=_ABOUT)
        if queries.shape[1] != documents.shape[1]:
            raise EncoderError(
                f"Encoder {encoder.name!r} gives queries {queries.shape[1]} dimensions and "
                f"documents {documents.shape[1]}; both need the same."
            )
        vectors = np.concatenate([documents, queries])
        model = encoder.model if isinstance(encoder, LoadableEncoder) else None
        return cls(encoder.name, vectors.shape[1], model, unit_rows(vectors))

    @property
    def recorded_name(self) -> str:
        """The name for messages, with the form to pass where the name is not accepted."""
        dotted = re.fullmatch(r"([A-Za-z_]\w*(?:\.\w+)*)\.([A-Za-z_]\w*)", self.name)
        if self.model is not None or dotted is None:
            return repr(self.name)
        return f"{self.name!r} (as a name to pass: '{dotted[1]}:{dotted[2]}')"

    @property
    def tells_roles(self) -> bool:
        """Whether it encodes queries and documents differently, as far as one probe shows."""
        return bool(np.linalg.norm(self.probes[0] - self.probes[-1]) > _PROBE_TOLERANCE)

    def matches(self, other: EncoderIdentity) -> bool:
        """Whether both encode the probes alike; names may differ."""
        if self.probes.shape != other.probes.shape:
            return False
        distances = np.linalg.norm(self.probes - other.probes, axis=1)
        return bool(distances.max() <= _PROBE_TOLERANCE)

    def require(self, other: EncoderIdentity, side: str) -> None:
        """Raise EncoderMismatchError unless ``other`` is this encoder."""
        if not self.matches(other):
            reason = "" if self.name != other.name else ", under the same name but another model"
            raise EncoderMismatchError(
                f"The {side} encoder is {other.name!r} ({other.dimension} dimensions){reason}; "
                f"this aligner was trained with {self.recorded_name} ({self.dimension} "
                "dimensions). Pass that encoder, or fit a new aligner."
            )
