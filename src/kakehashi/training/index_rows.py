"""The documents of an index, with the vectors of the target encoder: rows to search among."""

from __future__ import annotations

from pathlib import Path

from ..data.index import IndexDocuments
from ..data.pairs import Pairs
from ..encoders import Encoder
from ..encoders.cache import encode_texts
from ..errors import DataError
from ..vectors import FloatArray
from .inputs import ALIKE, made_and_stored


def index_rows(
    index: IndexDocuments,
    encoder: Encoder | None,
    *,
    dimension: int | None = None,
    moved: bool = False,
    required: bool = True,
    cache: str | Path | None = None,
) -> Pairs:
    """Return the documents as rows of one text each; the target side is that of the index.

    Stored vectors are taken as they are, after a check by a few of the texts. Without them the
    texts are encoded.

    Args:
        encoder: of the target side; None where it is not at hand.
        dimension: of its vectors, if it is known.
        moved: the index may hold projected vectors (mode ``shared``); then its texts are encoded
            again where its vectors are not the encoder's.
        required: whether texts alone, without an encoder, are an error.

    Raises:
        DataError: vectors of another encoder; or texts without vectors and without an encoder.
    """
    texts, vectors = index.texts, index.vectors
    if vectors is not None and (problem := _not_made_by(encoder, dimension, texts, vectors)):
        if not moved or texts is None:
            raise DataError(f"{index.name}: {problem}; give the index that it made, or the texts.")
        vectors = None
    if vectors is None and encoder is not None and texts is not None:
        label = "encoding the documents of the index"
        vectors = encode_texts(encoder, texts, "document", cache=cache, label=label)
    if vectors is None and required:
        raise DataError(
            f"{index.name} holds no vectors of the target encoder; name it with target_encoder= "
            "(--target-encoder), so that its texts can be encoded."
        )
    asks_for_itself = vectors if texts is None else None  # Pairs have two sides
    return Pairs(
        texts,
        texts,
        source_vectors=asks_for_itself,
        target_vectors=vectors,
        ids=index.ids,
        name=index.name,
    )


def _not_made_by(
    encoder: Encoder | None,
    dimension: int | None,
    texts: tuple[str, ...] | None,
    vectors: FloatArray,
) -> str | None:
    """Say why stored vectors are not those of the target encoder; None where they may be."""
    if dimension is not None and vectors.shape[1] != dimension:
        return _other_dimension(vectors, dimension)
    if encoder is None or texts is None:
        return None
    made, stored = made_and_stored(encoder, texts, vectors, "document")
    if vectors.shape[1] != made.shape[1]:
        return _other_dimension(vectors, made.shape[1])
    alike = float((made * stored).sum(axis=1).mean())
    if alike >= ALIKE:
        return None
    return (
        f"its vectors are not those of the target encoder {encoder.name!r} (mean cosine "
        f"{alike:.2f} on {len(made)} of its texts)"
    )


def _other_dimension(vectors: FloatArray, dimension: int) -> str:
    return f"its vectors have {vectors.shape[1]} dimensions, the target encoder's {dimension}"
