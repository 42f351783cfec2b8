"""The documents of the index that a fit is judged in."""

from __future__ import annotations

from ..data.pairs import Pairs
from ..metrics.pool import Pool
from .features import MAX_NGRAM_PAIRS

MAX_POOL, MAX_CELLS = MAX_NGRAM_PAIRS, 100_000_000
"""Documents of the index, and scores of one map, up to which every document is ranked."""


def index_pool(sets: list[Pairs], others: list[Pairs], questions: list[Pairs]) -> Pool:
    """Gather the documents of the index; of a very large one the answers, and others at random."""
    if all(part.target_texts is not None for part in sets):  # what has none is no document of them
        others = [part for part in others if part.target_texts is not None]
    at_most = min(MAX_POOL, MAX_CELLS // max(map(len, questions)))
    return Pool.of(sets, others, at_most=at_most, always=questions)
