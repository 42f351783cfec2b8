"""The documents that rescoring has projected, so that a hit that is found again is not projected.

A document is known by its text, its stored vector and the fingerprint of the map.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from threading import Lock
from typing import Any

from ..vectors import Float32Array

LIMIT = 64 * 1024 * 1024
"""Bytes that all rescored searches of a process share: some 38,000 documents of 384 dimensions."""
_BESIDE = 200
"""Bytes that an entry takes beside its numbers: its key, its array object, its link."""


class ProjectedDocuments:
    """A map from keys to (d,) float32 vectors; over the limit, the longest unused goes first.

    Threads may share it.

    Args:
        limit: bytes of all entries.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit, self.n_bytes = limit, 0
        self._vectors: OrderedDict[bytes, Float32Array] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        """Return the number of vectors."""
        return len(self._vectors)

    def get(self, keys: Iterable[bytes]) -> dict[bytes, Float32Array]:
        """Return the vectors that are known, by key."""
        found = {}
        with self._lock:
            for key in keys:
                if (vector := self._vectors.get(key)) is not None:
                    self._vectors.move_to_end(key)
                    found[key] = vector
        return found

    def put(self, vectors: Mapping[bytes, Float32Array]) -> None:
        """Keep vectors by key; each is copied, so that none holds a larger array alive."""
        with self._lock:
            for key, vector in vectors.items():
                if key not in self._vectors:
                    self._vectors[key] = vector.copy()
                    self.n_bytes += vector.nbytes + _BESIDE
            while self.n_bytes > self.limit and self._vectors:
                _, oldest = self._vectors.popitem(last=False)
                self.n_bytes -= oldest.nbytes + _BESIDE

    def clear(self) -> None:
        """Forget all vectors."""
        with self._lock:
            self._vectors.clear()
            self.n_bytes = 0


PROJECTED = ProjectedDocuments()
"""Of the process."""


def keys_of(
    map_name: str, texts: Sequence[str], vectors: Sequence[Float32Array | None]
) -> list[bytes]:
    """Return the key of each document under a map.

    Args:
        map_name: the fingerprint of the map.
        vectors: the stored ones; None where the target encoder embeds the text.
    """
    return [_key(map_name, *each) for each in zip(texts, vectors, strict=True)]


def _key(map_name: str, text: str, vector: Any) -> bytes:
    told = text.encode("utf-8", "surrogatepass")
    digest = sha256(f"{map_name} {len(told)} ".encode() + told)  # in hardware on most machines
    if vector is not None:
        digest.update(vector.tobytes())
    return digest.digest()[:16]
