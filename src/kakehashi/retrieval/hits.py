"""Hits: the documents that one search returns, in a form that all frameworks share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

DocumentKey = tuple[str, str | None]
"""Identity of a document: the key of its text, and its modality."""


class Hit(NamedTuple):
    """A document that one search returned.

    Attributes:
        key: equal for equal documents (:func:`kakehashi.retrieval.document_key.key_of`).
        payload: the object of the framework, such as a LangChain document.
        modality: modality of the document; None where its metadata name an unknown one.
        search: name of the search.
        raw: score of the store, if it gave one.
        similarity: inner product of unit vectors; None in a search by words. Where the search was
            rescored (:mod:`kakehashi.retrieval.rescore`), that of the second map.
        lexical: BM25 score divided by the best BM25 score of the modality; None in a search by
            vector.
        rescored: whether the similarity is that of the second map.
        unrescored: the similarity that was replaced by that of another model; None where none was.
        vector: (d,) as it is stored, where the search returned it.
    """

    key: str
    payload: Any
    modality: str | None
    search: str
    raw: float | None = None
    similarity: float | None = None
    lexical: float | None = None
    rescored: bool = False
    unrescored: float | None = None
    vector: Any = None


class SearchResult(NamedTuple):
    """The result of one search.

    Attributes:
        hits: the best first.
        last_hits: by modality, the last hit before the search stopped. Documents of the modality
            that were not returned have no higher score. A modality is missing where the search
            returned all its documents.
        share_of: (search by words) returns the BM25 share of a document, or None for a document
            outside the index.
        named: (search by words) the share of the query's identifiers that a document holds, 0 to
            1, for documents that hold any (:mod:`kakehashi.retrieval.part_numbers`).
        payload_of: (search by words) returns the object of a document, whether or not the search
            returned it; None for a document outside the index, or shut out by a filter.
    """

    hits: Sequence[Hit]
    last_hits: Mapping[str, Hit]
    share_of: Callable[[DocumentKey], float | None] | None = None
    named: Mapping[DocumentKey, float] = MappingProxyType({})
    payload_of: Callable[[DocumentKey], Any] | None = None
