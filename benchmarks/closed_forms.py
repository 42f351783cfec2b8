"""Measure what the ladder of closed forms chooses, with many pairs and with few.

    python benchmarks/closed_forms.py DATA [--names ...] [--encoders ...] [--out result.json]

DATA/vectors/NAME.npz holds (n, d) arrays such as `use_source` and `minilm_target` of matching
rows, and `group`. For each data set, pair of encoders and mode, `kakehashi.fit` runs

- on all pairs, with the split by group that it makes itself (seed 0), and
- on 200 and on 1,000 pairs, drawn three times from the rows that this split keeps, and judged on
  the same test part.

`refit=False`, so that the weights at hand are those that the report describes. "Best closed form"
is the rung that does best on the test part itself: no one can choose it beforehand, and it shows
what choosing by validation costs. "Base" is the cosine of the untouched vectors; spaces of
different dimension have none.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
from setting import describe, setting, stored_pairs, table, write

import kakehashi
from kakehashi import Aligner, Pairs
from kakehashi.data.splits import hold_out
from kakehashi.metrics.ranking import per_query, ranks
from kakehashi.metrics.relevance import Relevance, clusters_of
from kakehashi.metrics.statistics import bootstrap

NAMES = ("pydocs_ja_en", "kicad_ja_en")
ENCODERS = ("use:minilm", "minilm:minilm")
MODES = ("keep", "shared")
METRICS = ("recall@1", "mrr@10")
TEST_SHARE = 0.2
SIZES, SEEDS = (200, 1000), (0, 1, 2)


def main() -> None:
    """Run every fit; print the table and the worst case against the base."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("--names", nargs="+", default=NAMES, help="data sets")
    parser.add_argument("--encoders", nargs="+", default=ENCODERS, help="source:target")
    parser.add_argument("--out", type=Path, metavar="JSON")
    args = parser.parse_args()
    found = setting()
    runs = []
    for name in args.names:
        for encoders in args.encoders:
            source, _, target = encoders.partition(":")
            pairs = stored_pairs(args.data, name, f"{source}_source", f"{target}_target")
            for run in measure(pairs):
                runs.append({"data": name, "encoders": encoders} | run)
                print(summary(runs[-1]), file=sys.stderr)
    worst = worst_case(runs)
    print(f"{describe(found)}\n\n{show(runs)}\n\n{worst}")
    write({"setting": found, "runs": runs, "worst_against_base": worst}, args.out)


def measure(pairs: Pairs) -> list[dict[str, Any]]:
    """Fit on all pairs, and on random parts of them, in both modes."""
    split = hold_out(pairs, TEST_SHARE, seed=0)
    test = pairs.select(split.held_out)
    runs = []
    for mode in MODES:
        runs.append(one(pairs, None, test, mode, seed=0))
        for size in SIZES:
            for seed in SEEDS:
                rows = np.random.default_rng(seed).choice(split.kept, size, replace=False)
                runs.append(one(pairs.select(np.sort(rows)), test, test, mode, seed=seed))
    return runs


def one(pairs: Pairs, given: Pairs | None, test: Pairs, mode: Any, *, seed: int) -> dict[str, Any]:
    """Fit once, and compare the chosen rung with the base query by query."""
    start = time.perf_counter()
    aligner = kakehashi.fit(pairs, test=given, mode=mode, seed=seed, refit=False, learned="none")
    seconds = time.perf_counter() - start
    report = aligner.report
    assert report.rungs[report.chosen].scores.n_queries == len(test)
    best = max(report.rungs, key=lambda name: report.rungs[name].scores.means["recall@1"])
    return {
        "mode": mode,
        "n_fitted": report.sizes["development"],
        "all_pairs": given is None,
        "seed": seed,
        "n_test": len(test),
        "seconds": seconds,
        "verdict": report.verdict,
        "chosen": report.chosen,
        "parameters": report.rungs[report.chosen].parameters,
        "best": best,
        "base_scores": None if report.base is None else report.base.means,
        "chosen_scores": report.rungs[report.chosen].scores.means,
        "best_scores": report.rungs[best].scores.means,
        "against_base": None if report.base is None else against_base(aligner, test),
    }


