"""Evidence that stored vectors are the target encoder's own, before they are projected.

Vectors of another model, or projected ones, would be projected into nonsense without an error.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

from ..aligner import Aligner
from ..errors import AlignerMismatchError, UncheckedIndexWarning
from ..integrations.stores.arrow import texts_kept
from ..integrations.stores.in_memory import InMemoryIndex
from ..projection import Projection
from ..retrieval.document_modality import DocumentModality
from ..retrieval.index_check import check_index
from ..retrieval.index_record import KEY, IndexRecord
from ..retrieval.stored_index import StoredDocument
from ..types import SIDES
from ..vectors import Float32Array, as_matrix
from .columns import stored_vectors
from .job import MODALITY


def require_own_vectors(aligner: Aligner, table: Any, name: str) -> None:
    """Refuse vectors that are not the target encoder's own.

    Args:
        table: a few rows of the input, with the columns ``vector`` and perhaps ``text``.
        name: of the input, for messages.

    Raises:
        AlignerMismatchError: a record says that they were projected, or most of
            the texts that the target encoder embeds have other vectors.
        DataError: a vector of another dimension, or one that is none.
        UncheckedIndexWarning (a warning): nothing at hand tells.
    """
    record = IndexRecord.from_json(texts_kept(table.schema, "vector").get(KEY))
    if record is not None and record.mode == "shared":
        raise AlignerMismatchError(
            f"{name} holds vectors that the aligner {record.fingerprint[:12]!r} has projected "
            "already. Give the target encoder's own vectors, or leave the column 'vector' out, so "
            "that texts are encoded."
        )
    vectors = as_matrix(
        stored_vectors(table), dimension=aligner.dimensions[MODALITY], what=f"vectors of {name}"
    )
    own = _unprojected(aligner)
    if own.recognises(vectors, MODALITY):
        return
    try:
        shown = _texts_have_them(own, vectors, table, name)
    except AlignerMismatchError as error:
        raise AlignerMismatchError(
            f"{name} does not hold the vectors of the aligner's target encoder "
            f"{aligner.encoder_names['target']!r} ({aligner.dimensions['target']} dimensions), "
            "so it is not projected. Give that encoder's own vectors, or leave the column "
            "'vector' out, so that texts are encoded."
        ) from error
    if not shown:
        warnings.warn(
            f"Nothing at hand shows that {name} holds the target encoder's own vectors. Pass it "
            "with --target-encoder (target_encoder=), and a few texts are compared.",
            UncheckedIndexWarning,
            stacklevel=3,
        )


def _texts_have_them(own: Aligner, vectors: Float32Array, table: Any, name: str) -> bool:
    """Whether a few texts, embedded, have these vectors; False where none can be embedded."""
    if "text" not in table.column_names:
        return False
    documents = [
        StoredDocument(text, {}, vector)
        for text, vector in zip(table.column("text").to_pylist(), vectors, strict=True)
        if text
    ]
    index = InMemoryIndex(name, None, documents, lambda document: document)
    modality = DocumentModality(name, own, MODALITY, "modality", MODALITY)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UncheckedIndexWarning)
        try:
            return check_index(own, index, modality)
        except UncheckedIndexWarning:
            return False


def _unprojected(aligner: Aligner) -> Aligner:
    """Return an aligner that leaves the target as it is, as which own vectors are recognised."""
    return replace(
        aligner,
        projection=Projection(),
        mode="keep",
        rescoring=None,
        dimensions=dict.fromkeys(SIDES, aligner.dimensions["target"]),
    )
