"""Which indices were found to be an aligner's: each is checked once, at its first search."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from threading import RLock
from typing import Any

from ...retrieval.document_modality import DocumentModality
from ...retrieval.index_check import check_index
from ...retrieval.stored_index import StoredIndex
from .._modalities import Space


class _Findings:
    """What one store was checked for, and a lock: of many first searches, one checks."""

    def __init__(self, store: Any) -> None:
        key = id(store)
        self.reference = weakref.ref(store, lambda _: _FINDINGS.pop(key, None))
        self.checked_for: set[Any] = set()
        self.lock = RLock()


_FINDINGS: dict[int, _Findings] = {}
"""By the identity of a store: some stores cannot be hashed."""


def require_index(
    store: Any, index_of: Callable[[], StoredIndex], space: Space, modality: DocumentModality
) -> None:
    """Check the index of a store, unless it was checked for the aligner already.

    Args:
        store: the object of the framework; the finding is remembered as long as it lives.

    Raises:
        AlignerMismatchError: the aligner did not make the vectors of the index.
    """
    findings, key = _findings_of(store), (space.fingerprint, modality.key)
    if key in findings.checked_for:
        return
    with findings.lock:
        if key not in findings.checked_for and check_index(space, index_of(), modality):
            findings.checked_for.add(key)


def was_checked(store: Any, space: Space, modality: DocumentModality) -> bool:
    """Whether the index of a store was found to be the aligner's."""
    return (space.fingerprint, modality.key) in _findings_of(store).checked_for


def _findings_of(store: Any) -> _Findings:
    findings = _FINDINGS.get(id(store))
    if findings is None or findings.reference() is not store:  # another object had this identity
        findings = _FINDINGS[id(store)] = _Findings(store)
    return findings
