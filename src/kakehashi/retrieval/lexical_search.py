"""Lexical search: documents of each modality that share words with a query."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from .bm25 import LexicalIndex
from .hits import Document, Hit, Searched
from .part_numbers import Identifiers


class Words:
    """A BM25 index of documents, for a lexical arm.

    Args:
        arm: the name of the arm.
        documents: as the framework has them.
        keys: what is equal for the same document, of each.
        modalities: of each; every modality is searched by itself, or the words of the query's own
            bury the others.
    """

    def __init__(
        self,
        arm: str,
        documents: Sequence[Any],
        *,
        texts: Sequence[str],
        keys: Sequence[str],
        modalities: Sequence[str | None],
    ) -> None:
        self._index, self._identifiers = LexicalIndex(texts), Identifiers(texts, modalities)
        self._hits = [
            Hit(key, document, side, arm)
            for key, document, side in zip(keys, documents, modalities, strict=True)
        ]
        self._rows = {(hit.key, hit.modality): row for row, hit in enumerate(self._hits)}
        self._parts = {
            side: np.array([own == side for own in modalities], bool)
            for side in dict.fromkeys(modalities)
        }

    def search(self, text: str, n: int, allowed: Sequence[bool] | None) -> Searched:
        """Find documents that share a word, n of each modality and what is named, the best first.

        Args:
            allowed: which documents may be found; None for all.
        """
        scores = self._index.scores(text)
        if allowed is not None:
            scores = np.where(np.asarray(allowed, bool), scores, 0)
        shares = np.zeros(len(scores))
        every = self._identifiers.named(text).items()
        named = {row: share for row, share in every if scores[row] > 0}  # it may be shut out
        hits: list[Hit] = []
        further: dict[str, Hit] = {}
        for side, part in self._parts.items():
            own = np.where(part, scores, 0)
            shares[part] = own[part] / max(float(own.max()), 1e-12)
            first = np.argsort(-own, kind="stable")[:n].tolist()
            rows = [row for row in first if own[row] > 0]
            if len(rows) >= n and side is not None:
                further[side] = self._hit(rows[-1], scores, shares)
            rows += [row for row in named if part[row] and row not in rows]
            hits += [self._hit(row, scores, shares) for row in rows]
        hits.sort(key=lambda hit: -(hit.raw or 0.0))

        def share_of(document: Document) -> float | None:
            row = self._rows.get(document)
            return None if row is None else float(shares[row])

        documents = {(self._hits[r].key, self._hits[r].modality): named[r] for r in named}
        return Searched(hits, further, share_of, documents)

    def _hit(self, row: int, scores: Any, shares: Any) -> Hit:
        return self._hits[row]._replace(raw=float(scores[row]), lexical=float(shares[row]))


def key_of(text: str) -> str:
    """Return what is equal for one document in several stores: a hash of its text.

    Ids are of no use: a store gives its own to a document that the next store, or a list of
    documents, knows without.
    """
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
