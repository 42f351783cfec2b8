"""kakehashi: a small trained bridge between the embedding spaces of two text modalities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .data.pairs import Pairs
from .errors import KakehashiError

if TYPE_CHECKING:
    from .aligner import Aligner
    from .data.readers import read_pairs
    from .evaluation.curve import learning_curve
    from .multi_aligner import Bridge, load
    from .pairing.active_selection import select_for_pairing
    from .pairing.mining import pseudo_pairs
    from .report import Report
    from .training.fit import fit

__version__ = "0.1.0"
__all__ = [
    "Aligner",
    "Bridge",
    "KakehashiError",
    "Pairs",
    "Report",
    "fit",
    "learning_curve",
    "load",
    "pseudo_pairs",
    "read_pairs",
    "select_for_pairing",
]

_LAZY = {
    "Aligner": "aligner",
    "Bridge": "multi_aligner",
    "load": "multi_aligner",
    "Report": "report",
    "fit": "training.fit",
    "learning_curve": "evaluation.curve",
    "pseudo_pairs": "pairing.mining",
    "read_pairs": "data.readers",
    "select_for_pairing": "pairing.active_selection",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(f".{_LAZY[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
