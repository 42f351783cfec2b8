"""kakehashi: a small trained bridge between the embedding spaces of two text modalities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import KakehashiError
from .pairs import Pairs

if TYPE_CHECKING:
    from .aligner import Aligner
    from .bridge import Bridge, load
    from .curve import learning_curve
    from .encoders import as_encoder
    from .evaluation.report import Report
    from .ladder import fit
    from .pseudo import pseudo_pairs
    from .readers import read_pairs
    from .selection import select_for_pairing

__version__ = "0.1.0"
__all__ = [
    "Aligner",
    "Bridge",
    "KakehashiError",
    "Pairs",
    "Report",
    "as_encoder",
    "fit",
    "learning_curve",
    "load",
    "pseudo_pairs",
    "read_pairs",
    "select_for_pairing",
]

_LAZY = {
    "Aligner": "aligner",
    "Bridge": "bridge",
    "load": "bridge",
    "as_encoder": "encoders",
    "Report": "evaluation.report",
    "fit": "ladder",
    "learning_curve": "curve",
    "pseudo_pairs": "pseudo",
    "read_pairs": "readers",
    "select_for_pairing": "selection",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(f".{_LAZY[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
