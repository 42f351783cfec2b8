"""What a pipeline finds without a projection: lexical search."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Sequence
from typing import Any

import bm25s
import numpy as np
from numpy.typing import NDArray

from ..vectors import chunks
from .metrics import ranks_of_scores
from .relevance import Relevance

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
    for kind, letters in itertools.groupby(folded, _kind):
        run = "".join(letters)
        if kind == "unspaced" and len(run) > 1:
            tokens += [run[i : i + 2] for i in range(len(run) - 1)]
        elif kind != "between":
            tokens.append(run)
    return tokens


def _kind(letter: str) -> str:
    if _UNSPACED.match(letter):
        return "unspaced"
    return "word" if unicodedata.category(letter)[0] in "LMN" else "between"


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
    corpus = [tokenize(text) for text in documents]
    if not any(corpus):
        return np.full(len(queries), len(documents), dtype=np.intp)
    index = bm25s.BM25()
    index.index(corpus, show_progress=False)
    found = np.empty(len(queries), dtype=np.intp)
    for part in chunks(len(queries), 256):
        block = np.stack([_scores(index, tokenize(q), len(documents)) for q in queries[part]])
        found[part] = ranks_of_scores(block, answers[part])
    return found


def _scores(index: bm25s.BM25, tokens: list[str], n_documents: int) -> NDArray[np.float32]:
    known = [token for token in tokens if token in index.vocab_dict]
    if not known:
        return np.zeros(n_documents, dtype=np.float32)
    result: NDArray[np.float32] = index.get_scores(known)
    return result
