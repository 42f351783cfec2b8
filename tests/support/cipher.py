"""Sentences and the same in a cipher: one encoder of letters reads both, and finds nothing."""

from __future__ import annotations

import numpy as np
from support.toy_data import hashed_letters

import kakehashi

_LETTERS = "aeioubdgklmnprstvz"
_CIPHER = str.maketrans(_LETTERS, _LETTERS[1:] + _LETTERS[:1])
CIPHER_ENCODERS = {"source_encoder": hashed_letters, "target_encoder": hashed_letters}


def ciphered(n: int, *, seed: int = 0, shuffled: bool = False) -> kakehashi.Pairs:
    """Make n pairs of four words of sixty, in groups of four.

    Args:
        shuffled: no answer belongs to its question.
    """
    words = ["".join(np.random.default_rng(100 + i).choice(list(_LETTERS), 5)) for i in range(60)]
    rng = np.random.default_rng(seed)
    texts = [" ".join(rng.choice(words, 4)) for _ in range(n)]
    targets = [text.translate(_CIPHER) for text in texts]
    if shuffled:
        targets = [str(text) for text in rng.permutation(targets)]
    groups = [f"g{i // 4}" for i in range(n)]
    return kakehashi.Pairs(texts, targets, groups=groups, name="cipher", licence="CC0")


def cipher_aligner(n: int, *, shuffled: bool = False) -> kakehashi.Aligner:
    """Fit closed forms on n pairs, which judge out of fold."""
    quick = {"ngrams": False, "learned": False, "learn_from": []}
    return kakehashi.fit(ciphered(n, shuffled=shuffled), **CIPHER_ENCODERS, **quick)
