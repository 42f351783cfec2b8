"""Identifiers: the documents that hold a part number or an error code of the query.

Embeddings do not carry such identifiers across, and paraphrases do not teach their value. So a rule
finds them: an identifier is a word with a digit that few documents of a modality hold. A word that
many hold ("2", "10") says nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from .bm25 import tokenize

_MAX_DOCUMENTS = 5
"""Largest number of documents of a modality that hold an identifier."""


class Identifiers:
    """An index of the identifiers in n documents.

    Args:
        texts: text of each document.
        modalities: modality of each document.
    """

    def __init__(self, texts: Sequence[str], modalities: Sequence[str | None]) -> None:
        rows_of: dict[tuple[str, str | None], list[int]] = {}
        for row, (text, modality) in enumerate(zip(texts, modalities, strict=True)):
            for word in _words_with_digit(text):
                rows_of.setdefault((word, modality), []).append(row)
        self._rows_of = {key: rows for key, rows in rows_of.items() if len(rows) <= _MAX_DOCUMENTS}
        self._modalities = dict.fromkeys(modalities)

    def named(self, query: str) -> dict[int, float]:
        """Return, by row, the share of the query's words with a digit that the document holds.

        Only words that are identifiers in the document's modality count. Shares are above 0 and at
        most 1; other documents are missing.
        """
        words = _words_with_digit(query)
        shares: dict[int, float] = {}
        for word in words:
            for modality in self._modalities:
                for row in self._rows_of.get((word, modality), ()):
                    shares[row] = shares.get(row, 0.0) + 1 / len(words)
        return {row: min(1.0, share) for row, share in shares.items()}


def _words_with_digit(text: str) -> set[str]:
    return {word for word in tokenize(text) if any(map(str.isdigit, word))}
