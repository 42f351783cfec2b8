"""The questions with which the language bias of an index is measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..aligner import Aligner
from ..encoders.protocol import Encoder, checked_encode
from ..errors import EncoderError
from ..vectors import Float32Array, drawn
from .modalities import Modalities
from .reading import Sample

QUESTIONS = 100
"""Questions of each modality at most."""


@dataclass(frozen=True, eq=False)
class Asked:
    """Questions.

    Attributes:
        modality: (m,) of each.
        vectors: (m, d) as they search the index today; None where no encoder is at hand.
        are_documents: they were drawn from the index. A question does not find its own document.
    """

    texts: Sequence[str]
    modality: NDArray[np.str_]
    vectors: Float32Array | None
    are_documents: bool

    @property
    def keys(self) -> list[str | None]:
        """The text of the document that each was drawn from; None for a question."""
        return [text if self.are_documents else None for text in self.texts]


def documents_as_questions(sample: Sample, modality: NDArray[np.str_]) -> Asked:
    """Let documents be the questions, evenly drawn from each modality: their vectors are there.

    A document is no question. It is longer, and its neighbours are often of its own source.
    """
    rows = _drawn(modality)
    texts = [sample.texts[row] for row in rows]
    return Asked(texts, modality[rows], sample.unit[rows], True)


def questions_of(texts: Sequence[str], told: Modalities, encoder: Encoder | None) -> Asked:
    """Take questions of a file.

    Args:
        encoder: that made the vectors of the index; None where none is at hand.
    """
    modality = np.array(told.of)
    rows = _drawn(modality)
    chosen = [texts[row] for row in rows]
    vectors = None if encoder is None else checked_encode(encoder, chosen, "query")
    return Asked(chosen, modality[rows], vectors, False)


def target_encoder_of(aligner: Aligner | None) -> Encoder | None:
    """Return the target encoder of an aligner; None where it is not at hand."""
    try:
        return None if aligner is None else aligner.encoder("target")
    except EncoderError:
        return None


def _drawn(modality: NDArray[np.str_]) -> NDArray[np.intp]:
    """Return some rows of each modality that is known."""
    found = [np.zeros(0, np.intp)]
    for name in np.unique(modality[modality != ""]):
        of_it = np.flatnonzero(modality == name)
        found.append(of_it[drawn(len(of_it), QUESTIONS, 1)])
    return np.concatenate(found)
