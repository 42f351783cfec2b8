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

OURS = ("keep", "rescored", "shared")
BASELINES = ("target encoder", "bm25", "embedded again", "translated")
HEADER = ["own pairs", "beside them", *OURS, "best peer", "fit", "a query"]
Row = dict[str, Any]


def show(cells: list[Record]) -> str:
    """Return a table for each set, and one of the means over the sets, with the set-up."""
    done = [cell for cell in cells if cell["status"] == "measured"]
    by_set: dict[str, list[Record]] = defaultdict(list)
    for cell in done:
        by_set[cell["set"]].append(cell)
    parts = ["# What an index finds", "recall@1 [95% interval] / MRR@10 in the whole index."]
    parts += [_of_set(name, of_set) for name, of_set in by_set.items()]
    parts.append(f"## Means over sets\n\n{_means(by_set)}")
    loads = [cell["machine"]["load_at_start"] for cell in done]
    machine = {"load": f"{min(loads)} to {max(loads)}"} if loads else {}
    parts.append(describe({**(done[0]["machine"] if done else {}), **machine}))
    return "\n\n".join(parts)


def _of_set(name: str, cells: list[Record]) -> str:
    rows = cells[0]["rows"]
    base = [
        f"{system} {score(pooled([c for c in cells if c['system'] == system]))}"
        for system in BASELINES
        if any(c["system"] == system for c in cells)
    ]
    about = f"{rows['test']} questions, {rows['pool']} documents. {'; '.join(base)}."
    body = []
    for (size, given), of_row in grouped(cells).items():
        mine = [c for c in of_row if c["system"] == "kakehashi"]
        n = round(fmean(c["rows"]["pairs"] for c in of_row)) if size != "0" else 0
        scores = [score(pooled(mine, kind)) if mine else "" for kind in OURS]
        costs = _costs(mine) if mine else ["", ""]
        body.append([n, given or "nothing", *scores, best_peer(of_row), *costs])
    return f"## {name}\n\n{about}\n\n{table(HEADER, body)}"


def grouped(cells: Iterable[Record]) -> dict[tuple[str, str], list[Record]]:
    """Return the cells of each row, fewest pairs first."""
    found: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for cell in cells:
        if cell["size"]:
            found[cell["size"], cell["given"]].append(cell)
    order = sorted(found, key=lambda k: (k[0] == "all", int(k[0]) if k[0] != "all" else 0, k[1]))
    return {key: found[key] for key in order}


def pooled(seeds: list[Record], kind: str | None = None) -> Row:
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
    return f"{row['recall@1']:.3f} [{low:.3f}, {high:.3f}] / {row['mrr@10']:.3f}"


def best_peer(cells: list[Record]) -> str:
    """Return the peer of a row that finds most, which nobody can know beforehand."""
    by_peer: dict[str, list[Record]] = defaultdict(list)
    for cell in cells:
        if cell["system"] != "kakehashi":
            by_peer[cell["system"]].append(cell)
    if not by_peer:
        return ""
    scores = {name: pooled(seeds) for name, seeds in by_peer.items()}
    best = max(scores, key=lambda name: scores[name]["recall@1"])
    return f"{best} {score(scores[best])}"


def _costs(cells: list[Record]) -> list[str]:
    cpu, ms = (median(cell[name] for cell in cells) for name in ("cpu_seconds", "query_ms"))
    return [f"{cpu:.0f} s", f"{ms:.2f} ms"]


def _means(by_set: dict[str, list[Record]]) -> str:
    """Return the mean recall@1 over the sets that have a row of all sets' rows."""
    rows = {name: grouped(cells) for name, cells in by_set.items()}
    body = []
    for size, given in grouped(cell for cells in by_set.values() for cell in cells):
        found = [of_set[size, given] for of_set in rows.values() if (size, given) in of_set]
        mine = [[c for c in cells if c["system"] == "kakehashi"] for cells in found]
        mine = [cells for cells in mine if cells]
        if not mine:
            continue
        means = [
            fmean(fmean(cell[kind]["recall@1"] for cell in cells) for cells in mine)
            for kind in OURS
        ]
        again = [
            fmean(c["recall@1"] for c in by_set[cells[0]["set"]] if c["system"] == "embedded again")
            for cells in mine
        ]
        shown = [f"{mean:.3f}" for mean in (*means, fmean(again))]
        body.append([size, given or "nothing", len(mine), *shown])
    header = ["own pairs", "beside them", "sets", *OURS, "embedded again"]
    return table(header, body)
