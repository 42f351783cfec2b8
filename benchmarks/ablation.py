"""Measure what each idea of a fit adds: recall@1 on the same held-out queries, one idea at a time.

    python benchmarks/ablation.py DATA [--sets NAME:SOURCE-TARGET ...] [--sizes 200 all]
                                  [--mode keep shared] [--seed 0] [--ideas NAME ...] [--out JSON]

The split is that of protocol.py. Every row is one `kakehashi.fit` of the training pairs, scored by
what validation chose (whether or not the verdict lets it ship):

- vectors only: the closed forms, from the pairs alone;
- + unpaired: the targets of the pairs count as texts that both encoders see (where both sides are
  of one encoder; otherwise this is the row below);
- + linear, + mlp: the learned rung, starting from the best closed form;
- n-grams: character n-grams beside the vectors; then with the learned rungs;
- all targets unpaired: every target that is not of the test part is such a text, as an index would
  hold them, in vectors that the source encoder gave of it (where DATA stores them);
- two source encoders: both encoders' vectors of the query side by side (where DATA stores both);
- pseudo-pairs: n-grams, and after a first fit the mutual nearest neighbours among the sources and
  the targets of the other training rows, as if nobody knew which belong together (where a size
  leaves some);
- stacked: the vectors of the best map without and of the best with n-grams side by side, whose
  inner product is the mean of both scores.
"""

from __future__ import annotations

import argparse
import os
from functools import cache
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
from datasets import chosen
from protocol import Clock, Parts
from setting import describe, setting, table, write

import kakehashi
from kakehashi import Aligner, Pairs
from kakehashi.evaluation.scoring import served
from kakehashi.types import Side
from kakehashi.vectors import unit_rows

DEFAULT = ["kicad_ja_en:minilm-minilm", "kicad_ja_en:use-minilm"]
DEFAULT += ["maintnet_problem_action:minilm-minilm", "tldr_en_command:minilm-minilm"]
DEFAULT += ["pydocs_ja_en:minilm-minilm", "pydocs_ja_en:use-minilm"]
PLAIN: dict[str, Any] = {"ngrams": False, "unpaired": False, "learned": "none"}
IDEAS: dict[str, dict[str, Any]] = {
    "vectors only": PLAIN,
    "+ unpaired": PLAIN | {"unpaired": None},
    "+ linear": PLAIN | {"learned": "linear"},
    "+ mlp": PLAIN | {"learned": "mlp"},
    "n-grams": PLAIN | {"ngrams": True},
    "n-grams + unpaired": PLAIN | {"ngrams": True, "unpaired": None},
    "n-grams + unpaired + linear": {"ngrams": True, "learned": "linear"},
    "n-grams + unpaired + mlp": {"ngrams": True, "learned": "mlp"},
}
Row = tuple[Aligner, dict[str, Any]]
STACKED = ("+ linear", "n-grams + unpaired + linear")


