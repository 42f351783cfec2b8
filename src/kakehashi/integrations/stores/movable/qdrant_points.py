"""Points of Qdrant as the rows of a migration, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ..node_text import node_of
from ..qdrant import metadata_of, text_of
from ..rows import is_node_of_llama_index
from .protocol import StoredRow
from .untouched import untouched_bytes


class StoredPoint(NamedTuple):
    """What Qdrant stores beside the vector; ``others`` are vectors of other names."""

    id: int | str
    payload: Mapping[str, Any]
    others: Mapping[str, Any]


def row_of(point: Any, vector: str, cosines: frozenset[str]) -> StoredRow:
    """Return a point as a row.

    Args:
        vector: the name of the vectors that are moved; empty where they have none.
        cosines: the names of the others that the store makes unit vectors.
    """
    payload = point.payload or {}
    vectors = point.vector if isinstance(point.vector, dict) else {"": point.vector}
    others = {n: v for n, v in vectors.items() if n != vector and v is not None}
    counted = {n: _counted(v, rounded=n in cosines) for n, v in others.items()}
    text, metadata = node_of(payload) if is_node_of_llama_index(payload) else _document(payload)
    own = vectors.get(vector)
    return StoredRow(
        str(point.id),
        None if own is None else np.asarray(own, np.float32),
        text,
        metadata,
        untouched_bytes(str(point.id), payload, counted),
        StoredPoint(point.id, payload, others),
    )


def point_of(stored: StoredPoint, vector: str, value: list[float]) -> Any:
    """Return what the client writes: a point with another vector of a name."""
    from qdrant_client import models

    named = {vector: value, **stored.others}
    written: Any = value if [*named] == [""] else named
    return models.PointStruct(id=stored.id, payload=dict(stored.payload), vector=written)


def point_id(text: str) -> int | str:
    """Return the id of a point: an unsigned number, or a UUID."""
    return int(text) if text.isdigit() else text


def _document(payload: Mapping[str, Any]) -> tuple[str | None, Mapping[str, Any]]:
    return text_of(payload), metadata_of(payload)


def _counted(vector: Any, *, rounded: bool) -> Any:
    """Return the part of another vector that counts as untouched.

    Args:
        rounded: the store makes a unit vector of it at each write, so its last bits may change.
    """
    if hasattr(vector, "indices"):  # a sparse one
        return [list(vector.indices), np.asarray(vector.values, np.float32).tolist()]
    dense = np.asarray(vector, np.float32)
    return list(dense.shape) if rounded else dense.tolist()
