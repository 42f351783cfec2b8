"""kakehashi: a small trained bridge between the embedding spaces of two text modalities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import KakehashiError
from .pairs import Pairs

if TYPE_CHECKING:
    from .aligner import Aligner
    from .encoders import as_encoder
    from .evaluation.report import Report
    from .ladder import fit
    from .readers import read_pairs

__version__ = "0.1.0"
__all__ = ["Aligner", "KakehashiError", "Pairs", "Report", "as_encoder", "fit", "read_pairs"]

_LAZY = {
    "Aligner": "aligner",
    "as_encoder": "encoders",
    "Report": "evaluation.report",
    "fit": "ladder",
    "read_pairs": "readers",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(f".{_LAZY[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
