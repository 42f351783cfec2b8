"""Lexical search: the documents of each modality that share words with a query."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .bm25 import LexicalIndex, Tokenizer
from .hits import DocumentKey, Hit, SearchResult
from .part_numbers import Identifiers


class LexicalSearch:
    """A BM25 index of documents. Each modality is searched by itself.

    In one list, documents of the query's own modality would bury the others: they share more words
    with it.

    Args:
        name: name of the search.
        documents: the objects of the framework.
        texts: text of each document.
        keys: key of each document, equal for equal documents.
        modalities: modality of each document.
        tokenizer: cuts a text into words; None for the usual one.
    """

    def __init__(
        self,
        name: str,
        documents: Sequence[Any],
        *,
        texts: Sequence[str],
        keys: Sequence[str],
        modalities: Sequence[str | None],
        tokenizer: Tokenizer | None = None,
    ) -> None:
        self._index = LexicalIndex(texts, tokenizer)
        self._identifiers = Identifiers(texts, modalities)
        self._hits = [
            Hit(key, document, modality, name)
            for key, document, modality in zip(keys, documents, modalities, strict=True)
        ]
        self._row_of = self._first_rows(range(len(self._hits)))
        self._rows_of = {
            modality: np.array([other == modality for other in modalities], bool)
            for modality in dict.fromkeys(modalities)
        }

    def find(self, text: str, n: int, allowed: Sequence[bool] | None) -> SearchResult:
        """Return the documents of each modality that share a word with a query, the best first.

        Args:
            n: number of documents of each modality; documents that hold an identifier of the query
                are returned beyond it.
            allowed: whether each document may be returned; None for all.
        """
        scores, row_of = self._index.scores(text), self._row_of
        if allowed is not None:
            scores = np.where(np.asarray(allowed, bool), scores, 0)
            row_of = self._first_rows(np.flatnonzero(allowed).tolist())
        named = {row: s for row, s in self._identifiers.named(text).items() if scores[row] > 0}
        shares = self._shares(scores)
        hits: list[Hit] = []
        last_hits: dict[str, Hit] = {}
        for modality, in_modality in self._rows_of.items():
            of_modality = np.where(in_modality, scores, 0)
            best = np.argsort(-of_modality, kind="stable")[:n].tolist()
            rows = [row for row in best if of_modality[row] > 0]
            if len(rows) >= n and modality is not None:
                last_hits[modality] = self._hit(rows[-1], scores, shares)
            rows += [row for row in named if in_modality[row] and row not in rows]
            hits += [self._hit(row, scores, shares) for row in rows]
        hits.sort(key=lambda hit: -(hit.raw or 0.0))

        def share_of(document: DocumentKey) -> float | None:
            row = row_of.get(document)
            return None if row is None else float(shares[row])

        def payload_of(document: DocumentKey) -> Any:
            row = row_of.get(document)
            return None if row is None else self._hits[row].payload

        named_documents = {
            (self._hits[row].key, self._hits[row].modality): share for row, share in named.items()
        }
        return SearchResult(hits, last_hits, share_of, named_documents, payload_of)

    def _first_rows(self, rows: Iterable[int]) -> dict[DocumentKey, int]:
        """Return the first of these rows that holds each document: copies may follow it."""
        first: dict[DocumentKey, int] = {}
        for row in rows:
            first.setdefault((self._hits[row].key, self._hits[row].modality), row)
        return first

    def _shares(self, scores: NDArray[np.float32]) -> NDArray[np.float64]:
        """Divide the score of each document by the best of its modality."""
        shares = np.zeros(len(scores))
        for in_modality in self._rows_of.values():
            best = float(scores[in_modality].max())
            shares[in_modality] = scores[in_modality] / max(best, 1e-12)
        return shares

    def _hit(self, row: int, scores: NDArray[np.float32], shares: NDArray[np.float64]) -> Hit:
        return self._hits[row]._replace(raw=float(scores[row]), lexical=float(shares[row]))


class Refreshed:
    """A lexical search that is built again where the list of its documents was replaced.

    A change within the list does not count: a search searches what it was given.

    Args:
        documents_of: returns the list.
        build: makes the search of a list.
    """

    def __init__(
        self, documents_of: Callable[[], list[Any]], build: Callable[[list[Any]], LexicalSearch]
    ) -> None:
        self._documents_of, self._build = documents_of, build
        self._built = self._build_of(documents_of())

    def current(self) -> tuple[LexicalSearch, list[Any]]:
        """Return the search, and the documents that it was built of."""
        given, built = self._documents_of(), self._built
        if given is not built[0]:
            self._built = built = self._build_of(given)
        return built[1], built[2]

    def _build_of(self, given: list[Any]) -> tuple[list[Any], LexicalSearch, list[Any]]:
        documents = list(given)
        return given, self._build(documents), documents
