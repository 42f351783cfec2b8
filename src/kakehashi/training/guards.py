"""Notes for the report of a fit: where its scores say another thing than they seem to."""

from __future__ import annotations

from collections.abc import Iterator

from ..data.pairs import Pairs
from ..routing.router import Router
from ..routing.swapped import read_as
from .near_copies import near_copies
from .prepare import FitInputs
from .split_plan import SplitPlan


def copies_across_the_split(plan: SplitPlan) -> Iterator[str]:
    """Say where near copies of the pairs that judge were fitted."""
    copies = near_copies(plan.judged.held_out, plan.pairs.select(plan.judged.train))
    if copies.worth_a_note:
        yield (
            f"near copies of held-out pairs were fitted: {copies}; the scores say little about "
            "questions of a new kind. Name the kind of each pair as its group: a group is never "
            "split"
        )


def swapped_sets(router: Router | None, inputs: FitInputs) -> Iterator[str]:
    """Say where the columns of a set of the caller's stand the other way round than the pairs'."""
    sets: dict[str, Pairs | None] = {"validation": inputs.validation, "test": inputs.test}
    for name, pairs in sets.items():
        reading = None if pairs is None else read_as(router, pairs)
        if reading is not None and reading.columns != "right":
            yield f"the columns of the {name} set look swapped: {reading}; its scores say nothing"
