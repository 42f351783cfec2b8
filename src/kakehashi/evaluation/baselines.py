"""What a pipeline finds without a projection: lexical search."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import bm25s
import numpy as np
from numpy.typing import NDArray

from ..vectors import chunks
from .metrics import ranks_of_scores

_WORD = re.compile(r"[a-z0-9]+|[^\W_a-z0-9]+")
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")


def tokenize(text: str) -> list[str]:
    """Cut a text into lower-case words; scripts without spaces into character bigrams.

    Compatibility forms are folded first (NFKC), so that full-width letters and digits match.
    """
    tokens: list[str] = []
    for run in _WORD.findall(unicodedata.normalize("NFKC", text).lower()):
        if _UNSPACED.search(run) and len(run) > 1:
            tokens += [run[i : i + 2] for i in range(len(run) - 1)]
        else:
            tokens.append(run)
    return tokens


def bm25_ranks(queries: Sequence[str], documents: Sequence[str]) -> NDArray[np.intp]:
    """Rank document i for query i by BM25 (Lucene's variant, k1=1.5, b=0.75), ties against.

    A query that shares no word with any document scores 0 everywhere and so ranks last.
    """
    corpus = [tokenize(text) for text in documents]
    if not any(corpus):
        return np.full(len(queries), len(documents), dtype=np.intp)
    index = bm25s.BM25()
    index.index(corpus, show_progress=False)
    found = np.empty(len(queries), dtype=np.intp)
    for part in chunks(len(queries), 256):
        block = np.stack([_scores(index, tokenize(q), len(documents)) for q in queries[part]])
        found[part] = ranks_of_scores(block, np.arange(part.start, part.stop))
    return found


def bm25_best(queries: Sequence[str], documents: Sequence[str]) -> NDArray[np.intp]:
    """Return the number of the best document of each query by BM25, or -1 where none matches."""
    index = bm25s.BM25()
    index.index([tokenize(text) for text in documents], show_progress=False)
    block = np.stack([_scores(index, tokenize(q), len(documents)) for q in queries])
    return np.where(block.max(axis=1) > 0, block.argmax(axis=1), -1)


def _scores(index: bm25s.BM25, tokens: list[str], n_documents: int) -> NDArray[np.float32]:
    known = [token for token in tokens if token in index.vocab_dict]
    if not known:
        return np.zeros(n_documents, dtype=np.float32)
    result: NDArray[np.float32] = index.get_scores(known)
    return result
