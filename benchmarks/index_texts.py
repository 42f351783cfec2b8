"""Measure how many texts of an index are worth reading by the encoder that asks.

    python benchmarks/index_texts.py DATA OUT [--sets ...] [--sizes 100 500 ...] [--seeds 1]

The tasks are those of sources.py: USE asks an index that MiniLM made, up to 500 questions search
all documents. recall@1 of `keep` and of `keep` whose first hits are ordered again, as the aligner
serves: of a fit without pairs (300 questions without answers), and of one on 200 own pairs. Maps
read vectors only, and no head is trained. `again` embeds the index by USE. OUT/index_texts.jsonl
holds a line for each measurement.
"""

from __future__ import annotations

import argparse
import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from setting import describe, setting, table
from sources import INDEX, N_QUESTIONS, SETS, Task, prepared

import kakehashi
from kakehashi import Aligner
from kakehashi.evaluation import evaluate
from kakehashi.vectors import unit_rows

SIZES = (100, 500, 1000, 3000, 10_000)
N_PAIRS = 200


def main() -> None:
    """Measure what OUT does not hold yet; print the table of all that it holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--sizes", nargs="+", type=int, default=SIZES)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--cache", type=Path, help="of vectors; by default in OUT")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    results, machine = args.out / "index_texts.jsonl", setting()
    lines = results.read_text(encoding="utf-8").splitlines() if results.exists() else []
    rows = [json.loads(line) for line in lines]
    done = {(row["set"], row["seed"], row["pairs"], row["texts"]) for row in rows}
    for seed, name in itertools.product(range(args.seeds), args.sets):
        task = prepared(name, args.data, args.cache or args.out / "vectors.sqlite", seed)
        for n_pairs, n_texts in itertools.product((0, N_PAIRS), (0, *args.sizes)):
            if (name, seed, n_pairs, n_texts) in done or not n_pairs + n_texts:
                continue
            row = {"set": name, "seed": seed, "pairs": n_pairs, "texts": n_texts}
            rows.append(row | measured(task, n_pairs, n_texts))
            with results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(rows[-1]) + "\n")
            print(*rows[-1].values(), flush=True)
    text = f"{describe(machine)}\n\n{show(rows)}"
    (args.out / "index_texts.md").write_text(text + "\n", encoding="utf-8")
    print(text)


def measured(task: Task, n_pairs: int, n_texts: int) -> dict[str, float]:
    """Score a fit in the whole index, and embedding everything again."""
    index = replace(task.index(0), learn=n_texts)
    aligner = fitted(task, n_pairs, index)
    found = evaluate(aligner, task.pairs.select(task.asking), index=index)
    served = found.rescored or found.aligned
    x = unit_rows(np.asarray(task.pairs.required_vectors("source"), np.float32)[task.asking])
    again = float(((x @ task.seen.T).argmax(axis=1) == task.asking).mean())
    recall = {"keep": found.aligned, "rescored": served}
    return {name: scores.means["recall@1"] for name, scores in recall.items()} | {"again": again}


def fitted(task: Task, n_pairs: int, index: Any) -> Aligner:
    """Fit on own pairs and the index, or on the index and questions without answers."""
    quick: Any = {"learned": False, "ngrams": False, "learn_from": [index]}
    if n_pairs:
        return kakehashi.fit(task.pairs.select(np.sort(task.own[:n_pairs])), **quick)
    texts, x = task.pairs.source_texts, task.pairs.required_vectors("source")
    known = dict(zip((*index.texts, *texts), (*task.seen, *x), strict=True))
    probe = x[0]  # what kakehashi asks beside the questions tells nothing here

    def use(asked: list[str]) -> Any:
        return np.stack([known.get(text, probe) for text in asked])

    questions = [texts[int(i)] for i in task.own[:N_QUESTIONS]]
    return kakehashi.fit(questions, source_encoder=use, **quick)


def show(rows: list[dict[str, Any]]) -> str:
    """Return the table: means over sets and seeds."""
    found: dict[Any, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault((row["pairs"], row["texts"]), []).append(row)
    columns = ("keep", "rescored", "again")
    return table(
        ["own pairs", f"texts of the {INDEX}", "sets", *columns],
        (
            [*what, len({row["set"] for row in some})]
            + [f"{np.mean([row[key] for row in some]):.3f}" for key in columns]
            for what, some in sorted(found.items())
        ),
    )


if __name__ == "__main__":
    main()
