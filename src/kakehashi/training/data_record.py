"""What an aligner records of the sets that made it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from ..data.pairs import Pairs


def content_of(sets: Sequence[Pairs]) -> str:
    """Return the content hash of one set, or one hash of those of several."""
    hashes = [each.content_hash for each in sets]
    if len(hashes) == 1:
        return hashes[0]
    return hashlib.sha256(" ".join(hashes).encode()).hexdigest()


def joined(words: Sequence[str | None]) -> str:
    """Join the different names, or licences, of several sets."""
    return " + ".join(dict.fromkeys(filter(None, words)))
