"""Measure what perturbed queries find.

    python benchmarks/robustness.py PAIRS.jsonl [--encoders ...] [--rows 600]
                                    [--cache vectors.sqlite] [--out result.json]

Three in ten of the pairs (by group, seed 0) are the test part. On the rest, or on as many of its
rows as --rows says, `kakehashi.fit` trains an aligner in mode `keep`. `robustness` perturbs the
test queries. A change is perturbed minus unperturbed, query by query, with its 95% bootstrap
interval. "Untouched" are the encoder's vectors without a map, where both spaces compare.
The encoders `use` and `minilm` come with the extra `demo`.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
from datasets import encoder
from setting import describe, setting, table, write

import kakehashi
from kakehashi import Pairs
from kakehashi.data.duplicates import find_leaks
from kakehashi.data.splits import hold_out
from kakehashi.encoders import Encoder
from kakehashi.evaluation import measure_robustness

ENCODERS = ("use:minilm", "minilm:minilm")
TEST_SHARE = 0.3
METRIC = "recall@1"


def main() -> None:
    """Run every pair of encoders; print a table for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pairs", type=Path, metavar="PAIRS")
    parser.add_argument("--encoders", nargs="+", default=ENCODERS, help="source:target")
    parser.add_argument("--rows", type=int, help="training rows; by default all")
    parser.add_argument("--cache", type=Path, help="keeps encoded vectors between runs")
    parser.add_argument("--out", type=Path, metavar="JSON")
    args = parser.parse_args()
    found = setting()
    train, test = split(args.pairs, args.rows)
    runs = []
    print(describe(found))
    for name in args.encoders:
        encoders = {
            f"{side}_encoder": encoder(part)
            for side, part in zip(("source", "target"), name.split(":"), strict=True)
        }
        runs.append({"encoders": name} | measure(train, test, encoders, args.cache))
        print(f"\n{show(runs[-1])}")
    write({"setting": found, "runs": runs}, args.out)


def split(path: Path, n_rows: int | None) -> tuple[Pairs, Pairs]:
    """Return training and test pairs, without training rows that repeat a test text."""
    pairs = kakehashi.read_pairs(str(path), on_invalid="drop")
    parts = hold_out(pairs, TEST_SHARE, seed=0)
    train, test = pairs.select(parts.kept), pairs.select(parts.held_out)
    rows = np.delete(np.arange(len(train)), find_leaks(train, test))
    if n_rows is not None and n_rows < len(rows):
        rows = np.sort(np.random.default_rng(0).choice(rows, n_rows, replace=False))
    return train.select(rows), test


def measure(
    train: Pairs, test: Pairs, encoders: dict[str, Encoder], cache: Path | None
) -> dict[str, Any]:
    """Train an aligner, and score what the perturbed test queries find."""
    start = time.perf_counter()
    aligner = kakehashi.fit(train, **encoders, mode="keep", test=test, cache=cache)
    return {
        "n_train": len(train),
        "chosen": aligner.report.chosen,
        "seconds_with_encoding": time.perf_counter() - start,
        **measure_robustness(aligner, test, cache=cache).to_dict(),
    }


def score(scores: dict[str, Any] | None) -> str:
    """Return the mean, or a dash where the spaces do not compare."""
    return "-" if scores is None else f"{scores['means'][METRIC]:.3f}"


def show(run: dict[str, Any]) -> str:
    """Return the table of one pair of encoders."""
    lines = [["as they are", "", score(run["base"]), score(run["aligned"]), ""]]
    for name, result in run["perturbations"].items():
        scores = [score(result[s] and result[s]["scores"]) for s in ("base", "aligned")]
        change, (low, high) = (result["aligned"][key][METRIC] for key in ("change", "interval"))
        share = f"{result['share_changed']:.0%}"
        lines.append([name, share, *scores, f"{change:+.3f} [{low:+.3f}, {high:+.3f}]"])
    header = ["queries", "changed", "untouched", "aligned", "change"]
    return (
        f"{run['encoders']}, keep, {METRIC} of {run['n_queries']} test queries "
        f"({run['n_train']} pairs, {run['chosen']})\n\n" + table(header, lines)
    )


if __name__ == "__main__":
    main()
