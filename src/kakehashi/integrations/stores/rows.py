"""The rows that a store returned, as the documents of an index."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ...data.index import IndexDocuments
from ...errors import DataError
from ...vectors import FloatArray

FIELD, _SOURCE = "modality", "source"
"""The field of the metadata that names the modality of a document, unless another was chosen."""

IsProjected = Callable[[Mapping[str, Any]], bool]
"""Whether the metadata of a document name a modality whose vectors are projected."""


def names_the_source(metadata: Mapping[str, Any]) -> bool:
    """Whether metadata say ``modality: source``, as an aligner writes by default."""
    return metadata.get(FIELD) == _SOURCE


def is_node_of_llama_index(fields: Mapping[str, Any]) -> bool:
    """Whether LlamaIndex wrote the fields of a document."""
    return "_node_content" in fields


def documents_of(
    name: str,
    ids: Sequence[str],
    texts: Sequence[Any],
    vectors: FloatArray | None,
    metadata: Sequence[Mapping[str, Any] | None],
    is_projected: IsProjected = names_the_source,
) -> IndexDocuments:
    """Return the rows as documents; texts are left out where a stored vector has none.

    Documents of a source modality are projected ones, and left out.

    Args:
        texts: a string each, or None.
        vectors: (n, d), or None. Without them, a row without a text is left out.
        metadata: of each row; None where it has none.
        is_projected: see :data:`IsProjected`.

    Raises:
        DataError: a text of another kind, or no documents.
    """
    kept = [row for row, each in enumerate(metadata) if not is_projected(each or {})]
    if ids and not kept:
        raise DataError(
            f"{name} holds documents of the source alone, whose vectors are projected; give an "
            "index with documents of the target."
        )
    ids, texts = [ids[row] for row in kept], [texts[row] for row in kept]
    vectors = None if vectors is None else np.asarray(vectors)[kept]
    for row, text in enumerate(texts):
        if text is not None and not isinstance(text, str):
            kind = type(text).__name__
            raise DataError(f"{name}: the text of document {ids[row]!r:.60} is no string ({kind}).")
    if vectors is not None:
        given = tuple(text for text in texts if text is not None and text.strip())
        return IndexDocuments(given if len(given) == len(ids) else None, vectors, tuple(ids), name)
    named = [(i, text) for i, text in zip(ids, texts, strict=True) if text and text.strip()]
    return IndexDocuments(tuple(t for _, t in named), None, tuple(i for i, _ in named), name)
