"""Milvus: the stored vectors of documents that a search found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def vectors_in_milvus(
    client: Any, collection: str, ids: Sequence[Any], *, key: str, vector: str
) -> list[Any]:
    """Return the stored vector of each id; None where there is none.

    Args:
        client: of pymilvus.
        key: the field of the ids.
        vector: the field of the vectors.
    """
    known = [each for each in dict.fromkeys(ids) if each is not None]
    if not known:
        return [None] * len(ids)
    rows = client.get(collection, ids=known, output_fields=[key, vector])
    found = {row[key]: row[vector] for row in rows}
    return [found.get(each) for each in ids]
