"""Evaluation: scores with intervals, baselines, learning curves and robustness."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .baselines import Both, Encoders, Reranked, Translated
    from .comparison import compare
    from .comparison_result import Comparison
    from .curve import learning_curve
    from .curve_result import LearningCurve
    from .judgement import Judgement
    from .retriever import RetrieverEvaluation, evaluate_retriever
    from .robustness.measure import measure_robustness
    from .scoring import Evaluation, evaluate

_MODULES = {
    "Both": "baselines",
    "Comparison": "comparison_result",
    "Encoders": "baselines",
    "Evaluation": "scoring",
    "Judgement": "judgement",
    "LearningCurve": "curve_result",
    "Reranked": "baselines",
    "RetrieverEvaluation": "retriever",
    "Translated": "baselines",
    "compare": "comparison",
    "evaluate": "scoring",
    "evaluate_retriever": "retriever",
    "learning_curve": "curve",
    "measure_robustness": "robustness.measure",
}
__all__ = [
    "Both",
    "Comparison",
    "Encoders",
    "Evaluation",
    "Judgement",
    "LearningCurve",
    "Reranked",
    "RetrieverEvaluation",
    "Translated",
    "compare",
    "evaluate",
    "evaluate_retriever",
    "learning_curve",
    "measure_robustness",
]


def __getattr__(name: str) -> Any:
    """Load a name when it is asked for."""
    if name in _MODULES:
        from importlib import import_module

        return getattr(import_module(f".{_MODULES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return all names, also those that are not loaded yet."""
    return sorted({*globals(), *__all__})
