"""Identifiers: which documents name what a query names by number.

Part numbers and error codes cross no embedding, and no pair of paraphrases teaches what they are
worth: so it is said here, and not learned. A word with a digit that few documents of a modality
hold is taken for an identifier; one that many hold ("2", "10") says nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from .bm25 import tokenize

_FEW = 5
"""Documents of a modality that may hold a word with a digit for it to be an identifier."""


class Identifiers:
    """Which documents hold which words with a digit.

    Args:
        texts: of the documents.
        modalities: of each.
    """

    def __init__(self, texts: Sequence[str], modalities: Sequence[str | None]) -> None:
        rows: dict[tuple[str, str | None], list[int]] = {}
        for row, (text, side) in enumerate(zip(texts, modalities, strict=True)):
            for word in _numbered(text):
                rows.setdefault((word, side), []).append(row)
        self._rows = {key: own for key, own in rows.items() if len(own) <= _FEW}
        self._sides = dict.fromkeys(modalities)

    def named(self, query: str) -> dict[int, float]:
        """Return by row the share that a document names of what a query does, above 0 to 1.

        A query names its words with a digit; a document names those that are identifiers.
        """
        words = _numbered(query)
        found: dict[int, float] = {}
        for word in words:
            for side in self._sides:
                for row in self._rows.get((word, side), ()):
                    found[row] = found.get(row, 0.0) + 1 / len(words)
        return {row: min(1.0, share) for row, share in found.items()}


def _numbered(text: str) -> set[str]:
    return {word for word in tokenize(text) if any(map(str.isdigit, word))}
