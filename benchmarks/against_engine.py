"""Measure the whole ladder against LlamaIndex's adapter fine-tuning, on one split and one thread.

    python benchmarks/against_engine.py DATA --peer-python PEER/bin/python [--out result.json]

DATA/vectors/pydocs_ja_en.npz holds (n, 384) `minilm_source` (Japanese) and `minilm_target`
(English), and `group`. Test and validation part are split off by group; training rows of which one
side also stands in either are left out. The peer's environment is described in
peers/llama_index_engine.requirements.txt.

Ours: seconds of one `kakehashi.fit(train, validation=..., test=...)`: every rung tuned, chosen,
fitted again on training and validation rows, and judged on the test part. Median of several.

The peer: seconds of `EmbeddingAdapterFinetuneEngine.finetune()` alone, for one setting. Its
default setting has 5 epochs; its best one is the best of a grid by validation MRR@10, so the time
that the whole grid takes is what finding it costs. It is also trained again on training and
validation rows. The two run one after the other, ours before and after the peer, so that a change
of the machine's load shows. Ratios are of CPU seconds: with one thread each, they are the seconds
of an idle machine, and other work on it disturbs them least.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"

import numpy as np
from setting import describe, setting, stored_pairs, table, write

import kakehashi
from kakehashi import Pairs
from kakehashi.data.duplicates import find_leaks
from kakehashi.data.splits import hold_out
from kakehashi.types import SIDES

PEER = Path(__file__).parent / "peers" / "llama_index_engine.py"
DATA_SET, SOURCE, TARGET = "pydocs_ja_en", "minilm_source", "minilm_target"
TEST_SHARE, VALIDATION_SHARE = 0.15, 0.125
MODES = ("keep", "shared", "auto")
REPEATS = 2  # of our fits, before the peer and again after it
Parts = dict[str, Pairs]


def main() -> None:
    """Run both on one split; print seconds, ratios and scores."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("--peer-python", required=True, help="Python of the peer's environment")
    parser.add_argument("--out", type=Path, metavar="JSON")
    args = parser.parse_args()
    found = setting()
    parts = split(stored_pairs(args.data, DATA_SET, SOURCE, TARGET))
    runs: dict[str, list[dict[str, Any]]] = {mode: [] for mode in MODES}
    climb(parts, runs)
    peer = run_peer(parts, args.peer_python)
    climb(parts, runs)
    result = compare(runs, peer)
    sizes = {name: len(part) for name, part in parts.items()}
    print(f"{describe(found)}\nrows: {sizes}; peer: {peer['versions']}\n\n{show(result)}")
    write({"setting": found, "rows": sizes, **result, "fits": runs, "peer": peer}, args.out)


def split(pairs: Pairs) -> Parts:
    """Split by group into train, validation and test; no side of one stands in an earlier fit."""
    outer = hold_out(pairs, TEST_SHARE, seed=0)
    inner = hold_out(pairs, VALIDATION_SHARE, seed=1, rows=outer.kept)
    test, valid = pairs.select(outer.held_out), pairs.select(inner.held_out)
    valid = valid.select(np.delete(np.arange(len(valid)), find_leaks(valid, test)))
    leaks = [find_leaks(pairs, test), find_leaks(pairs, valid)]
    train = pairs.select(np.setdiff1d(inner.kept, np.concatenate(leaks)))
    return {"train": train, "valid": valid, "test": test}


def climb(parts: Parts, runs: dict[str, list[dict[str, Any]]]) -> None:
    """Time the whole ladder in each mode."""
    for _ in range(REPEATS):
        for mode in MODES:
            start, cpu_start = time.perf_counter(), time.process_time()
            report = kakehashi.fit(
                parts["train"],
                validation=parts["valid"],
                test=parts["test"],
                mode=mode,  # type: ignore[arg-type]
            ).report
            seconds, cpu = time.perf_counter() - start, time.process_time() - cpu_start
            assert report.base is not None
            runs[mode].append(
                {
                    "seconds": seconds,
                    "cpu_seconds": cpu,
                    "chosen": report.chosen,
                    "test": report.rungs[report.chosen].scores.means,
                    "interval": report.rungs[report.chosen].scores.intervals["recall@1"],
                    "untrained": report.base.means,
                }
            )
            print(f"{mode}: {seconds:.2f} s, {cpu:.2f} s CPU", file=sys.stderr, flush=True)


