"""Notes for the report of a fit: where its scores say another thing than they seem to."""

from __future__ import annotations

from collections.abc import Iterator

from ..data.pairs import Pairs
from ..encoders import Encoder
from ..metrics.relevance import FEW_GROUPS, MIN_GROUPS
from ..routing.router import Router
from ..routing.swapped import read_as, read_as_source
from ..vectors import thinned
from .fit_inputs import FitInputs
from .near_copies import near_copies
from .split_plan import SplitPlan

_READ, _MANY_UNKNOWN = 200, 0.05
"""Sources that are read for unknown tokens, and the share that is worth a note. all-MiniLM-L6-v2
does not know .17 of the KiCad notes in Japanese, and none of their English."""


def copies_across_the_split(plan: SplitPlan) -> Iterator[str]:
    """Say where near copies of the pairs that judge were fitted."""
    part = plan.judged[0]
    copies = near_copies(part.held_out, plan.pairs.select(part.train))
    if copies.worth_a_note:
        yield (
            f"near copies of held-out pairs were fitted: {copies}; the scores say little about "
            "questions of a new kind. Name the kind of each pair as its group: a group is never "
            "split"
        )


def swapped_columns(router: Router | None, inputs: FitInputs) -> Iterator[str]:
    """Say where the columns of the pairs, or of a set of the caller's, look swapped.

    The router learns from the pairs, so it cannot judge their columns by themselves. The documents
    of an index are targets: they tell.
    """
    texts = [text for index in inputs.indices for text in index.texts or ()]
    reading = read_as_source(router, texts)
    if reading is not None and reading.most:
        source, target = inputs.pairs.columns
        yield (
            f"the columns of the pairs look swapped: {reading.n} of {reading.read} documents of "
            f"the index read like the sources. Run it again with --source {target} --target "
            f"{source}"
        )
    sets: dict[str, Pairs | None] = {"validation": inputs.validation, "test": inputs.test}
    for name, pairs in sets.items():
        sides = None if pairs is None else read_as(router, pairs)
        if sides is not None and sides.columns != "right":
            yield (
                f"the columns of the {name} set look swapped: {sides}; its scores say nothing. "
                "Exchange the names of its two columns, and run it again"
            )


def unread_script(encoder: Encoder | None, pairs: Pairs) -> Iterator[str]:
    """Say where the source encoder does not know the script of the sources.

    Only a model whose tokenizer is at hand tells. It reads up to 200 texts.
    """
    share = getattr(encoder, "unknown_share", None)
    texts = pairs.source_texts
    if share is None or texts is None:
        return
    rows = range(len(texts))[thinned(len(texts), _READ)]
    unknown = share([texts[row] for row in rows])
    if unknown is not None and unknown > _MANY_UNKNOWN:
        yield (
            f"the source encoder does not know {unknown:.0%} of the tokens of the sources: it was "
            "not made for their script. One that reads it is likely to find more; `kakehashi "
            "encoders` lists some"
        )


def sets_that_share_groups(inputs: FitInputs) -> Iterator[str]:
    """Say where a set of the caller's has groups of pairs that are fitted before it asks."""
    pairs, validation = inputs.pairs, inputs.validation
    for name, asking, others in (
        ("validation", validation, {"the pairs": pairs}),
        ("test", inputs.test, {"the pairs": pairs, "the validation set": validation}),
    ):
        for where, fitted in others.items():
            if note := shared_groups(asking, fitted, name=name, where=where):
                yield note


def shared_groups(
    asking: Pairs | None, fitted: Pairs | None, *, name: str, where: str
) -> str | None:
    """Say how many groups of a set also stand in a set that is fitted; None where none does."""
    if asking is None or fitted is None or asking.groups is None or fitted.groups is None:
        return None
    groups = set(asking.groups)
    shared = groups & set(fitted.groups)
    if not shared:
        return None
    return (
        f"{len(shared)} of {len(groups)} groups of the {name} set also stand in {where}: the "
        "scores say nothing about documents that are new"
    )


def few_groups(questions: Pairs) -> str | None:
    """Say how sure a score is where the questions stand in few groups; None where in many."""
    n = len(set(questions.groups or ()))
    if questions.groups is None or n >= FEW_GROUPS:
        return None
    if n == 1:
        return (
            "all questions stand in one group, so each counts by itself: the scores say nothing "
            "about other groups"
        )
    if n < MIN_GROUPS:
        return (
            f"the questions stand in {n} groups: intervals count whole groups, so they are wide. "
            "Tests cannot, with so few: there each question counts by itself, and a difference is "
            "shown too easily"
        )
    return (
        f"the questions stand in {n} groups, and whole groups count: with so few the intervals are "
        "a little too narrow"
    )
