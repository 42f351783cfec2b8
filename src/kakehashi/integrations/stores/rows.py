"""The rows that a store returned, as the documents of an index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...data.index import IndexDocuments
from ...errors import DataError
from ...vectors import FloatArray


def documents_of(
    name: str, ids: Sequence[str], texts: Sequence[Any], vectors: FloatArray | None
) -> IndexDocuments:
    """Return the rows as documents; texts are left out where a stored vector has none.

    Args:
        texts: a string each, or None.
        vectors: (n, d), or None. Without them, a row without a text is left out.

    Raises:
        DataError: a text of another kind, or no documents.
    """
    for row, text in enumerate(texts):
        if text is not None and not isinstance(text, str):
            kind = type(text).__name__
            raise DataError(f"{name}: the text of document {ids[row]!r:.60} is no string ({kind}).")
    if vectors is not None:
        given = tuple(text for text in texts if text is not None and text.strip())
        return IndexDocuments(given if len(given) == len(ids) else None, vectors, tuple(ids), name)
    named = [(i, text) for i, text in zip(ids, texts, strict=True) if text and text.strip()]
    return IndexDocuments(tuple(t for _, t in named), None, tuple(i for i, _ in named), name)
