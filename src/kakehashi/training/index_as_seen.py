"""Texts of an index as both encoders see them: rows that need no partner."""

from __future__ import annotations

import numpy as np

from ..data.index import IndexDocuments
from ..data.pairs import Pairs
from ..data.splits import Rows
from ..encoders import Encoder
from ..encoders.cache import encode_texts
from ..vectors import drawn
from .features import MAX_NGRAM_PAIRS
from .inputs import ROLES, Cache

MAX_READ = 5000
"""Texts of an index that the source encoder reads unless ``learn`` says otherwise; and targets of
the pairs, which stand for an index where none is given. Where there are more targets, it reads
none."""


def as_both_see(
    index: IndexDocuments, *, encoder: Encoder | None, same_space: bool, cache: Cache
) -> Pairs | None:
    """Return documents of an index, a row each; None where the source encoder can read none.

    Args:
        index: with vectors of the target encoder.
        encoder: of the source. It reads ``index.learn`` texts, drawn evenly, where the index does
            not bring their vectors.
    """
    texts, stored, seen = index.texts, index.vectors, index.source_vectors
    assert stored is not None
    if same_space and seen is None:
        seen = stored
    reads = seen is None
    rows = _different(index)
    at_most = (MAX_READ if reads else MAX_NGRAM_PAIRS) if index.learn is None else index.learn
    rows = rows[drawn(len(rows), at_most, 0)]
    if len(rows) == 0 or (reads and (encoder is None or texts is None)):
        return None
    if len(rows) < len(index):  # else no copy is made: they may lie in a file
        texts = None if texts is None else tuple(texts[int(i)] for i in rows)
        stored = stored[rows]
        seen = None if seen is None else seen[rows]
    if seen is None:
        assert encoder is not None
        assert texts is not None
        label = f"encoding texts by the source encoder: {index.name}"
        role = ROLES["source"]  # the side that the encoder stands in for, whatever it reads
        seen = encode_texts(encoder, texts, role, cache=cache, label=label)
    return Pairs(texts, texts, source_vectors=seen, target_vectors=stored, name=index.name)


def _different(index: IndexDocuments) -> Rows:
    """Return the rows of different texts, of equal ones the first; all where there are no texts."""
    if index.texts is None:
        return np.arange(len(index))
    first: dict[str, int] = {}
    for row, text in enumerate(index.texts):
        first.setdefault(text, row)
    return np.array(list(first.values()), np.intp)
