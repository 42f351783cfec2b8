"""The few words that every part of the package uses: side, mode, role and metric."""

from __future__ import annotations

from typing import Literal

Side = Literal["source", "target"]
"""A modality: the source is carried over, the target is the one whose space is kept."""

SIDES: tuple[Side, ...] = ("source", "target")

Mode = Literal["keep", "shared"]
"""``keep`` projects queries and leaves a stored index as it is; ``shared`` projects both sides."""

Role = Literal["query", "document"]

Metric = Literal["cosine", "ip", "l2"]
"""How a store compares vectors: by cosine, inner product or (squared) Euclidean distance."""
