"""Warnings of evaluate(): where its scores say another thing than they seem to."""

from __future__ import annotations

from typing import NamedTuple

from ..aligner import Aligner
from ..data.pairs import Pairs
from ..routing.swapped import read_as
from ..training.near_copies import near_copies
from ..training.seen_pairs import seen_in, texts_hash

_SPOILT = 0.1
"""Share of pairs that were fitted from which on the scores say nothing; fewer are a warning."""


class Warned(NamedTuple):
    """A warning about the pairs.

    Attributes:
        spoils: whether the scores say nothing, so that there can be no verdict.
        next_step: the remedy.
    """

    text: str
    spoils: bool
    next_step: str


def warnings_about(aligner: Aligner, pairs: Pairs, trained_on: Pairs | None = None) -> list[Warned]:
    """Find pairs of the training, columns that look swapped, and near copies; the worst first.

    Args:
        trained_on: the pairs of the fit, if they are at hand. Without them an aligner recognises
            equal pairs, and no near copies.
    """
    found = (
        _swapped(aligner, pairs),
        _fitted(aligner, pairs),
        None if trained_on is None else _near_fitted(pairs, trained_on),
        _near_copies(pairs),
    )
    return [warned for warned in found if warned is not None]


def _fitted(aligner: Aligner, pairs: Pairs) -> Warned | None:
    data, advice = aligner.data, "evaluate on pairs that the aligner was not fitted on"
    whole = data.texts_hash and data.texts_hash == texts_hash([pairs])
    if whole or data.content_hash == pairs.content_hash:
        text = "these are the very pairs that the aligner was fitted on: it may know them by heart"
        return Warned(text, True, advice)
    seen = seen_in(data, pairs)
    if not seen.n:
        return None
    text = f"{seen.n} of {seen.checked} pairs were fitted"
    if seen.checked < len(pairs):
        text = f"{text} (by their hashes, so many of the {len(pairs)} can be looked up)"
    return Warned(text, seen.n >= _SPOILT * seen.checked, advice)


def _swapped(aligner: Aligner, pairs: Pairs) -> Warned | None:
    reading = read_as(aligner.router, pairs)
    if reading is None or reading.columns == "right":
        return None
    source, target = pairs.columns
    if reading.columns == "swapped":
        text = f"the columns look swapped: {reading}"
        return Warned(text, True, f"run it again with --source {target} --target {source}")
    column = source if reading.columns == "source" else target
    text = f"the column {column!r} does not read like the {reading.columns}: {reading}"
    return Warned(text, True, f"name the right column with --{reading.columns}")


def _near_fitted(pairs: Pairs, trained_on: Pairs) -> Warned | None:
    copies = near_copies(pairs, trained_on)
    if not copies.worth_a_note:
        return None
    text = (
        f"near copies of these pairs were fitted: {copies}; the scores say little about questions "
        "of a new kind"
    )
    return Warned(text, False, "hold whole kinds out: name the kind of each pair as its group")


def _near_copies(pairs: Pairs) -> Warned | None:
    """Find kinds of question; named groups tell them apart, and intervals then count groups."""
    if pairs.groups is not None:
        return None
    copies = near_copies(pairs)
    if not copies.worth_a_note:
        return None
    text = (
        f"near copies among the pairs: {copies}; they are fewer questions than rows, and the "
        "intervals are too narrow"
    )
    return Warned(text, False, "name the kind of each pair in a column, with --group")
