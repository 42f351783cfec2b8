"""Metrics, intervals and baselines: what a map is judged by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .baselines import Both, Encoders, Reranked, Translated
    from .comparison import Comparison, compare
    from .scoring import Evaluation, evaluate

_MODULES = {
    "Both": "baselines",
    "Comparison": "comparison",
    "Encoders": "baselines",
    "Evaluation": "scoring",
    "Reranked": "baselines",
    "Translated": "baselines",
    "compare": "comparison",
    "evaluate": "scoring",
}
__all__ = [
    "Both",
    "Comparison",
    "Encoders",
    "Evaluation",
    "Reranked",
    "Translated",
    "compare",
    "evaluate",
]


def __getattr__(name: str) -> Any:
    """Load what scores an aligner when it is asked for: it stands on encoders, this does not."""
    if name in _MODULES:
        from importlib import import_module

        return getattr(import_module(f".{_MODULES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
