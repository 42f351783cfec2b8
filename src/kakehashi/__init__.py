"""kakehashi: a small trained bridge between the embedding spaces of two text modalities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .data.pairs import Pairs
from .errors import KakehashiError

if TYPE_CHECKING:
    from . import encoders as encoders
    from . import evaluation as evaluation
    from . import pairing as pairing
    from . import progress as progress
    from .aligner import Aligner
    from .data.readers import read_pairs
    from .integrations.reading import read_index
    from .multi_aligner import MultiAligner, load
    from .retrieval.second_model.model import SecondModel
    from .training.fit import fit

__version__ = "0.1.0"
__all__ = [
    "Aligner",
    "KakehashiError",
    "MultiAligner",
    "Pairs",
    "SecondModel",
    "fit",
    "load",
    "read_index",
    "read_pairs",
]

_LAZY = {
    "Aligner": "aligner",
    "MultiAligner": "multi_aligner",
    "SecondModel": "retrieval.second_model.model",
    "load": "multi_aligner",
    "fit": "training.fit",
    "read_index": "integrations.reading",
    "read_pairs": "data.readers",
}
_LAZY_MODULES = ("encoders", "evaluation", "pairing", "progress")
"""Modules for callers, which need no import of their own: ``kakehashi.progress.show_progress()``"""


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _LAZY_MODULES:
        return import_module(f".{name}", __name__)
    if name in _LAZY:
        return getattr(import_module(f".{_LAZY[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return all names, also those that are not loaded yet: editors complete what this returns."""
    return sorted({*globals(), *__all__, *_LAZY_MODULES})
