"""Whether the sides of pairs read like each other's modality: columns that were swapped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..data.pairs import Pairs
from ..types import SIDES, Side
from ..vectors import thinned
from .router import Router
from .scripts import ScriptRouter

_READ, _LEAST, _MAX_ERROR = 200, 10, 0.2
"""Texts a side that the router reads, the least that it must decide on, and the largest error of a
router that can tell columns apart at all."""


class ReadAs(NamedTuple):
    """How a router reads the texts of both sides.

    Attributes:
        source_as_target, target_as_source: how many are read as the other side.
        read: texts that were read of each side.
        columns: ``"right"``, ``"swapped"``, or ``"source"`` or ``"target"`` where only that side
            reads like the other.
    """

    source_as_target: int
    target_as_source: int
    read: int
    columns: str

    def __str__(self) -> str:
        return (
            f"the router reads {self.source_as_target} of {self.read} sources as targets, and "
            f"{self.target_as_source} of {self.read} targets as sources"
        )


class ReadAsSource(NamedTuple):
    """How many of some texts a router reads as the source, of those that it read."""

    n: int
    read: int
    most: bool


def read_as_source(
    router: Router | ScriptRouter | None, texts: Sequence[str]
) -> ReadAsSource | None:
    """Let a router read up to 200 target texts; return None without one that can tell."""
    if router is None or not _can_tell(router) or not len(texts):
        return None
    rows = range(len(texts))[thinned(len(texts), _READ)]
    others, most = _read_as_other(router, [texts[row] for row in rows], "target")
    return ReadAsSource(others, len(rows), most)


def read_as(router: Router | ScriptRouter | None, pairs: Pairs) -> ReadAs | None:
    """Let a router read up to 200 texts a side.

    Returns:
        None without a router that can tell, or without texts on both sides.
    """
    sides = [pairs.texts(side) for side in SIDES]
    if router is None or None in sides or not _can_tell(router):
        return None
    rows = range(len(pairs))[thinned(len(pairs), _READ)]
    wrong: list[int] = []
    looks_wrong: list[bool] = []
    for side, texts in zip(SIDES, sides, strict=True):
        others, most = _read_as_other(router, [texts[row] for row in rows], side)  # type: ignore[index]
        wrong.append(others)
        looks_wrong.append(most)
    names = {(False, False): "right", (True, True): "swapped", (True, False): "source"}
    columns = names.get((looks_wrong[0], looks_wrong[1]), "target")
    return ReadAs(wrong[0], wrong[1], len(rows), columns)


def _can_tell(router: Router | ScriptRouter) -> bool:
    return not (isinstance(router, Router) and router.report.error > _MAX_ERROR)


def _read_as_other(router: Router | ScriptRouter, texts: list[str], side: Side) -> tuple[int, bool]:
    """Return how many texts of a side are read as the other, and whether most of them are."""
    answered = [modality for modality in router.route(texts) if modality is not None]
    others = sum(modality != side for modality in answered)
    return others, len(answered) >= _LEAST and others > len(answered) / 2
