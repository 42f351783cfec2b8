"""The check of an index at its first search: did this aligner make the vectors that it stores?

Cheap evidence comes first. A record of the index names its aligner. Stored vectors may show that
they are the aligner's, without any encoder (:meth:`kakehashi.Aligner.recognises`). Only where
neither does are a few documents embedded and compared with what is stored.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import (
    AlignerMismatchError,
    EncoderError,
    EncoderMismatchError,
    UncheckedIndexWarning,
)
from ..vectors import Float32Array, spread, unit_rows
from .document_modality import DocumentModality
from .index_record import RecordedSpace
from .query import EmbeddingSpace
from .stored_index import SAMPLE, Searched, StoredDocument, StoredIndex

_EMBEDDED = 5
"""Documents of a modality that are embedded at most."""
_ENOUGH = 3
"""Documents of one modality that can speak for it: one that was edited must not."""
ALIKE = 0.995
"""Cosine of a stored vector and the aligner's that count as equal. Half precision, eight bits a
coordinate and the noise of hosted encoders leave .999 and more. A prompt before the text leaves
.97, and another encoder of the same dimension about 0."""


class _Agreement(NamedTuple):
    """How many documents have this aligner's vectors, and of how many."""

    agreeing: int
    judged: int


class CheckedSpace(EmbeddingSpace, RecordedSpace, Protocol):
    """An aligner or a multi aligner, as far as a check needs it."""

    def recognises(self, vectors: Float32Array, modality: str) -> bool:
        """Whether stored document vectors are surely its own, by themselves."""
        ...


def have_these(
    made: Float32Array, own: Float32Array, stored: Float32Array, *, kept: bool
) -> NDArray[np.bool_]:
    """Return (n,) whether n documents are stored with the vectors that an encoder makes for them.

    Args:
        made: (n, d) unit vectors of their texts.
        own: (n, d) unit vectors that are stored for them.
        stored: (m, d) unit vectors of a sample of the index.
        kept: they are the target encoder's own. The store may then have embedded a title beside
            the text, say: it is enough that no other document is nearer.
    """
    cosines = np.einsum("ij,ij->i", made, own)
    agrees: NDArray[np.bool_] = cosines >= ALIKE
    if kept and len(stored) > _EMBEDDED:
        agrees |= cosines >= (made @ stored.T).max(axis=1) - 1e-6
    return agrees


def check_index(space: CheckedSpace, index: StoredIndex, modality: DocumentModality) -> bool:
    """Refuse an index whose vectors this aligner did not make.

    Args:
        modality: tells the modality of a document.

    Returns:
        whether the index holds documents; an empty one is to be checked again.

    Raises:
        AlignerMismatchError: its record names another aligner; its vectors have another dimension;
            or most of the documents that were compared have other vectors.
        UncheckedIndexWarning (a warning): nothing at hand tells, or the store cannot be read.
    """
    record = index.record()
    if record is not None and record.fingerprint == space.fingerprint:
        return True
    try:
        documents = index.sample(SAMPLE)
    except Exception as error:  # a store may have no search by vector, or ask for more options
        if record is not None:
            record.require(space, index.name, only_target=False)
        _warn_unchecked(index, f"its documents cannot be read ({error!r:.200})")
        return True
    if not documents:  # a record of what was stored before binds nobody
        return False
    by_modality = _by_modality(documents, modality)
    if record is not None:
        record.require(space, index.name, only_target={*by_modality} <= {space.modalities[-1]})
    verdicts = [_agreeing(space, index, of, name) for name, of in by_modality.items()]
    judged = [verdict for verdict in verdicts if verdict is not None]
    total = _Agreement(sum(v.agreeing for v in judged), sum(v.judged for v in judged))
    for verdict in (total, *(v for v in judged if v.judged >= _ENOUGH)):
        if verdict.agreeing < verdict.judged / 2:
            raise AlignerMismatchError(
                f"{index.name} does not hold this aligner's vectors: "
                f"{verdict.judged - verdict.agreeing} of {verdict.judged} documents that were "
                "compared have others "
                f"(aligner {space.fingerprint[:12]!r}, {space.mode} mode). {_advice(space)}"
            )
    if len(judged) < len(verdicts):
        why = (
            "its vectors do not show that they are this aligner's, and no encoder of its documents "
            f"is at hand. {_advice(space)}"
        )
        _warn_unchecked(index, why)
    return True


def _warn_unchecked(index: StoredIndex, why: str) -> None:
    warnings.warn(f"{index.name} could not be checked: {why}", UncheckedIndexWarning, stacklevel=3)


def _advice(space: CheckedSpace) -> str:
    moving = ""
    if space.mode == "shared":
        moving = (
            "An index of the encoder's own vectors has to be moved first, by kakehashi migrate or "
            "aligner.project(vectors, texts=..., modality='target', role='document'). "
        )
    return (
        f"{moving}Search it through the aligner that filled it; or empty it and fill it through "
        "this one, each document as its own modality. Where that was done, and the store holds "
        "other texts than were embedded, say so once: embeddings.record(index)."
    )


def _by_modality(
    documents: Sequence[StoredDocument], modality: DocumentModality
) -> dict[str, list[StoredDocument]]:
    """Return the documents of each modality; those of an unknown one are left out."""
    by_modality: dict[str, list[StoredDocument]] = {}
    for document in documents:
        if not document.text.strip():
            continue
        name = modality.of(document.metadata, partial(str, document.text))
        if name is not None:
            by_modality.setdefault(name, []).append(document)
    return by_modality


def _agreeing(
    space: CheckedSpace, index: StoredIndex, documents: Sequence[StoredDocument], modality: str
) -> _Agreement | None:
    """Compare documents of one modality; None where no evidence is at hand."""
    vectors = [document.vector for document in documents if document.vector is not None]
    _check_dimension(space, index, vectors)
    if len(vectors) == len(documents) and space.recognises(np.stack(vectors), modality):
        return _Agreement(len(vectors), len(vectors))
    probes = [documents[i] for i in spread(len(documents), _EMBEDDED)]
    try:
        made = unit_rows(space.embed_documents([d.text for d in probes], modality=modality))
    except EncoderMismatchError:
        raise
    except EncoderError:
        return None
    if any(probe.vector is None for probe in probes):
        few = len(documents) < 2 * _EMBEDDED
        return _found_again(index, probes, made, few) if isinstance(index, Searched) else None
    kept = space.mode == "keep" and modality == space.modalities[-1]
    stored = unit_rows(np.stack(vectors))
    own = unit_rows(np.stack([probe.vector for probe in probes if probe.vector is not None]))
    agrees = have_these(made, own, stored, kept=kept)
    return _Agreement(int(agrees.sum()), len(agrees))


def _found_again(
    index: Searched, probes: Sequence[StoredDocument], made: Float32Array, few: bool
) -> _Agreement:
    """Search for documents by their own vectors: one that is found first speaks for all.

    Among few documents one may be found by luck, so there most have to be found.
    """
    tried = list(zip(probes, made, strict=True))[:_ENOUGH]
    found = [index.nearest(vector) == probe.text for probe, vector in tried]
    if not few:
        found = [any(found)]
    return _Agreement(sum(found), len(found))


def _check_dimension(
    space: CheckedSpace, index: StoredIndex, vectors: Sequence[Float32Array]
) -> None:
    for vector in vectors:
        if len(vector) != space.output_dimension:
            raise AlignerMismatchError(
                f"{index.name} holds vectors of {len(vector)} dimensions, and this aligner gives "
                f"{space.output_dimension}. {_advice(space)}"
            )
