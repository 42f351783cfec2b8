"""Make tables of what accuracy.py measured.

    python benchmarks/tables.py OUT

reads OUT/cells and writes OUT/results.json and OUT/results.md.

recall@1 of a system is the mean over the test queries of all seeds; its 95% interval is a bootstrap
over the same queries that draws whole groups, a group together with itself in every seed. The
rungs have no ranks in the report of a fit: theirs are means over seeds of the score and of the
interval's two ends. Seconds are of the CPU, medians over seeds. The best peer is the adapter
that has the highest recall@1 with all pairs on that set, which nobody can know beforehand.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np
from accuracy import MODES, SYSTEMS
from protocol import Cells, Record
from setting import table

from kakehashi.metrics.statistics import bootstrap

READS = ("", ", vectors only", ", index")
"""What kakehashi reads: vectors and texts, what the peers read, or texts and an index besides."""
RESCORED = ", rescored"
"""A fit of keep mode has this row, too: its second map orders the first hits again."""
OURS = tuple(
    f"kakehashi {mode}{reads}{second}"
    for mode in MODES
    for reads in READS
    for second in ("", RESCORED)
    if mode == "keep" or not second
)
BASELINES = ("raw cosine", "bm25")
COSTS = (
    ("train_cpu_seconds", "training", "s", 1),
    ("search_cpu_seconds", "with the search", "s", 1),
    ("embed_cpu_seconds", "embedding", "s", 1),
    ("query_us", "a query", "µs", 0),
)
Row = dict[str, Any]


def main() -> None:
    """Read the cells; write tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, metavar="OUT")
    args = parser.parse_args()
    cells = Cells(args.out / "cells").read()
    if not cells:
        raise SystemExit(f"{args.out / 'cells'} holds no results; run accuracy.py first")
    rows = summarised(cells)
    found = {
        "rows": rows,
        "against_best_peer": [against_best_peer(rows, name) for name in _sets(rows)],
        "never_worse": never_worse(cells),
        "machines": _machines(cells),
    }
    text = json.dumps(found, indent=1, ensure_ascii=False)
    (args.out / "results.json").write_text(text + "\n", encoding="utf-8")
    (args.out / "results.md").write_text(show(found) + "\n", encoding="utf-8")
    print(f"{len(cells)} cells; wrote results.json and results.md in {args.out}")


def summarised(cells: list[Record]) -> list[Row]:
    """Return one row for each set, size and system; several seeds share it."""
    by_row: dict[tuple[str, Any, str], list[Record]] = defaultdict(list)
    for cell in cells:
        by_row[cell["set"], cell["size"], cell["system"]].append(cell)
    rows = []
    for (name, size, system), seeds in by_row.items():
        where = {"set": name, "size": size, "system": system}
        done = [cell for cell in seeds if cell["status"] == "measured"]
        if not done:
            rows.append(where | {"status": seeds[0]["status"], "reason": seeds[0]["reason"]})
        elif system.startswith("rungs "):
            rows += [where | {"system": n} | row for n, row in _rungs(system, done).items()]
        else:
            rows.append(where | _pooled(done))
            if any("rescored" in cell for cell in done):
                again = [cell | cell.get("rescored", {}) for cell in done]
                rows.append(where | {"system": f"{system}{RESCORED}"} | _pooled(again))
    return rows


def _pooled(seeds: list[Record]) -> Row:
    hits = np.concatenate([np.array(cell["ranks"]) == 1 for cell in seeds]).astype(np.float64)
    named = np.concatenate([cell["clusters"] for cell in seeds])
    _, clusters = np.unique(named, return_inverse=True)
    interval = bootstrap({"recall@1": hits}, clusters=clusters, seed=0)["recall@1"]
    found: Row = {
        "status": "measured",
        "seeds": len(seeds),
        "pairs": fmean(cell["rows"]["pairs"] for cell in seeds),
        "pool": fmean(cell["rows"]["pool"] for cell in seeds),
        "recall@1": float(hits.mean()),
        "interval": interval,
        "by_seed": {cell["seed"]: cell["recall@1"] for cell in seeds},
        "mrr@10": fmean(cell["mrr@10"] for cell in seeds),
    }
    for name, *_ in COSTS:
        known = [cell[name] for cell in seeds if cell.get(name) is not None]
        found[name] = median(known) if known else None
    for name in ("shipped", "right"):
        if name in seeds[0]:
            found[name] = [cell[name] for cell in seeds]
    return found


