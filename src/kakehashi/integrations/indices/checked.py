"""Which indices were found to be an aligner's: each is checked once, at its first search."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from ...retrieval.document_modality import DocumentModality
from ...retrieval.index_check import StoredIndex, check_index
from .._modalities import Space

_FOUND: dict[int, tuple[weakref.ref[Any], set[Any]]] = {}
"""By the identity of a store, a reference to it and what it was checked for."""


def require_index(
    store: Any, index_of: Callable[[], StoredIndex], space: Space, modality: DocumentModality
) -> None:
    """Check the index of a store, unless it was checked for the aligner already.

    Args:
        store: the object of the framework; the finding is remembered as long as it lives.

    Raises:
        AlignerMismatchError: the aligner did not make the vectors of the index.
    """
    checked_for = (space.fingerprint, modality.key)
    found = _findings_of(store)
    if checked_for not in found and check_index(space, index_of(), modality):
        found.add(checked_for)


def _findings_of(store: Any) -> set[Any]:
    key = id(store)
    reference, found = _FOUND.get(key, (None, set[Any]()))
    if reference is None or reference() is not store:  # another object had this identity
        found = set()
        _FOUND[key] = weakref.ref(store, lambda _: _FOUND.pop(key, None)), found
    return found
