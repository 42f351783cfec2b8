"""What `kakehashi fit --dry-run` prints: the texts, tokens and calls that a fit would take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from rich import box
from rich.table import Table

from ..encoders import Encoder
from ..encoders.functions import FunctionEncoder
from ..encoders.protocol import is_local
from ..language import translate, translate_sentence
from ..training.cost import Cost, cost_of_fit, cost_without_pairs
from ..training.fit_inputs import FitInputs
from ..training.sources import LearnFrom
from ..types import Side
from .console import plain_console, print_json

_ESTIMATE = (
    "Tokens are an estimate: one for four ASCII characters, one for any other. No encoder was "
    "asked. Less is asked for where both encoders share a space."
)
_ROLES = (
    "If an encoder has a way of its own for queries, which its answers will show, it is at most "
    "{texts:,} texts, {tokens:,} tokens and {calls:,} calls: such a model of LangChain or "
    "LlamaIndex takes one query in a call."
)
_NO_CACHE = "Pass --cache FILE: it keeps what was encoded, and another fit asks for nothing twice."
_CACHE = "What {cache} holds already is not asked for again."


def print_cost(
    inputs: FitInputs | tuple[Sequence[str] | None, LearnFrom],
    encoders: Mapping[Side, Encoder | None],
    *,
    cache: Path | None,
    as_json: bool,
) -> None:
    """Print what a fit would ask its encoders for.

    Args:
        inputs: of a fit; of one without pairs, its questions and what it learns from.
    """
    alike, own_way = (
        cost_of_fit(inputs, encoders, tells_roles=tells)
        if isinstance(inputs, FitInputs)
        else cost_without_pairs(*inputs, encoders, tells_roles=tells)
        for tells in (False, True)
    )
    if as_json:
        rows = {"alike": list(map(asdict, alike)), "own_way": list(map(asdict, own_way))}
        print_json({**rows, "total": _total(alike), "total_own_way": _total(own_way)})
        return
    console = plain_console()
    columns = map(translate, ("", "texts", "tokens", "calls"))
    title = translate("A fit asks for")
    table = Table(*columns, title=title, box=box.SIMPLE_HEAD, show_edge=False)
    for side, encoder in encoders.items():
        if encoder is not None:
            note = translate(", which costs time only") if is_local(encoder) else ""
            table.add_row(f"{translate(side)}: {encoder.name}{note}", "", "", "")
            for cost in (cost for cost in alike if cost.side == side):
                table.add_row(f"  {translate_sentence(cost.purpose)}", *_cells(asdict(cost)))
    table.add_row(translate("in all, at most"), *_cells(_total(alike)))
    console.print(table)
    console.print(translate(_ESTIMATE))
    if any(e is not None and type(e) is not FunctionEncoder for e in encoders.values()):
        console.print(translate(_ROLES, **_total(own_way)))
    console.print(translate(_NO_CACHE) if cache is None else translate(_CACHE, cache=cache))


def _total(costs: list[Cost]) -> dict[str, int]:
    return {
        "texts": sum(cost.texts for cost in costs),
        "tokens": sum(cost.tokens for cost in costs),
        "calls": sum(cost.calls for cost in costs),
    }


def _cells(numbers: Mapping[str, int]) -> list[str]:
    return [f"{numbers[name]:,}" for name in ("texts", "tokens", "calls")]
