"""Hashes of the texts of a training, by which its pairs are recognised later.

A SHA-256 over the texts alone names the whole set. It is the same for every encoder, thread count
and order of rows. A sample of hashes recognises parts of the set. The pairs with the smallest
hashes are kept (a bottom-k sample: Cohen & Kaplan, PODC 2007). Pairs of another set can be looked
up where their hash is below the largest of them. No text can be read back. Whoever guesses both
texts of a pair can see whether it was there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..data.hashing import Keys, mixed
from ..data.pairs import Pairs
from ..report import DataRecord
from ..types import SIDES

SAMPLE = 1000
_ODD = np.uint64(0x9E3779B97F4A7C15)
_DIGITS = 16


class Seen(NamedTuple):
    """How many pairs stood in the training, of those that the sample can tell of."""

    n: int
    checked: int


def texts_hash(sets: Sequence[Pairs]) -> str:
    """Return the SHA-256 over the different pairs of texts; empty where a side has none."""
    digests: set[bytes] = set()
    for pairs in sets:
        if pairs.source_texts is None or pairs.target_texts is None:
            return ""
        for texts in zip(pairs.source_texts, pairs.target_texts, strict=True):
            content = [text.encode() for text in texts]
            lengths = b"".join(len(each).to_bytes(8, "little") for each in content)
            digests.add(hashlib.sha256(lengths + b"".join(content)).digest())
    return hashlib.sha256(b"".join(sorted(digests))).hexdigest()


def sample_of(sets: Sequence[Pairs]) -> str:
    """Return the smallest hashes of the pairs, 16 hexadecimal digits each, in ascending order.

    Empty where a side has no texts.
    """
    if any(pairs.texts(side) is None for pairs in sets for side in SIDES):
        return ""
    keys = np.unique(np.concatenate([_keys(pairs) for pairs in sets]))[:SAMPLE]
    return "".join(f"{int(key):0{_DIGITS}x}" for key in keys)


def seen_in(record: DataRecord, pairs: Pairs) -> Seen:
    """Look the pairs up in the sample of a training; none can be where it has no sample."""
    sample = record.texts_sample
    known = np.array(
        [int(sample[i : i + _DIGITS], 16) for i in range(0, len(sample), _DIGITS)], np.uint64
    )
    if not len(known) or any(pairs.texts(side) is None for side in SIDES):
        return Seen(0, 0)
    keys = _keys(pairs)
    if len(known) == SAMPLE:  # else it holds all pairs
        keys = keys[keys <= known[-1]]
    return Seen(int(np.isin(keys, known).sum()), len(keys))


def _keys(pairs: Pairs) -> Keys:
    source, target = (pairs.keys(side) for side in SIDES)
    keys: Keys = mixed(mixed(source) + target * _ODD)
    return keys
