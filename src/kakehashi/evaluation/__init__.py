"""Metrics, intervals and baselines: what a map is judged by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .baselines import Both, Encoders, Reranked, Translated
    from .comparison import Comparison, compare

__all__ = ["Both", "Comparison", "Encoders", "Reranked", "Translated", "compare"]


def __getattr__(name: str) -> Any:
    """Load what compares when it is asked for: it stands on encoders, which this does not."""
    if name in __all__:
        from importlib import import_module

        module = "comparison" if name in ("Comparison", "compare") else "baselines"
        return getattr(import_module(f".{module}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
