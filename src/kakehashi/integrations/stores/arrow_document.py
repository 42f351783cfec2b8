"""A row of a table of Arrow as a document: its text and its metadata, by one rule for all."""

from __future__ import annotations

import json
from collections.abc import Container, Mapping
from typing import Any

from .node_text import node_of
from .rows import is_node_of_llama_index

ID = "id"
"""The column of the names of the documents."""
METADATA = "metadata"
"""The column of the metadata; where there is none, all columns without another meaning are."""
_TEXTS = ("text", "page_content", "document")
"""The first that a table has; both frameworks write ``text``."""


def text_column(names: Container[str]) -> str | None:
    """Return the column of the texts; None where there is none."""
    return next((name for name in _TEXTS if name in names), None)


def document_of(fields: Mapping[str, Any]) -> tuple[str | None, Mapping[str, Any]]:
    """Return the text as it was embedded, and the metadata, of a row.

    Args:
        fields: of the row, without its vector.
    """
    column = text_column(fields)
    text = None if column is None else fields[column]
    if METADATA not in fields:
        return text, {n: v for n, v in fields.items() if n not in (ID, column) and v is not None}
    # A struct has a place for what other rows name.
    metadata = {n: v for n, v in fields_of(fields[METADATA]).items() if v is not None}
    return node_of(metadata, text) if is_node_of_llama_index(metadata) else (text, metadata)


def fields_of(stored: Any) -> Mapping[str, Any]:
    """Return metadata of a struct, of a map, or of JSON as text."""
    if isinstance(stored, str):
        try:
            stored = json.loads(stored)
        except ValueError:
            return {}
    if isinstance(stored, list):  # a map
        stored = dict(stored)
    return stored if isinstance(stored, Mapping) else {}
