"""Which encoder made the vectors of an index: a few documents are embedded again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..encoders.protocol import Encoder, checked_encode
from ..errors import KakehashiError
from ..retrieval.index_check import ALIKE
from ..vectors import Float32Array, spread, unit_rows
from .reading import Sample
from .wordings import AS_IT_IS, WORDINGS, Wording

PROBES = 16
"""Documents of a part that are embedded again."""
_TRIED, _OWN = 6, 0.8
"""Documents on which other wordings are tried; and the share of documents that must be nearest to
their own vector before they are: of another encoder it is chance."""


class Made(NamedTuple):
    """What embedding some documents again gave.

    Attributes:
        encoder: its name.
        agreeing, judged: documents whose stored vector is the encoder's, and how many were tried.
        cosine: the median cosine of a stored vector and the encoder's.
        wording: how the text has to be put.
        related: most stored vectors are nearest to that of their own text, though not equal.
    """

    encoder: str
    agreeing: int
    judged: int
    cosine: float
    wording: Wording
    related: bool

    @property
    def is_it(self) -> bool:
        """Whether most vectors are the encoder's."""
        return self.agreeing > self.judged / 2


class Failed(NamedTuple):
    """An encoder that could not be asked, or gives another dimension.

    Attributes:
        why: in one sentence.
        is_other: it was asked, and cannot have made vectors of this dimension.
    """

    encoder: str
    why: str
    is_other: bool = False


def probes_of(sample: Sample, rows: NDArray[np.intp], n: int = PROBES) -> NDArray[np.intp]:
    """Return some of these rows, evenly spread, that have a text."""
    with_text = np.array([row for row in rows if sample.texts[row].strip()], np.intp)
    chosen: NDArray[np.intp] = with_text[spread(len(with_text), n)]
    return chosen


def made_by(encoder: Encoder, probes: Sample) -> Made | Failed:
    """Embed documents again, and compare with what is stored.

    Other wordings are tried where the vectors are related and not equal.
    """
    try:
        found = _compared(encoder, probes, AS_IT_IS)
        if isinstance(found, Failed) or found.is_it or not found.related:
            return found
        few = probes.take(slice(None, None, max(1, len(probes) // _TRIED)))
        tried = [_compared(encoder, few, wording) for wording in WORDINGS]
        best = max((t for t in tried if isinstance(t, Made)), key=lambda made: made.cosine)
        if best.cosine > found.cosine:
            again = _compared(encoder, probes, best.wording)
            return again if isinstance(again, Made) and again.cosine > found.cosine else found
        return found
    except Exception as error:  # an encoder of the caller's raises anything; another one may answer
        said = " ".join(str(error).split())
        kind = "" if isinstance(error, KakehashiError) else f"{type(error).__name__}: "
        return Failed(encoder.name, f"{kind}{said:.160}")


def _compared(encoder: Encoder, probes: Sample, wording: Wording) -> Made | Failed:
    texts = [wording.of(t, m) for t, m in zip(probes.texts, probes.metadata, strict=True)]
    vectors = unit_rows(checked_encode(encoder, texts, wording.role))
    stored = probes.unit
    if vectors.shape[1] != stored.shape[1]:
        return Failed(encoder.name, f"it gives {vectors.shape[1]:,} dimensions", True)
    own = np.einsum("ij,ij->i", vectors, stored)
    return Made(
        encoder.name,
        int((own >= ALIKE).sum()),
        len(probes),
        float(np.median(own)),
        wording,
        _nearest_to_own(vectors, stored, probes.texts),
    )


def _nearest_to_own(vectors: Float32Array, stored: Float32Array, texts: Sequence[str]) -> bool:
    """Whether most vectors are nearer to the stored one of their text than to any other's."""
    cosines = vectors @ stored.T
    nearest = cosines.argmax(axis=1)
    hits = [texts[row] == texts[int(found)] for row, found in enumerate(nearest)]
    return len(texts) > 2 and float(np.mean(hits)) >= _OWN
