"""Measure a fit by the dimension of the vectors and the number of pairs: seconds, memory, accuracy.

    python benchmarks/dimensions.py DATA [--dimensions 384 768 1536] [--pairs 400]
                                    [--texts yes no] [--mode keep] [--asks minilm] [--out JSON]

Each cell is a process of its own, with one thread. It reports the CPU seconds of `kakehashi.fit`,
the largest memory of the process while it fits (`ru_maxrss`; torch, where a head is trained, takes
0.3 GB of it), and recall@1 of 500 questions among all documents, by what ships, with and without
the `shared` map where the fit made one.

The pairs are pydocs_ja_en (datasets.py): Japanese questions about English documents, seen by MiniLM
on both sides (`--asks minilm`, one space) or by USE and MiniLM (`--asks use`, two). Encoders of
more than 384 dimensions are imitated. A fixed random layer lifts the real vectors: sin(x W + b), W
normal with deviation `FREQUENCY`, b uniform. It keeps neighbours and spreads the variance as large
encoders do: of 1,536 directions the leading 384 hold nine tenths of it. One layer lifts both sides
of one space. What is missing to more pairs than there are is mixed: each row is the mean of two
real ones on both sides, without texts.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"

import numpy as np
from datasets import DataSet
from setting import describe, setting, table, write

import kakehashi
from kakehashi import Pairs
from kakehashi.metrics.pool import Pool
from kakehashi.metrics.ranking import ranks
from kakehashi.vectors import unit_rows

FREQUENCY, QUESTIONS = 1.0, 500
SET = "pydocs_ja_en"


def main() -> None:
    """Measure every cell, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("--dimensions", type=int, nargs="+", default=[384, 768, 1536])
    parser.add_argument("--pairs", type=int, nargs="+", default=[400])
    parser.add_argument("--texts", choices=("yes", "no"), nargs="+", default=["yes", "no"])
    parser.add_argument("--mode", choices=("keep", "shared"), default="keep")
    parser.add_argument("--asks", choices=("minilm", "use"), default="minilm")
    parser.add_argument("--out", type=Path, metavar="JSON")
    parser.add_argument("--cell", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.cell is not None:
        print(json.dumps(measure(args.data, args.mode, args.asks, *json.loads(args.cell))))
        return
    found, cells = setting(), []
    for cell in itertools.product(args.dimensions, args.pairs, args.texts):
        command = [sys.executable, __file__, str(args.data), "--mode", args.mode]
        command += ["--asks", args.asks, "--cell", json.dumps(cell)]
        ran = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        cells.append(json.loads(ran.stdout.splitlines()[-1]))
        print(cells[-1], file=sys.stderr, flush=True)
    print(describe(found))
    print(table(cells[0], (cell.values() for cell in cells)))
    inputs = {"mode": args.mode, "asks": args.asks}
    write({"setting": found, **inputs, "cells": cells}, args.out)


def measure(
    data: Path, mode: Any, asks: str, dimension: int, n_pairs: int, texts: str
) -> dict[str, Any]:
    """Fit on some pairs, and ask for other documents."""
    pairs = DataSet(SET, asks, "minilm").load(data, Path("vectors.sqlite"))
    x, y = (np.asarray(pairs.required_vectors(side), np.float32) for side in ("source", "target"))
    rows = np.random.default_rng(0).permutation(len(pairs))
    asked, fitted = rows[:QUESTIONS], rows[QUESTIONS:][:n_pairs]
    if dimension > 384:
        x, y = (lifted(v, dimension, seed) for v, seed in ((x, int(asks == "use")), (y, 0)))
    both = [(x[fitted], pairs.source_texts), (y[fitted], pairs.target_texts)]
    sides: dict[str, Any] = {}
    for side, (vectors, words) in zip(("source", "target"), both, strict=True):
        if texts == "yes" and words is not None:
            sides[f"{side}_texts"] = [words[i] for i in fitted]
        sides[f"{side}_vectors"] = mixed(vectors, n_pairs)
    groups = None if pairs.groups is None else [pairs.groups[i] for i in fitted]
    given = Pairs(**sides, groups=groups if n_pairs == len(fitted) else None)
    questions = pairs.with_vectors(x, y).select(asked)
    every = pairs.with_vectors(x, y)
    import torch  # noqa: F401  # so that its import is not part of the fit

    start, cpu_start = time.perf_counter(), time.process_time()
    aligner = kakehashi.fit(given, mode=mode, ngrams=texts == "yes")
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    scores = {"recall@1": recall(aligner, questions, every)}
    if hasattr(aligner, "as_shared") and aligner.mode == "keep" and aligner.rescoring:
        scores["shared"] = recall(aligner.as_shared(), questions, every)
    return {
        "dimension": dimension,
        "pairs": n_pairs,
        "texts": texts,
        "CPU s": round(cpu_seconds, 1),
        "s": round(seconds, 1),
        "GB": round(memory * (1 if sys.platform == "darwin" else 1024) / 1e9, 2),
        **scores,
        "chosen": aligner.report.chosen,
    }


def lifted(x: Any, dimension: int, seed: int) -> Any:
    """Imitate an encoder of more dimensions: (n, d) unit vectors -> (n, dimension)."""
    rng = np.random.default_rng(seed)
    weight = FREQUENCY * rng.standard_normal((x.shape[1], dimension), np.float32)
    phase = rng.uniform(0, 2 * np.pi, dimension).astype(np.float32)
    return unit_rows(np.sin(unit_rows(x) @ weight + phase))


def mixed(x: Any, n: int) -> Any:
    """Return n rows: the real ones, and then means of two of them."""
    more = np.random.default_rng(1).integers(len(x), size=(2, max(0, n - len(x))))
    return np.concatenate([x, unit_rows(x[more[0]] + x[more[1]])]) if more.size else x


def recall(aligner: kakehashi.Aligner, questions: Pairs, every: Pairs) -> float:
    """Return recall@1 among the documents of all pairs."""
    pool = Pool.of([every])
    asked = aligner.project(questions.required_vectors("source"), texts=questions.source_texts)
    stored = aligner.project(pool.vectors, texts=pool.texts, modality="target", role="document")
    found = ranks(asked, stored, "cosine", relevance=pool.relevance(questions))
    return round(float((found == 1).mean()), 3)


if __name__ == "__main__":
    main()
