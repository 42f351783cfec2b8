"""Which hits are one document: those of one text, or those of one text and one metadata.

The ids of stores do not serve in general: each store gives its own, and a list of documents has
none. Parts of one index, between which documents are moved, are the exception.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal

Merge = Literal["text", "identity"]
"""Hits are one document where their texts are equal; or their texts and their metadata."""
MergeParts = Literal["id", "text", "identity"]
"""Of parts of an index, whose documents keep their ids when they are moved: or where the ids are
equal. Documents without an id are then one by their identity."""
_ADDED_BY_STORES = ("_id", "_collection_name", "pk")
"""Fields that Qdrant and Milvus add to the metadata that they return."""


def key_of(
    text: str, metadata: Mapping[str, Any], merge: MergeParts, name: str | None = None
) -> str:
    """Return the key of a document, equal for one document in several stores.

    Args:
        name: its id, where ``merge`` is ``"id"``.
        metadata: counted where ``merge`` is ``"identity"``. Fields without a value, and those that
            a store adds, do not count: some stores give every document every field.
    """
    if merge == "id" and name is not None:
        return f"id {name}"
    if merge != "text":
        own = {
            field: value
            for field, value in metadata.items()
            if value is not None and field not in _ADDED_BY_STORES
        }
        text += "\0" + json.dumps(own, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
