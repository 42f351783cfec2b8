"""Pairs that look wrong: neither side finds the other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..data.pairs import Pairs
from ..metrics.ranking import ranks
from ..metrics.relevance import Relevance
from ..vectors import Float32Array

FAR = 10
"""Both sides have to rank each other behind so many. `benchmarks/wrong_pairs.py` plants 22 wrong
pairs among the demo's 441 test pairs: 20 to 22 of them are named, and 2 or 3 of the others."""


def wrong_pairs(
    queries: Float32Array, documents: Float32Array, pairs: Pairs, found_at: NDArray[np.intp]
) -> NDArray[np.intp]:
    """Return the rows that look wrong, the farthest first.

    A question that is hard finds its document late, but the document still finds its question
    among the first. Where neither finds the other, the two probably do not belong together.

    Args:
        queries, documents: (n, d) projected vectors of the pairs, row by row.
        pairs: that they are of. Equal documents are answers to all their questions.
        found_at: (n,) rank of the best answer to each question in the whole index.
    """
    exchanged = Pairs(
        pairs.target_texts,
        pairs.source_texts,
        source_vectors=None if pairs.target_texts is not None else documents,
        target_vectors=None if pairs.source_texts is not None else queries,
    )
    relevance = Relevance.of(exchanged)
    asked_at = ranks(documents, queries, "cosine", relevance=relevance)
    far = np.flatnonzero((found_at > FAR) & (asked_at > FAR))
    in_order: NDArray[np.intp] = far[
        np.argsort(-np.minimum(found_at, asked_at)[far], kind="stable")
    ]
    return in_order
