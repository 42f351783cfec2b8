"""The tables of finding.py."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from statistics import fmean, median
from typing import Any

import numpy as np
from protocol import Record
from setting import describe, table

from kakehashi.metrics.statistics import bootstrap

OURS = ("keep", "rescored", "read again", "shared")
BASELINES = ("target encoder", "bm25", "translated", "embedded again")
Cells = list[Record]
Row = dict[str, Any]


def show(cells: Cells) -> str:
    """Return the baselines of each set, the rows of each set, and means over sets."""
    done = [cell for cell in cells if cell["status"] == "measured"]
    if not done:
        return "nothing is measured"
    by_set: dict[str, Cells] = defaultdict(list)
    for cell in done:
        by_set[cell["set"]].append(cell)
    loads = [cell["machine"]["load_at_start"] for cell in done]
    machine = done[0]["machine"] | {"load_at_start": f"{min(loads)} to {max(loads)}"}
    parts = [
        "# What an index finds",
        "recall@1 / MRR@10 in the whole index, with the 95% interval of recall@1. "
        "Seconds are of the CPU, medians over seeds.",
        f"## Without a map\n\n{_baselines(by_set)}",
        f"## With one\n\n{_rows(by_set)}",
        f"## Means of recall@1 over sets\n\n{_means(by_set)}",
        describe(machine),
    ]
    return "\n\n".join(parts)


def _baselines(by_set: dict[str, Cells]) -> str:
    body = []
    for name, cells in by_set.items():
        rows = cells[0]["rows"]
        found = [[c for c in cells if c["system"] == system] for system in BASELINES]
        scores = [score(pooled(of)) if of else "" for of in found]
        body.append([name, rows["test"], rows["pool"], *scores])
    return table(["set", "questions", "documents", *BASELINES], body)


def _rows(by_set: dict[str, Cells]) -> str:
    body = []
    for name, cells in by_set.items():
        for (size, given), of_row in grouped(cells).items():
            mine = [c for c in of_row if c["system"] == "kakehashi"]
            n = round(fmean(c["rows"]["pairs"] for c in of_row)) if size != "0" else 0
            scores = [score(pooled(mine, kind)) if _has(mine, kind) else "" for kind in OURS]
            body.append([name, n, given or "nothing", *scores, _best_peer(of_row), *_costs(mine)])
    header = ["set", "own pairs", "beside them", *OURS, "best peer", "fit", "a query"]
    return table(header, body)


def grouped(cells: Iterable[Record]) -> dict[tuple[str, str], Cells]:
    """Return the cells of each row, fewest pairs first."""
    found: dict[tuple[str, str], Cells] = defaultdict(list)
    for cell in cells:
        if cell["size"]:
            found[cell["size"], cell["given"]].append(cell)
    order = sorted(found, key=lambda k: (k[0] == "all", int(k[0]) if k[0] != "all" else 0, k[1]))
    return {key: found[key] for key in order}


def pooled(seeds: Cells, kind: str | None = None) -> Row:
    """Return means over the questions of all seeds; the interval draws whole groups."""
    records = [cell if kind is None else cell[kind] for cell in seeds]
    hits = np.concatenate([np.array(r["ranks"]) == 1 for r in records]).astype(np.float64)
    named = np.concatenate([cell["clusters"] for cell in seeds])
    clusters = np.unique(named, return_inverse=True)[1]
    interval = bootstrap({"recall@1": hits}, clusters=clusters, seed=0)["recall@1"]
    mrr = fmean(r["mrr@10"] for r in records)
    return {"recall@1": float(hits.mean()), "interval": interval, "mrr@10": mrr}


def score(row: Row) -> str:
    """Return recall@1 with its interval, and MRR@10."""
    low, high = row["interval"]
    numbers = f"{row['recall@1']:.3f} [{low:.3f}, {high:.3f}] / {row['mrr@10']:.3f}"
    return numbers.replace("0.", ".")


def _has(cells: Cells, kind: str) -> bool:
    """Whether cells hold the scores of a way to ask: one encoder alone reads nothing again."""
    return bool(cells) and all(kind in cell for cell in cells)


def _best_peer(cells: Cells) -> str:
    """Return the peer of a row that finds most, which nobody can know beforehand."""
    by_peer: dict[str, Cells] = defaultdict(list)
    for cell in cells:
        if cell["system"] != "kakehashi":
            by_peer[cell["system"]].append(cell)
    if not by_peer:
        return ""
    scores = {name: pooled(seeds) for name, seeds in by_peer.items()}
    best = max(scores, key=lambda name: scores[name]["recall@1"])
    return f"{best} {score(scores[best])}"


def _costs(cells: Cells) -> list[str]:
    if not cells:
        return ["", ""]
    cpu, ms = (median(cell[name] for cell in cells) for name in ("cpu_seconds", "query_ms"))
    return [f"{cpu:.0f} s", f"{ms:.2f} ms"]


def _means(by_set: dict[str, Cells]) -> str:
    """Return the means of each row over the sets that have it, peers among the same sets."""
    body = []
    for size, given in grouped(cell for cells in by_set.values() for cell in cells):
        of_row = {
            name: [c for c in cells if (c["size"], c["given"]) == (size, given)]
            for name, cells in by_set.items()
        }
        ours = {n: _of(cells, "kakehashi") for n, cells in of_row.items()}
        sets = [name for name, cells in ours.items() if cells]
        if not sets:
            continue
        means = [
            fmean(fmean(c[kind]["recall@1"] for c in ours[name]) for name in sets)
            if all(_has(ours[name], kind) for name in sets)
            else float("nan")
            for kind in OURS
        ]
        peers = [[c["recall@1"] for c in of_row[n] if c["system"] != "kakehashi"] for n in sets]
        means.append(fmean(map(max, peers)) if all(peers) else float("nan"))
        again = (fmean(c["recall@1"] for c in _of(by_set[n], "embedded again")) for n in sets)
        shown = [f"{mean:.3f}".replace("0.", ".") for mean in (*means, fmean(again))]
        body.append([size, given or "nothing", len(sets), *shown])
    header = ["own pairs", "beside them", "sets", *OURS, "best peer", "embedded again"]
    return table(header, body)


def _of(cells: Cells, system: str) -> Cells:
    return [cell for cell in cells if cell["system"] == system]
