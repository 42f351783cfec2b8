"""The rows that a store returned, as the documents of an index."""

from __future__ import annotations

from collections.abc import Sequence

from ...data.index import IndexDocuments
from ...vectors import FloatArray


def documents_of(
    name: str, ids: Sequence[str], texts: Sequence[str | None], vectors: FloatArray | None
) -> IndexDocuments:
    """Return the rows as documents; texts are left out where a stored vector has none.

    Args:
        vectors: (n, d), or None. Without them, a row without a text is left out.
    """
    if vectors is not None:
        given = tuple(text for text in texts if text is not None and text.strip())
        return IndexDocuments(given if len(given) == len(ids) else None, vectors, tuple(ids), name)
    named = [(i, text) for i, text in zip(ids, texts, strict=True) if text and text.strip()]
    return IndexDocuments(tuple(t for _, t in named), None, tuple(i for i, _ in named), name)