def run_peer(parts: Parts, python: str) -> dict[str, Any]:
    """Run the engine's grid in its own environment."""
    with tempfile.TemporaryDirectory() as folder:
        stored, out = Path(folder) / "split.npz", Path(folder) / "peer"
        arrays: dict[str, Any] = {
            f"{name}_{side}": np.asarray(part.required_vectors(side), np.float32)
            for name, part in parts.items()
            for side in SIDES
        }
        np.savez(stored, **arrays)
        subprocess.run(
            [python, str(PEER), str(stored), str(out), "--grid", "long"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        result: dict[str, Any] = json.loads((out / "result.json").read_text("utf-8"))
        return result


def compare(runs: dict[str, list[dict[str, Any]]], peer: dict[str, Any]) -> dict[str, Any]:
    """Return each contestant's seconds and scores, and how many of our fits its time would hold."""
    default, best, refitted = peer["runs"][0], peer["best"], peer["best_refitted"]
    untrained = peer["untrained"]["test"]["recall@1"]
    for fits in runs.values():
        assert np.isclose(fits[0]["untrained"]["recall@1"], untrained), "the tests differ"
    ours = {
        mode: {
            **{
                name: float(np.median([fit[name] for fit in fits]))
                for name in ("seconds", "cpu_seconds")
            },
            "chosen": fits[0]["chosen"],
            **{name: fits[0]["test"][name] for name in ("recall@1", "mrr@10")},
        }
        for mode, fits in runs.items()
    }
    named = {"default": default, "best": best, "best, refitted": refitted}
    engine = {
        name: {
            "seconds": run["train_seconds"],
            "cpu_seconds": run["train_cpu_seconds"],
            "chosen": f"{run['epochs']} epochs, lr {run['learning_rate']:g}, "
            f"batch {run['batch_size']}",
            **{metric: run["test"][metric] for metric in ("recall@1", "mrr@10")},
            "times_ours": {m: run["train_cpu_seconds"] / ours[m]["cpu_seconds"] for m in MODES},
        }
        for name, run in named.items()
    }
    grid = {
        name: sum(run[f"train_{name}"] for run in peer["runs"])
        for name in ("seconds", "cpu_seconds")
    }
    return {
        "untrained_recall@1": untrained,
        "ours": ours,
        "engine": engine,
        "engine_grid": grid
        | {"times_ours": {m: grid["cpu_seconds"] / ours[m]["cpu_seconds"] for m in MODES}},
    }


def show(result: dict[str, Any]) -> str:
    """Return the comparison as a table."""
    rows = [["untouched vectors", "", "", "", f"{result['untrained_recall@1']:.3f}", ""]]
    rows += [
        [f"kakehashi, {mode}", row["chosen"], _seconds(row), "", *_scores(row)]
        for mode, row in result["ours"].items()
    ]
    rows += [
        [f"engine, {name}", row["chosen"], _seconds(row), _ratios(row), *_scores(row)]
        for name, row in result["engine"].items()
    ]
    grid = result["engine_grid"]
    rows.append(["engine, whole grid", "", _seconds(grid), _ratios(grid), "", ""])
    against = f"CPU, times ours ({', '.join(MODES)})"
    return table(["", "setting", "seconds (CPU)", against, "recall@1", "MRR@10"], rows)


def _seconds(row: dict[str, Any]) -> str:
    return f"{row['seconds']:.2f} ({row['cpu_seconds']:.2f})"


def _scores(row: dict[str, Any]) -> list[str]:
    return [f"{row['recall@1']:.3f}", f"{row['mrr@10']:.3f}"]


def _ratios(row: dict[str, Any]) -> str:
    return ", ".join(f"{row['times_ours'][mode]:.2f}" for mode in MODES)


if __name__ == "__main__":
    main()
