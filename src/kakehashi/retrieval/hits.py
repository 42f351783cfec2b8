"""Hits: what one arm of a search found, in the words that every framework's is said in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

Document = tuple[str, str | None]
"""Key and modality."""


class Hit(NamedTuple):
    """A document that one arm found.

    Attributes:
        key: what is equal for the same document.
        payload: the document, as the framework has it.
        modality: of the document; None where it names none that is known.
        arm: which search found it.
        raw: the score that the store gave, if it gave one.
        similarity: inner product of unit vectors, of an arm that searches by vector.
        lexical: BM25 score as a share of the best of its modality, of an arm that searches by
            words.
    """

    key: str
    payload: Any
    modality: str | None
    arm: str
    raw: float | None = None
    similarity: float | None = None
    lexical: float | None = None


class Searched(NamedTuple):
    """What one arm found.

    Attributes:
        hits: the best first.
        further: where the arm may hold more documents of a modality, the last hit before them:
            they are no more similar, nor have they more words of the query.
        share_of: of a search by words, the BM25 share of any document, by key and modality; None
            for one that it does not hold.
        named: of a search by words, how much of what the query names by number a document names
            (:mod:`kakehashi.retrieval.part_numbers`), where it names any.
    """

    hits: Sequence[Hit]
    further: Mapping[str, Hit]
    share_of: Callable[[Document], float | None] | None = None
    named: Mapping[Document, float] = MappingProxyType({})