def _rungs(system: str, seeds: list[Record]) -> dict[str, Row]:
    """Return the rungs that every fit tried, plain and corrected.

    Which closed form a learned rung continues from depends on the data, so that its name may be
    missing at some seeds; a mean over the others would be of other data. Two more rows say what
    choosing costs: the rung that validation chose, and the one that did best on the test part.
    """
    mode = system.removeprefix("rungs ")
    by_name = {
        name: [cell["rungs"][name] for cell in seeds]
        for name in seeds[0]["rungs"]
        if name != "identity" and all(name in cell["rungs"] for cell in seeds)
    }
    for label, metric in (("chosen", "validation_mrr"), ("best on test", "recall@1")):
        every = [list(cell["rungs"].values()) for cell in seeds]
        by_name[label] = [max(rungs, key=lambda rung: rung[metric]) for rungs in every]
    found = {}
    for name, rungs in by_name.items():
        found[f"rung {mode}/{name}"] = {
            "status": "measured",
            "seeds": len(rungs),
            "pairs": fmean(cell["rows"]["pairs"] for cell in seeds),
            "recall@1": fmean(rung["recall@1"] for rung in rungs),
            "interval": tuple(fmean(rung["interval"][end] for rung in rungs) for end in (0, 1)),
            "mrr@10": fmean(rung["mrr@10"] for rung in rungs),
            "search_cpu_seconds": median(rung.get("cpu_seconds") or 0.0 for rung in rungs) or None,
        }
    return found


def against_best_peer(rows: list[Row], name: str) -> Row:
    """Compare each mode with the best peer of a set, both with all pairs.

    `error_cut` is the share of the peer's errors (1 - recall@1) that are gone; `reached_at` the
    smallest size at which kakehashi is at least as good as the peer is with all pairs.
    """
    here = [row for row in rows if row["set"] == name and row["status"] == "measured"]
    peers = [row for row in here if row["size"] == "all" and row["system"] in SYSTEMS]
    if not peers:
        return {"set": name, "peer": None}
    best = max(peers, key=lambda row: row["recall@1"])
    found: Row = {"set": name, "peer": best["system"], "recall@1": best["recall@1"], "modes": {}}
    for system in OURS:
        ours = {row["size"]: row["recall@1"] for row in here if row["system"] == system}
        if "all" not in ours:
            continue
        reached = [size for size in _ordered(ours) if ours[size] >= best["recall@1"]]
        found["modes"][system] = {
            "recall@1": ours["all"],
            "error_cut": 1 - (1 - ours["all"]) / (1 - best["recall@1"]),
            "reached_at": reached[0] if reached else None,
        }
    return found


def never_worse(cells: list[Record]) -> dict[str, Row]:
    """Count the fits whose shipped map finds less than the untouched vectors do.

    `significant` counts those of which the test part shows it: the 95% interval of the paired
    difference of recall@1, over whole groups, lies below zero.
    """
    base = {
        (cell["set"], cell["size"], cell["seed"]): np.array(cell["ranks"]) == 1
        for cell in cells
        if cell["system"] == "raw cosine" and cell["status"] == "measured"
    }
    found: dict[str, Row] = {}
    for cell in cells:
        before = base.get((cell["set"], cell["size"], cell["seed"]))
        if cell["system"] not in OURS or cell["status"] != "measured" or before is None:
            continue
        gains = (np.array(cell["ranks"]) == 1).astype(np.float64) - before
        _, clusters = np.unique(cell["clusters"], return_inverse=True)
        _, high = bootstrap({"": gains}, clusters=clusters, seed=0)[""]
        row = found.setdefault(
            cell["system"],
            {"fits": 0, "identity": 0, "worse": 0, "significant": [], "least_gain": 1.0},
        )
        row["fits"] += 1
        row["identity"] += cell["shipped"] == "identity"
        row["worse"] += bool(gains.mean() < 0)
        row["least_gain"] = min(row["least_gain"], float(gains.mean()))
        if high < 0:
            named = {name: cell[name] for name in ("set", "size", "seed", "shipped")}
            row["significant"].append(named | {"gain": float(gains.mean())})
    return found


