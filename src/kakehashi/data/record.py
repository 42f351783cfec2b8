"""DataRecord: the data that made an aligner, kept in it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DataRecord:
    """The data that made an aligner.

    Attributes:
        content_hash: SHA-256 over the pairs; with a validation set or unpaired rows, over the
            hashes of all of them.
        n_unpaired: number of unpaired rows that the caller gave.
    """

    name: str
    licence: str
    content_hash: str
    n_pairs: int
    n_unpaired: int = 0
