"""Measure what the guards of `fit` and `evaluate` see, and what they see wrongly.

    python benchmarks/guards.py DATA [SET ...] [--out OUT.json]

Each set is cut in two halves by whole groups, and a router learns from the first.
`right`, `swapped`: how the columns of the second half read to it, as they are and swapped; "-"
where it cannot tell (both sides are of one language).
`own`, `other`: share of the pairs of each half that are recognised by the hashes of the first.
`near`: share of the second half with a near copy in the first; a note stands from 10% on.
Nothing is encoded.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

from datasets import TABLE
from setting import describe, setting, table, write

from kakehashi import Pairs, read_pairs
from kakehashi.data.splits import hold_out
from kakehashi.report import DataRecord
from kakehashi.routing.router import Router
from kakehashi.routing.swapped import read_as
from kakehashi.training.near_copies import near_copies
from kakehashi.training.seen_pairs import sample_of, seen_in

COLUMNS = ("right", "swapped", "own", "other", "near")


def measure(pairs: Pairs) -> dict[str, Any]:
    """Return what the guards say of one set."""
    split = hold_out(pairs, 0.5, seed=0)
    first, second = pairs.select(split.kept), pairs.select(split.held_out)
    router = Router.fit(first)
    readings = (read_as(router, second), read_as(router, _swapped(second)))
    record = replace(DataRecord("", "", "", len(first)), texts_sample=sample_of([first]))
    own, other = seen_in(record, first), seen_in(record, second)
    copies = near_copies(second, first)
    return {
        **dict(zip(COLUMNS, ("-" if r is None else r.columns for r in readings), strict=False)),
        "own": own.n / max(1, own.checked),
        "other": other.n / max(1, other.checked),
        "near": copies.n / max(1, copies.compared),
    }


def _swapped(pairs: Pairs) -> Pairs:
    return Pairs(pairs.target_texts, pairs.source_texts)


def main() -> None:
    """Measure every set."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("sets", nargs="*", default=list(TABLE))
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    found, rows = setting(), []
    for name in options.sets:
        path = options.data / f"{name}.jsonl"
        if not path.exists():
            print(f"{name}: not there")
            continue
        rows.append({"set": name, **measure(read_pairs(path, on_invalid="drop"))})
    write({"setting": found, "rows": rows}, options.out)
    print(describe(found))
    cells = [(r["set"], *(_cell(r[column]) for column in COLUMNS)) for r in rows]
    print(table(("set", *COLUMNS), cells))


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else f"{value:.0%}"


if __name__ == "__main__":
    main()