def show(found: dict[str, Any]) -> str:
    """Return everything as Markdown."""
    rows = found["rows"]
    parts = ["# Accuracy", __doc__.split("\n\n", 3)[3].strip().replace("\n", " ")]
    parts += [_show_set(rows, name) for name in _sets(rows)]
    parts.append(_show_peers(found["against_best_peer"]))
    worse = [
        f"- {system}: of {row['fits']} fits {row['identity']} ship the untouched vectors, "
        f"{row['worse']} find less than those, {len(row['significant'])} by more than the interval "
        f"of the difference; least gain {row['least_gain']:+.3f}"
        for system, row in found["never_worse"].items()
    ]
    parts.append("\n".join(["## Never worse", "", *worse]))
    machines = [f"- {name}: {value}" for name, value in found["machines"].items()]
    parts.append("\n".join(["## Set-up", "", *machines]))
    return "\n\n".join(parts)


def _show_set(rows: list[Row], name: str) -> str:
    here = [row for row in rows if row["set"] == name]
    sizes = _ordered({row["size"] for row in here})
    by_system: dict[str, dict[Any, Row]] = defaultdict(dict)
    for row in here:
        by_system[row["system"]][row["size"]] = row
    listed = [s for s in (*BASELINES, *SYSTEMS, *OURS) if s in by_system]
    listed += [s for s in by_system if s not in listed]
    body = []
    for system in listed:
        of = by_system[system]
        last = of.get(sizes[-1], {})
        body.append([system, *(_score(of.get(size)) for size in sizes), *_costs(last)])
    header = ["system", *(_heading(here, size) for size in sizes)]
    header += [title for _, title, _, _ in COSTS]
    return f"## {name}\n\n{table(header, body)}"


def _heading(rows: list[Row], size: Any) -> str:
    pairs = [row["pairs"] for row in rows if row["size"] == size and "pairs" in row]
    return f"{size} ({fmean(pairs):.0f})" if size == "all" and pairs else f"{size}"


def _score(row: Row | None) -> str:
    if row is None:
        return ""
    if row["status"] != "measured":
        return str(row["status"])
    low, high = row["interval"]
    return f"{row['recall@1']:.3f} [{low:.3f}, {high:.3f}]"


def _costs(row: Row) -> list[str]:
    return [
        "" if row.get(name) is None else f"{row[name]:.{digits}f} {unit}"
        for name, _, unit, digits in COSTS
    ]


def _show_peers(found: list[Row]) -> str:
    body = []
    for row in found:
        if row["peer"] is None:
            continue
        for system, mode in row["modes"].items():
            reached = mode["reached_at"]
            body.append(
                [
                    row["set"],
                    f"{row['peer']} {row['recall@1']:.3f}",
                    f"{system} {mode['recall@1']:.3f}",
                    f"{mode['error_cut']:+.0%}",
                    "never" if reached is None else reached,
                ]
            )
    header = ["set", "best peer, all pairs", "kakehashi, all pairs", "errors cut", "level from"]
    return f"## Against the best peer\n\n{table(header, body)}"


def _sets(rows: list[Row]) -> list[str]:
    return sorted({row["set"] for row in rows})


def _ordered(sizes: Iterable[Any]) -> list[Any]:
    return sorted(sizes, key=lambda size: (size == "all", size if size != "all" else 0))


def _machines(cells: list[Record]) -> dict[str, Any]:
    """Return what all cells share of their set-up, and the range of the load."""
    machines = [cell["machine"] for cell in cells]
    loads = [m["load_at_start"] for m in machines if m["load_at_start"] is not None]
    found: dict[str, Any] = {"load": f"{min(loads)} to {max(loads)}"} if loads else {}
    for name in machines[0]:
        if name != "load_at_start":
            values = list(dict.fromkeys(str(machine.get(name)) for machine in machines))
            found[name] = "; ".join(values)
    versions = [cell["versions"] for cell in cells if "versions" in cell]
    for packages in versions:
        found |= {f"peers' {name}": value for name, value in packages.items()}
    return found


if __name__ == "__main__":
    main()
