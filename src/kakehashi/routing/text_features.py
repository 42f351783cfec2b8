"""The features of a text that a learned router reads: its hashed character n-grams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..projection.ngrams import ngram_hashes
from .classifier import Buckets
from .scripts import folded

CLASSIFIER_BUCKETS = 2**14
"""Buckets of the classifier (64 KB). With 2,048 of them held-out errors were half as many again."""
SEEN_BUCKETS = 2**18
"""Buckets that record which n-grams were seen in training (32 KB). Few n-grams share one."""


class TextFeatures(NamedTuple):
    """The different buckets of a text's n-grams, in ascending order.

    Attributes:
        buckets: of unigrams, bigrams and trigrams, below :data:`CLASSIFIER_BUCKETS`.
        short_buckets: of unigrams and bigrams, below :data:`SEEN_BUCKETS`.
        has_letter: whether the text has a letter.
    """

    buckets: Buckets
    short_buckets: Buckets
    has_letter: bool


def features_of(text: str) -> TextFeatures:
    """Cut a text into n-grams, both as it is written and in lower case.

    Case tells code from prose. A text whose case differs from the pairs still shares the n-grams in
    lower case.
    """
    words = " ".join(folded(text).split())
    if not words:
        return TextFeatures(np.empty(0, np.intp), np.empty(0, np.intp), False)
    hashes, short_hashes = [], []
    for padded in dict.fromkeys((f" {words} ", f" {words.lower()} ")):
        of_padded = ngram_hashes(padded, (1, 2, 3))
        hashes.append(of_padded)
        short_hashes.append(of_padded[: 2 * len(padded) - 1])  # unigrams come first, then bigrams
    has_letter = any(map(str.isalpha, words))
    return TextFeatures(
        _buckets(hashes, CLASSIFIER_BUCKETS), _buckets(short_hashes, SEEN_BUCKETS), has_letter
    )


def _buckets(hashes: Sequence[NDArray[np.uint64]], n_buckets: int) -> Buckets:
    return np.unique(np.concatenate(hashes) % np.uint64(n_buckets)).astype(np.intp)
