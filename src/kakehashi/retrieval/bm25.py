"""BM25: cut texts into words, and score documents by the words that they share with a query."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import bm25s
import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..metrics.ranking import ranks_of_scores
from ..metrics.relevance import Relevance
from ..vectors import chunks

Tokenizer = Callable[[str], Iterable[str]]
"""A function from a text to its words."""

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
    """Return the kind of a character: ``"unspaced"``, ``"word"`` or ``"between"``.

    Unspaced characters are of scripts without spaces between words: kana, Han, Thai, Lao, Burmese
    and Khmer. Word characters are all other letters, marks and digits. The rest is between words.
    """
    if _UNSPACED.match(letter):
        return "unspaced"
    return "word" if unicodedata.category(letter)[0] in "LMN" else "between"


class LexicalIndex:
    """A BM25 index of m documents (Lucene's variant, k1=1.5, b=0.75).

    Args:
        tokenizer: cuts a text into words; by default :func:`tokenize`.

    Raises:
        DataError: what is no tokenizer, or one that returns no strings.
    """

    def __init__(self, documents: Sequence[str], tokenizer: Tokenizer | None = None) -> None:
        if tokenizer is not None and not callable(tokenizer):
            raise DataError(
                f"tokenizer={tokenizer!r:.80}; give a function from a text to a list of words."
            )
        self._n, self._tokenizer = len(documents), tokenizer
        corpus = [self._cut(text) for text in documents]
        self._index: Any = None
        if any(corpus):
            self._index = bm25s.BM25()
            self._index.index(corpus, show_progress=False)

    def scores(self, query: str) -> NDArray[np.float32]:
        """Return the BM25 score of every document, (m,) float32; 0 where no word is shared."""
        tokens = [] if self._index is None else self._cut(query)
        tokens = [token for token in tokens if token in self._index.vocab_dict]
        if not tokens:
            return np.zeros(self._n, dtype=np.float32)
        scores: NDArray[np.float32] = self._index.get_scores(tokens)
        return scores

    def _cut(self, text: str) -> list[str]:
        if self._tokenizer is None:
            return tokenize(text)
        words = self._tokenizer(text)
        listed = [words] if isinstance(words, str) else list(words)
        for word in listed:
            if isinstance(words, str) or not isinstance(word, str):
                raise DataError(
                    f"The tokenizer gave {word!r:.80} for {text!r:.40}; it has to return a list of "
                    "strings."
                )
        return listed


def bm25_ranks(
    queries: Sequence[str],
    documents: Sequence[str],
    *,
    relevance: Relevance | None = None,
    tokenizer: Tokenizer | None = None,
) -> NDArray[np.intp]:
    """Return the rank of each query's best answer by BM25, (n,), from 1; ties count against it.

    The answer to a query that shares no word with any document ranks last.

    Args:
        relevance: the pool and the answers of each query; by default query i is answered by
            document i.
        tokenizer: cuts a text into words; by default :func:`tokenize`.
    """
    if relevance is None:
        answers: list[Any] = list(np.arange(len(queries))[:, None])
    else:
        documents, answers = [documents[i] for i in relevance.pool], relevance.answers
    index = LexicalIndex(documents, tokenizer)
    ranks = np.empty(len(queries), dtype=np.intp)
    for part in chunks(len(queries), 256):
        block = np.stack([index.scores(query) for query in queries[part]])
        ranks[part] = ranks_of_scores(block, answers[part])
    return ranks
