"""Several routers of one target: which of all modalities a text is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .router import Router
from .scripts import ScriptRouter


def route_among(
    routers: Mapping[str, Router | ScriptRouter], target: str, texts: Sequence[str]
) -> list[str | None]:
    """Return the modality of each text; None where the routers are unsure.

    Each router gives the log-odds of its source against the shared target. Those of two sources
    subtract: ``ja`` against ``fr`` is ``ja`` against ``en`` minus ``fr`` against ``en``. A router
    that gives no log-odds for a text is ignored. The likeliest modality is returned where it leads
    the next by more than the larger threshold of their routers.

    Args:
        routers: by the name of their source.

    Raises:
        DataError: no list of strings.
    """
    evidence = {name: router.evidence(texts) for name, router in routers.items()}
    thresholds = {name: router.threshold for name, router in routers.items()}
    modalities: list[str | None] = []
    for row in range(len(texts)):
        odds = {name: value for name, of in evidence.items() if (value := of[row]) is not None}
        modalities.append(_likeliest({**odds, target: 0.0}, thresholds) if odds else None)
    return modalities


def _likeliest(odds: Mapping[str, float], thresholds: Mapping[str, float]) -> str | None:
    """Return the modality of the highest log-odds; None where its lead is no more than a threshold.

    The target, whose log-odds are 0, has no threshold of its own.
    """
    first, second = sorted(odds, key=lambda name: -odds[name])[:2]
    threshold = max(thresholds[name] for name in (first, second) if name in thresholds)
    return first if odds[first] - odds[second] > threshold else None
