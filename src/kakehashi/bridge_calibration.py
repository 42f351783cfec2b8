"""How scores compare in a bridge: between each source and the target, and between two sources.

Each aligner brings the lines between its own modalities. For a query of one source and a document
of another nobody has pairs, and the two aligners' lines to the target say too little: French and
Japanese texts of one encoder are closer to each other than either is to English (figures in
docs/architecture.md). But the samples of held-out pairs that the aligners keep stand side by side
in the target space, so what has to do with what is found as it is within an aligner: by all views
of the two pairs together. The nearest of a foreign sample need not be near, where the two were
drawn from different fields; so it counts as an answer only where its target is as near as all but
a tenth of the neighbours within a sample are.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .calibration import Calibration, Choice, Line, Lines, Seen, choose, nearest, views_together
from .serving import Serving
from .vectors import FloatArray

_NEAR = 0.1
_LEAST = 20
"""Answers below which a line between two sources would be drawn through next to nothing."""
_SAME = 1 - 2e-3
"""Cosine from which on two targets are one; samples are kept as float16."""


def calibrate_bridge(served: Mapping[str, Serving], target: str) -> Calibration | None:
    """Put the lines of several aligners, and those between their sources, into one calibration.

    Args:
        served: of each aligner, by the name of its source.

    Returns:
        None where an aligner has no calibration. Words count where all of them count words.
    """
    own = {name: s.calibration for name, s in served.items() if s.calibration is not None}
    if len(own) < len(served):
        return None
    n = sum(calibration.n_pairs for calibration in own.values())
    plain = _lines({name: c.plain for name, c in own.items()}, target)
    hybrid: Lines = {}
    if all(calibration.hybrid for calibration in own.values()):
        hybrid = _lines({name: c.hybrid for name, c in own.items()}, target)
    for asks, answers in permutations(served, 2):
        across = [(asks, target), (target, answers)]  # what lies between the two
        known = plain[asks, target]
        found = between(served[asks].sample, served[answers].sample, known=known)
        plain[asks, answers] = found or _mean([plain[key] for key in across])
        if hybrid:
            # What words change in the lines of both to the target, they change here.
            change = _minus(
                _mean([hybrid[key] for key in across]), _mean([plain[key] for key in across])
            )
            hybrid[asks, answers] = _plus(plain[asks, answers], change)
    if min(found.dense for found in (*plain.values(), *hybrid.values())) <= 0:
        return None
    return Calibration(plain, hybrid, n)


def _lines(own: Mapping[str, Mapping[tuple[str, str], Line]], target: str) -> Lines:
    """Name the lines of each aligner; those within the target are told by all of them."""
    found: Lines = {}
    within = []
    for name, lines in own.items():
        named = {"source": name, "target": target}
        for (query, document), mine in lines.items():
            if query == document == "target":
                within.append(mine)
                continue
            found[named[query], named[document]] = mine
    found[target, target] = _mean(within)
    return found


def between(asks: Seen | None, answers: Seen | None, *, known: Line) -> Line | None:
    """Fit the line of one sample's sources asking for another's; None where little is shared.

    Args:
        known: the line of those sources asking for the target, beside whose documents the other
            sample's sources are found.
    """
    if asks is None or answers is None:
        return None
    q, d = asks.queries, answers.documents
    dense: FloatArray = q["source"] @ d["source"].T
    to_target: FloatArray = q["source"] @ d["target"].T
    targets: FloatArray = q["target"] @ d["target"].T
    views = [
        dense,
        targets,
        to_target,
        q["target"] @ d["source"].T,
        (answers.queries["source"] @ asks.documents["source"].T).T,
        (answers.queries["source"] @ asks.documents["target"].T).T,
        (answers.queries["target"] @ asks.documents["source"].T).T,
    ]
    same = targets > _SAME
    near = targets >= max(_usual(asks), _usual(answers))
    answered = nearest(views_together(views), same) & near
    if answered.sum() < _LEAST:
        return None
    choices = {
        "target": Choice(to_target, None, ~same, answered),
        "source": Choice(dense, None, ~same, answered),
    }
    return choose(choices, known=known)["source"]


def _usual(seen: Seen) -> float:
    """Return how near a target's nearest other is, in all but a tenth of the cases."""
    cosines: NDArray[Any] = seen.queries["target"] @ seen.documents["target"].T
    return float(np.quantile(np.where(cosines > _SAME, -1, cosines).max(axis=1), _NEAR))


def _mean(lines: list[Line]) -> Line:
    return Line(*(float(x) for x in np.mean(np.array(lines), axis=0)))


def _plus(a: Line, b: Line) -> Line:
    return Line(*(x + y for x, y in zip(a, b, strict=True)))


def _minus(a: Line, b: Line) -> Line:
    return Line(*(x - y for x, y in zip(a, b, strict=True)))