def main() -> None:
    """Fit every row on every set; print a table a mode."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("--sets", nargs="+", default=DEFAULT)
    parser.add_argument("--sizes", nargs="+", default=["200", "all"])
    parser.add_argument("--mode", nargs="+", default=["keep", "shared"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ideas", nargs="+", help="rows to measure; by default all of them")
    parser.add_argument("--cache", type=Path, default=Path("vectors.sqlite"))
    parser.add_argument("--out", type=Path, metavar="JSON")
    args = parser.parse_args()
    found = setting()
    rows: list[dict[str, Any]] = []
    for data_set in chosen(args.data, args.sets):
        pairs = data_set.load(args.data, args.cache)
        for size in args.sizes:
            parts = Parts.of(pairs, None if size == "all" else int(size), args.seed)
            if parts is None:
                continue
            for mode in args.mode:
                where = {"set": data_set.label, "size": size, "mode": mode}
                ideas = measured(args.data, data_set, pairs, parts, mode, args.seed)
                for name, score in ideas:
                    if args.ideas is None or name in args.ideas:
                        rows.append(where | {"idea": name} | score())
                        print(rows[-1], flush=True)
    print(f"\n{describe(found)}\n\n{show(rows)}")
    write({"setting": found, "rows": rows}, args.out)


def measured(data: Path, data_set: Any, pairs: Pairs, parts: Parts, mode: Any, seed: int) -> Any:
    """Yield the name of every idea that the data allow, and what measures it."""

    @cache
    def fitted(name: str) -> Row:
        with Clock() as clock:
            aligner = kakehashi.fit(
                parts.pairs, test=parts.test, mode=mode, seed=seed, **IDEAS[name]
            )
        return aligner, {**score(aligner), "cpu_seconds": round(clock.cpu_seconds, 1)}

    for name in IDEAS:
        yield name, lambda name=name: fitted(name)[1]
    yield "stacked", lambda: stacked(parts, *(fitted(name)[0] for name in STACKED))
    options: dict[str, Any] = {"test": parts.test, "mode": mode, "seed": seed, "learned": "none"}
    rest = parts.others(pairs, seed)
    if len(rest) and rest.source_texts is not None and rest.target_texts is not None:
        yield "pseudo-pairs", lambda: pseudo(parts, rest, options)
    with np.load(data / "vectors" / f"{data_set.name}.npz", allow_pickle=False) as stored:
        arrays = {key: np.asarray(stored[key], np.float32) for key in stored if key != "group"}
    source = data_set.source
    if source != data_set.target and f"{source}_target" in arrays:
        free = parts.unpaired(pairs, arrays[f"{source}_target"])
        both = np.hstack([unit_rows(arrays[f"{s}_source"]) for s in (source, data_set.target)])
        beside = parts.of_same_rows(pairs.with_vectors(both, None))
        for reads, ngrams in (("", False), (", n-grams", True)):
            yield (
                f"all targets unpaired{reads}",
                lambda n=ngrams: score(
                    kakehashi.fit(parts.pairs, **options, ngrams=n, unpaired=free)
                ),
            )
            yield (
                f"two source encoders{reads}",
                lambda n=ngrams: score(
                    kakehashi.fit(beside.pairs, **options | {"test": beside.test}, ngrams=n)
                ),
            )


def pseudo(parts: Parts, rest: Pairs, options: dict[str, Any]) -> dict[str, Any]:
    """Pair the other rows anew by a first fit, and score a second one that learns from them."""

    def known(side: Side) -> Any:
        vectors = dict(zip(rest.texts(side) or (), rest.required_vectors(side), strict=True))
        return lambda texts: np.stack([vectors[text] for text in texts])

    first = kakehashi.fit(parts.pairs, **options, ngrams=True, refit=False)
    first = first.bind(source=known("source"), target=known("target"))
    more = kakehashi.pseudo_pairs(first, rest.source_texts, rest.target_texts)
    right = set(zip(rest.source_texts or (), rest.target_texts or (), strict=True))
    found = zip(more.source_texts or (), more.target_texts or (), strict=True)
    second = kakehashi.fit(parts.pairs, **options, ngrams=True, unpaired=more)
    share = sum(pair in right for pair in found) / len(more)
    return score(second) | {"pseudo_pairs": len(more), "right": round(share, 3)}


def score(aligner: Aligner) -> dict[str, Any]:
    """Return the test scores of the rung that validation put first."""
    report = aligner.report
    name = max(report.rungs, key=lambda rung: report.rungs[rung].validation)
    scores = report.rungs[name].scores
    return {
        "recall@1": scores.means["recall@1"],
        "interval": scores.intervals["recall@1"],
        "validation_mrr": report.rungs[name].validation,
        "rung": name,
    }


def stacked(parts: Parts, *aligners: Aligner) -> dict[str, Any]:
    """Score the vectors of several aligners side by side."""
    of_each = [served(aligner, parts.test) for aligner in aligners]
    sides = [np.hstack(of_side) for of_side in zip(*of_each, strict=True)]
    found = parts.score(*sides)
    return {"recall@1": found["recall@1"], "interval": found["interval"], "rung": "+".join(STACKED)}


def show(rows: list[dict[str, Any]]) -> str:
    """Return a Markdown table: an idea a row, a set, size and mode a column."""
    columns = list(dict.fromkeys((r["set"], r["size"], r["mode"]) for r in rows))
    ideas = list(dict.fromkeys(r["idea"] for r in rows))
    by_cell = {(r["idea"], r["set"], r["size"], r["mode"]): r["recall@1"] for r in rows}
    lines = [
        [idea, *(f"{by_cell[key]:.3f}" if (key := (idea, *c)) in by_cell else "" for c in columns)]
        for idea in ideas
    ]
    return table(["recall@1", *(" ".join(c) for c in columns)], lines)


if __name__ == "__main__":
    main()
