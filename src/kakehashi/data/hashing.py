"""Keys of rows, and hashes of what is saved: equal ones have equal keys."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..vectors import FloatArray, chunks

Keys = NDArray[np.uint64]


def text_key(text: str) -> int:
    """Hash a text to 64 bits (BLAKE2b), the same in every process and on every machine."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def vector_keys(vectors: FloatArray) -> Keys:
    """Hash each row, rounded to float16, by random odd multipliers modulo 2**64.

    The rounding makes one of a vector and its copy in another precision. Each word is mixed before
    the sum (the finaliser of MurmurHash3), for plain multiply-shift is linear, and rows of the
    same few values would collide. A million rows take seconds; SHA-256 would take many more.
    """
    width = (vectors.shape[1] + 1) // 2
    odd = np.random.default_rng(20241030).integers(0, 2**63, size=width, dtype=np.uint64) * 2 + 1
    keys = np.empty(len(vectors), dtype=np.uint64)
    for part in chunks(len(vectors), 1024):
        rows = in_range(np.asarray(vectors[part], np.float32)).astype(np.float16) + np.float16(0)
        halves = np.zeros((len(rows), 2 * width), np.float16)
        halves[:, : rows.shape[1]] = rows
        keys[part] = mixed(halves.view(np.uint32).astype(np.uint64) + 1) @ odd
    return keys


def in_range(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale rows that float16 cannot hold by a power of two; leave all others as they are."""
    largest = np.abs(rows).max(axis=1, initial=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        outside = np.isfinite(largest) & (largest > 0) & ((largest < 2**-6) | (largest >= 2**15))
        exponents = np.where(outside, np.floor(np.log2(largest)), 0)
    return rows if not outside.any() else np.ldexp(rows, -exponents.astype(np.int32)[:, None])


def mixed(words: Keys) -> Keys:
    """Mix the bits of each word (the first half of MurmurHash3's finaliser)."""
    words = words * np.uint64(0xFF51AFD7ED558CCD)
    return words ^ (words >> np.uint64(33))


def numbered(labels: Sequence[str]) -> NDArray[np.intp]:
    """Number the different labels in their sorted order, (n,).

    An array of the labels would be as wide as the longest of them, in every row.
    """
    number = {label: i for i, label in enumerate(sorted(set(labels)))}
    return np.array([number[label] for label in labels], np.intp)


def hash_of(record: Any, tensors: Mapping[str, NDArray[Any]]) -> str:
    """Return the SHA-256 of a JSON-ready record and of named tensors."""
    digest = hashlib.sha256(json.dumps(record, sort_keys=True).encode())
    for name in sorted(tensors):
        digest.update(f"{name} {tensors[name].shape}".encode())
        digest.update(np.ascontiguousarray(tensors[name]).data)
    return digest.hexdigest()
