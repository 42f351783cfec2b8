"""Lexical search: what is a word, and how documents are ranked by the words they share."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Sequence
from typing import Any

import bm25s
import numpy as np
from numpy.typing import NDArray

from ..metrics.ranking import ranks_of_scores
from ..metrics.relevance import Relevance
from ..vectors import chunks

_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Burmese, Khmer
    "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"  # kana, Han
)


def tokenize(text: str) -> list[str]:
    """Cut a text into lower-case words; scripts without spaces into character bigrams.

    Compatibility forms are folded first (NFKC), so that full-width letters and digits match. A
    word is a run of letters, marks and digits (Unicode categories L, M, N).
    """
    tokens: list[str] = []
    folded = unicodedata.normalize("NFKC", text).lower()
    for kind, letters in itertools.groupby(folded, script_of):
        run = "".join(letters)
        if kind == "unspaced" and len(run) > 1:
            tokens += [run[i : i + 2] for i in range(len(run) - 1)]
        elif kind != "between":
            tokens.append(run)
    return tokens


def script_of(letter: str) -> str:
    """Return how a character takes part in words: ``"unspaced"``, ``"word"`` or ``"between"``.

    Unspaced are the scripts that put no spaces between words (kana, Han, Thai, Lao, Burmese,
    Khmer); word are all other letters, marks and digits; between is whatever parts words.
    """
    if _UNSPACED.match(letter):
        return "unspaced"
    return "word" if unicodedata.category(letter)[0] in "LMN" else "between"


class LexicalIndex:
    """A BM25 index of m documents (Lucene's variant, k1=1.5, b=0.75)."""

    def __init__(self, documents: Sequence[str]) -> None:
        self._n = len(documents)
        corpus = [tokenize(text) for text in documents]
        self._index: Any = None
        if any(corpus):
            self._index = bm25s.BM25()
            self._index.index(corpus, show_progress=False)

    def scores(self, query: str) -> NDArray[np.float32]:
        """Score every document for a query, (m,); 0 where no word is shared."""
        known = [] if self._index is None else tokenize(query)
        known = [token for token in known if token in self._index.vocab_dict]
        if not known:
            return np.zeros(self._n, dtype=np.float32)
        result: NDArray[np.float32] = self._index.get_scores(known)
        return result


def bm25_ranks(
    queries: Sequence[str], documents: Sequence[str], *, relevance: Relevance | None = None
) -> NDArray[np.intp]:
    """Rank the best answer to each query by BM25 (Lucene's variant, k1=1.5, b=0.75), ties against.

    A query that shares no word with any document scores 0 everywhere and so ranks last.
    """
    if relevance is None:
        answers: list[Any] = list(np.arange(len(queries))[:, None])
    else:
        documents, answers = [documents[i] for i in relevance.pool], relevance.answers
    index = LexicalIndex(documents)
    found = np.empty(len(queries), dtype=np.intp)
    for part in chunks(len(queries), 256):
        block = np.stack([index.scores(query) for query in queries[part]])
        found[part] = ranks_of_scores(block, answers[part])
    return found
