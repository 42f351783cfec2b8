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

from ..serving import Serving
from ..types import SIDES
from ..vectors import Float32Array
from .calibration import Calibration, Sample, likeliest, nearest, views_together
from .conditional_logit import Choice, Line, choose

Numbers = dict[tuple[str, str], NDArray[np.float64]]
_NEAR = 0.1
"""Share of the neighbours within a sample that are no nearer than a foreign one has to be."""
_LEAST = 20
"""Answers below which a line between two sources would be drawn through next to nothing."""
_SAME = 1 - 2e-3
"""Cosine from which on two targets are one; samples are kept as float16."""


def calibrate_bridge(served: Mapping[str, Serving], target: str) -> Calibration | None:
    """Put the lines of several aligners, and those between their sources, into one calibration.

    Args:
        served: of each aligner, by the name of its source.

    Returns:
        None where an aligner has no calibration, or a similarity would count for nothing. Words
        count where all of them count words.
    """
    own = {name: s.calibration for name, s in served.items() if s.calibration is not None}
    if len(own) < len(served):
        return None
    n = sum(calibration.n_pairs for calibration in own.values())
    plain = _named({name: c.plain for name, c in own.items()}, target)
    hybrid: Numbers = {}
    shares: Numbers = {}
    if all(calibration.hybrid for calibration in own.values()):
        hybrid = _named({name: c.hybrid for name, c in own.items()}, target)
        shares = _named({name: c.words_by_rank for name, c in own.items()}, target)
    for name, serving in served.items():
        beside = _of_target(serving.sample, Line(*plain[target, target]))
        if beside is not None:
            if hybrid:
                change = hybrid[target, name] - plain[target, name]
                hybrid[target, name] = _moved(np.array(beside), change)
            plain[target, name] = np.array(beside)
    for asks, answers in permutations(served, 2):
        across = [(asks, target), (target, answers)]  # what lies between the two
        known = Line(*plain[asks, target])
        found = between(served[asks].sample, served[answers].sample, known=known)
        middle = np.mean([plain[key] for key in across], axis=0)
        plain[asks, answers] = middle if found is None else np.array(found)
        if hybrid:
            # What words change in the lines of both to the target, they change here.
            change = np.mean([hybrid[key] for key in across], axis=0) - middle
            hybrid[asks, answers] = _moved(plain[asks, answers], change)
            shares[asks, answers] = np.mean([shares[key] for key in across], axis=0)
    by_vector, by_both = (
        {key: Line(*map(float, numbers)) for key, numbers in each.items()}
        for each in (plain, hybrid)
    )
    if min(line.dense for each in (by_vector, by_both) for line in each.values()) <= 0:
        return None
    return Calibration(by_vector, by_both, n, {key: float(share) for key, share in shares.items()})


def _moved(line: NDArray[np.float64], change: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a line with what words change in others; a later place still counts no more."""
    dense, place, lexical, offset = line + change
    return np.array([dense, min(0.0, place), max(0.0, lexical), offset])


def _named(own: Mapping[str, Mapping[tuple[str, str], Any]], target: str) -> Numbers:
    """Name what each aligner learned; what lies within the target is told by all of them."""
    found: Numbers = {}
    within = []
    for name, learned in own.items():
        named = {"source": name, "target": target}
        for (query, document), numbers in learned.items():
            if query == document == "target":
                within.append(numbers)
                continue
            found[named[query], named[document]] = np.array(numbers)
    found[target, target] = np.mean(within, axis=0)
    return found


def _of_target(sample: Sample | None, known: Line) -> Line | None:
    """Fit the line of the target asking for an aligner's sources, beside the one within the target.

    The latter is told by all aligners, and only what stands in one list compares: the aligner's
    own line was fitted beside its own.
    """
    if sample is None:
        return None
    q, d = sample.queries, sample.documents
    scores = {(a, b): q[a] @ d[b].T for a in SIDES for b in SIDES}
    same = _same(d["target"], d["target"]) | _same(d["source"], d["source"])
    answered = likeliest(list(scores.values()), same)
    if answered.sum() < _LEAST:
        return None
    choices: dict[str, Choice] = {
        side: Choice(scores["target", side], None, ~same, answered) for side in reversed(SIDES)
    }
    return choose(choices, known=known)["source"]


def between(asks: Sample | None, answers: Sample | None, *, known: Line) -> Line | None:
    """Fit the line of one sample's sources asking for another's; None where little is shared.

    Args:
        known: the line of those sources asking for the target, beside whose documents the other
            sample's sources are found.
    """
    if asks is None or answers is None:
        return None
    # All views of a pair of one sample and a pair of the other: (n, m) each, either side asking.
    forth = [asks.queries[a] @ answers.documents[b].T for a in SIDES for b in SIDES]
    back = [(answers.queries[a] @ asks.documents[b].T).T for a in SIDES for b in SIDES]
    same = _same(asks.documents["target"], answers.documents["target"])
    targets = asks.documents["target"] @ answers.documents["target"].T
    near = targets >= max(_usual(asks), _usual(answers))
    answered = nearest(views_together([*forth, *back]), same) & near
    if answered.sum() < _LEAST:
        return None
    of_source = asks.queries["source"]
    choices = {
        side: Choice(of_source @ answers.documents[side].T, None, ~same, answered)
        for side in ("target", "source")
    }
    return choose({str(side): choice for side, choice in choices.items()}, known=known)["source"]


def _usual(sample: Sample) -> float:
    """Return how near a target's nearest other is, in all but a tenth of the cases."""
    targets = sample.documents["target"]
    cosines = np.where(_same(targets, targets), -1, targets @ targets.T)
    return float(np.quantile(cosines.max(axis=1), _NEAR))


def _same(one: Float32Array, other: Float32Array) -> NDArray[np.bool_]:
    """Say which documents are one text (a query of it may have a prompt before it)."""
    found: NDArray[np.bool_] = one @ other.T > _SAME
    return found
