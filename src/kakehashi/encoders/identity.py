"""The identity of an encoder: how an aligner recognises the encoder that it was trained with."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from ..errors import EncoderError, EncoderMismatchError
from ..vectors import Float32Array, unit_rows
from .noise import alike, differ
from .protocol import Encoder, LoadableEncoder, checked_encode, is_local

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

PROBE_ROWS = len(PROBES) + 1
"""Vectors of an answer to the probe texts."""

_ABOUT = " (a probe text of kakehashi's; every text needs a vector)"

ASKED_AT_FIT, ASKED_AT_MOST = 3, 6
"""How often an encoder is asked for its probe vectors: at a fit, and where its answers differ."""

_ANSWERS: WeakKeyDictionary[Any, list[Float32Array]] = WeakKeyDictionary()
"""The answers of the encoders of this process: a service is paid by the text."""


@dataclass(frozen=True, eq=False)
class EncoderIdentity:
    """How an aligner recognises its encoder: name, dimension, and vectors of the probe texts.

    A service may answer the same text with another vector at every call. Its answers are all kept,
    and their spread says how far two means of answers lie apart by chance.

    Attributes:
        model: a path or a hub name for sentence-transformers; None for an encoder that has to be
            passed.
        probes: (6 n, d) float32 unit vectors of n answers, one below the other. An answer has the
            vectors of ``PROBES`` as documents, and of the first as a query. n is 1 unless they
            differ.
    """

    name: str
    dimension: int
    model: str | None
    probes: Float32Array = field(repr=False)

    @classmethod
    def of(cls, encoder: Encoder, *, times: int = ASKED_AT_FIT) -> EncoderIdentity:
        """Ask for the vectors of the probe texts, and return the identity.

        A model of sentence-transformers is asked once. Any other encoder is asked ``times`` times,
        and up to six times where its answers differ. An answer is remembered while the process
        keeps the encoder. Each is a call with five texts and one with a query, together about a
        thousand tokens.
        """
        model = encoder.model if isinstance(encoder, LoadableEncoder) else None
        answers = [_answer(encoder)] if is_local(encoder) else _answers(encoder, times)
        if not differ(answers):
            answers = answers[:1]
        return cls(encoder.name, answers[0].shape[1], model, np.concatenate(answers))

    @property
    def answers(self) -> Float32Array:
        """The probe vectors by answer, (n, 6, d)."""
        return self.probes.reshape(-1, PROBE_ROWS, self.dimension)

    @property
    def noise(self) -> float:
        """The largest distance of an answer to a probe text from the mean of the answers."""
        answers = self.answers
        return float(np.linalg.norm(answers - answers.mean(axis=0), axis=2).max())

    @property
    def recorded_name(self) -> str:
        """The name for messages, with the form to pass where the name is not accepted."""
        name = self.passed_name
        return repr(self.name) if name is None else f"{self.name!r} (as a name to pass: '{name}')"

    @property
    def passed_name(self) -> str | None:
        """The form in which the name is passed; None where the encoder needs none, or has none."""
        dotted = re.fullmatch(r"([A-Za-z_]\w*(?:\.\w+)*)\.([A-Za-z_]\w*)", self.name)
        if self.model is not None or dotted is None:
            return None
        return f"{dotted[1]}:{dotted[2]}"

    @property
    def tells_roles(self) -> bool:
        """Whether it encodes queries and documents differently, as far as one probe shows."""
        return not alike(self.answers[:, :1], self.answers[:, -1:])

    def matches(self, other: EncoderIdentity) -> bool:
        """Whether both encode the probes alike; names may differ."""
        return self.dimension == other.dimension and alike(self.answers, other.answers)

    def cosine(self, other: EncoderIdentity) -> float:
        """Return the mean cosine between the probe vectors of two encoders of one dimension."""
        return float((self.answers.mean(axis=0) * other.answers.mean(axis=0)).sum(axis=1).mean())

    def require(self, other: EncoderIdentity, side: str) -> None:
        """Raise EncoderMismatchError unless ``other`` is this encoder."""
        if not self.matches(other):
            reason = "" if self.name != other.name else ", under the same name but another model"
            raise EncoderMismatchError(
                f"The {side} encoder is {other.name!r} ({other.dimension} dimensions){reason}; "
                f"this aligner was trained with {self.recorded_name} ({self.dimension} "
                f"dimensions). {_noise_said(other)}Pass that encoder, or fit a new aligner."
            )


def _answer(encoder: Encoder) -> Float32Array:
    """Encode the probe texts: (6, d) float32 unit vectors."""
    documents = checked_encode(encoder, list(PROBES), "document", about_texts=_ABOUT)
    queries = checked_encode(encoder, list(PROBES[:1]), "query", about_texts=_ABOUT)
    if queries.shape[1] != documents.shape[1]:
        raise EncoderError(
            f"Encoder {encoder.name!r} gives queries {queries.shape[1]} dimensions and "
            f"documents {documents.shape[1]}; both need the same."
        )
    return unit_rows(np.concatenate([documents, queries]))


def _answers(encoder: Encoder, times: int) -> list[Float32Array]:
    """Return the answers of this process, after asking for those that are missing."""
    try:
        answers = _ANSWERS.setdefault(encoder, [])
    except TypeError:  # an encoder of the caller's may not be hashable
        answers = []
    while len(answers) < times or (differ(answers) and len(answers) < ASKED_AT_MOST):
        answers.append(_answer(encoder))
    return list(answers)


def _noise_said(identity: EncoderIdentity) -> str:
    if len(identity.answers) == 1:
        return ""
    return f"(Its own answers to one text lie {identity.noise:.3f} apart.) "