def against_base(aligner: Aligner, test: Pairs) -> dict[str, Any]:
    """Return the paired difference to the untouched vectors, with its 95% bootstrap interval."""
    x, y = (np.asarray(test.required_vectors(s), np.float32) for s in ("source", "target"))
    metric: Any = aligner.report.metric
    relevance, clusters = Relevance.of(test), clusters_of(test)
    ours = per_query(
        ranks(
            aligner.project(x, modality="source", role="query"),
            aligner.project(y, modality="target", role="document"),
            metric,
            relevance=relevance,
        )
    )
    assert (
        ours["recall@1"].mean()
        == aligner.report.rungs[aligner.report.chosen].scores.means["recall@1"]
    ), "the report describes other weights"
    base = per_query(ranks(x, y, metric, relevance=relevance))
    differences = {name: ours[name] - base[name] for name in METRICS}
    intervals = bootstrap(differences, clusters=clusters, seed=0)
    return {
        name: {"difference": float(d.mean()), "interval": intervals[name]}
        for name, d in differences.items()
    }


def worst_case(runs: list[dict[str, Any]]) -> str:
    """Say whether the chosen map was ever below the base on test, and where it came nearest."""
    compared = [run for run in runs if run["against_base"] is not None]
    if not compared:
        return "no base to compare with: the two spaces have different dimensions"
    lines = []
    for name in METRICS:
        worst = min(compared, key=lambda run: run["against_base"][name]["difference"])
        below = sum(run["against_base"][name]["difference"] < 0 for run in compared)
        low, high = worst["against_base"][name]["interval"]
        lines.append(
            f"{name}: the shipped map was below the base in {below} of {len(compared)} fits; least "
            f"gain {worst['against_base'][name]['difference']:+.3f} [{low:+.3f}, {high:+.3f}] "
            f"({summary(worst)})"
        )
    return "\n".join(lines)


def show(runs: list[dict[str, Any]]) -> str:
    """Return one row for each data set, encoder, mode and size; several seeds share a row."""
    grouped: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for run in runs:
        size = "all" if run["all_pairs"] else run["n_fitted"]
        size = size if run["all_pairs"] else min(SIZES, key=lambda n: abs(n - run["n_fitted"]))
        grouped.setdefault((run["data"], run["encoders"], run["mode"], size), []).append(run)
    rows = []
    for (data, encoders, mode, size), group in grouped.items():
        size_text = f"all ({group[0]['n_fitted']})" if size == "all" else f"{size} x {len(group)}"
        rows.append(
            [
                data,
                encoders,
                mode,
                size_text,
                "-" if group[0]["base_scores"] is None else scores(group, "base_scores"),
                f"{names(group, 'chosen')} {scores(group, 'chosen_scores')}",
                f"{names(group, 'best')} {scores(group, 'best_scores')}",
                f"{np.mean([run['seconds'] for run in group]):.1f}",
                names(group, "verdict"),
            ]
        )
    header = [
        "data",
        "encoders",
        "mode",
        "pairs",
        "base",
        "chosen",
        "best closed form",
        "seconds",
        "verdict",
    ]
    return "recall@1; over several draws the mean (lowest to highest)\n\n" + table(header, rows)


def scores(group: list[dict[str, Any]], key: str) -> str:
    """Return the mean recall@1 of some runs, with its range where there are several."""
    values = [run[key]["recall@1"] for run in group]
    spread = f" ({min(values):.3f} to {max(values):.3f})" if min(values) < max(values) else ""
    return f"{np.mean(values):.3f}{spread}"


def names(group: list[dict[str, Any]], key: str) -> str:
    """Return the different values of a field, in the order of their first use."""
    return " / ".join(dict.fromkeys(run[key] for run in group))


def summary(run: dict[str, Any]) -> str:
    """Return a run in a few words."""
    return (
        f"{run['data']} {run['encoders']} {run['mode']} on {run['n_fitted']} pairs, seed "
        f"{run['seed']}: {run['chosen']} {run['chosen_scores']['recall@1']:.3f}"
    )


if __name__ == "__main__":
    main()
