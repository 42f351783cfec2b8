"""kakehashi: a small trained bridge between the embedding spaces of two text modalities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .data.pairs import Pairs
from .errors import KakehashiError

if TYPE_CHECKING:
    from .aligner import Aligner
    from .data.readers import read_pairs
    from .multi_aligner import MultiAligner, load
    from .training.fit import fit

__version__ = "0.1.0"
__all__ = [
    "Aligner",
    "KakehashiError",
    "MultiAligner",
    "Pairs",
    "fit",
    "load",
    "read_pairs",
]

_LAZY = {
    "Aligner": "aligner",
    "MultiAligner": "multi_aligner",
    "load": "multi_aligner",
    "fit": "training.fit",
    "read_pairs": "data.readers",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(f".{_LAZY[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
