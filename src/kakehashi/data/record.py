"""DataRecord: the data that made an aligner, kept in it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DataRecord:
    """Which data made an aligner.

    Attributes:
        content_hash: SHA-256 over the pairs; where a validation set or unpaired rows were given,
            too, over the hashes of all.
        n_unpaired: rows without a pair that the caller gave.
    """

    name: str
    licence: str
    content_hash: str
    n_pairs: int
    n_unpaired: int = 0
