"""Metadata filters of LlamaIndex, for indices and for lists of nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llama_index.core.schema import BaseNode
from llama_index.core.vector_stores import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
)
from llama_index.core.vector_stores.utils import build_metadata_filter_fn

from ...errors import DataError

_FLAT = ("SimpleVectorStore", "LanceDBVectorStore")
"""Stores that read no filter within a filter."""


def equals(key: str, value: str) -> MetadataFilters:
    """Return a filter that permits one value."""
    return MetadataFilters(filters=[MetadataFilter(key=key, value=value)])


def equals_none_of(key: str, values: Sequence[str], *, without: str, store: str) -> MetadataFilters:
    """Return a filter that permits what names another value, or none.

    Args:
        without: the modality of nodes that name none.
        store: class name of the vector store.
    """
    if store == "LanceDBVectorStore":  # cannot say it, and has every node name what one names
        return equals(key, without)
    none_of = MetadataFilter(key=key, value=list(values), operator=FilterOperator.NIN)
    if store not in ("QdrantVectorStore", "PGVectorStore"):
        return MetadataFilters(filters=[none_of])
    # Qdrant's "except" and that of SQL ask for a value.
    empty = MetadataFilter(key=key, value=None, operator=FilterOperator.IS_EMPTY)
    return MetadataFilters(filters=[none_of, empty], condition=FilterCondition.OR)


def all_of(filters: Sequence[MetadataFilters | None]) -> MetadataFilters | None:
    """Return one filter of several that all have to hold; None where there are none."""
    present = [each for each in filters if each is not None]
    if len(present) < 2:
        return present[0] if present else None
    plain: list[Any] = []
    for each in present:
        plain += each.filters if is_conjunction(each) else [each]
    return MetadataFilters(filters=plain, condition=FilterCondition.AND)


def can_be_joined(filters: Sequence[MetadataFilters | None], store: str) -> bool:
    """Return whether a store can read the filters with one more that has to hold."""
    if store == "FaissVectorStore":  # knows no metadata
        return False
    if store not in _FLAT:
        return True
    return all(each is None or is_conjunction(each) for each in filters)


def is_conjunction(filters: Any) -> bool:
    """Return whether all conditions of a filter have to hold.

    Raises:
        DataError: another kind of filter.
    """
    if not isinstance(filters, MetadataFilters):
        raise DataError(f"filters={filters!r}; give llama_index's MetadataFilters.")
    return filters.condition in (None, FilterCondition.AND)


def permits(filters: Any, node: BaseNode) -> bool:
    """Return whether a filter permits a node; LlamaIndex's function reads no nested one."""
    conjunction = is_conjunction(filters) or not filters.filters
    results = [
        permits(part, node)
        if isinstance(part, MetadataFilters)
        else bool(
            build_metadata_filter_fn(lambda _: node.metadata, MetadataFilters(filters=[part]))("")
        )
        for part in filters.filters
    ]
    if conjunction:
        return all(results)
    if filters.condition == FilterCondition.NOT:
        return not any(results)
    return any(results)
