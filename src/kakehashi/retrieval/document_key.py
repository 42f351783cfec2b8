"""Which hits are one document: those of one text, or those of one text and one metadata.

The ids of stores do not serve: each store gives its own, and a list of documents has none.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal

Merge = Literal["text", "identity"]
"""Hits are one document where their texts are equal; or their texts and their metadata."""
_ADDED_BY_STORES = ("_id", "_collection_name", "pk")
"""Fields that Qdrant and Milvus add to the metadata that they return."""


def key_of(text: str, metadata: Mapping[str, Any], merge: Merge) -> str:
    """Return the key of a document, equal for one document in several stores.

    Args:
        metadata: counted where ``merge`` is ``"identity"``. Fields without a value, and those that
            a store adds, do not count: some stores give every document every field.
    """
    if merge == "identity":
        own = {
            field: value
            for field, value in metadata.items()
            if value is not None and field not in _ADDED_BY_STORES
        }
        text += "\0" + json.dumps(own, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
