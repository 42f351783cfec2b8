"""Hold the verdict of a fit against what its map finds in the whole index.

    python benchmarks/verdicts.py DATA [SET ...] [--sizes N ...] [--seeds N] [--dimensions N]
        [--index] [--cache FILE] [--out OUT.json] [--null [--rescored]]

A fit is given N pairs, whole groups in random order, by their vectors alone, and no head is
trained. The map that led on validation then answers the questions of pairs that the fit never saw
(at most 1,000; none shares a group or a vector with the N), among all documents of the set, and so
do the untouched vectors. By MRR@10 a verdict is

- right: "use", and the map finds more; or "do not use", and it does not find .02 more;
- wrong: "use", and it finds less;
- held back: "do not use", and it finds .02 more or better.

Vectors keep the 128 leading directions of the targets, which makes hundreds of fits cheap.

`--index` gives the fit all documents of the set to search, too; it learns nothing from them.
`--null` gives pairs that no map can learn from. Every "use" is wrong there:

- shuffled: the targets of real pairs in random order;
- isotropic: each source is its target and noise that is alike in all directions, so that the
  untouched vectors are the best estimate;
- unrelated: random vectors on both sides.

The map of `keep` is judged alone; with `--rescored` a second map may order its hits, as in `fit`.
"""

from __future__ import annotations

import argparse
import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
from datasets import DataSet, chosen
from setting import describe, setting, table, write

from kakehashi import Pairs
from kakehashi.data.duplicates import find_leaks
from kakehashi.data.splits import nested_rows
from kakehashi.metrics.pool import Pool
from kakehashi.metrics.ranking import per_query, ranks
from kakehashi.training import judge as judge_module
from kakehashi.training.fit_inputs import FitInputs, FitSettings
from kakehashi.training.held_out_ranks import HeldOutRanks
from kakehashi.training.judge import judge
from kakehashi.training.model_selection import tune
from kakehashi.training.prepare import prepare
from kakehashi.training.second_map import tune_second
from kakehashi.training.verdict import Verdict
from kakehashi.types import SIDES
from kakehashi.vectors import drawn, unit_rows

SETS = (
    "kicad_ja_en:minilm-minilm",
    "pydocs_ja_en:minilm-minilm",
    "django_pseudocode_code:minilm-minilm",
    "tldr_en_command:minilm-minilm",
    "maintnet_problem_action:minilm-minilm",
    "kicad_ja_en:use-use",
    "pydocs_ja_en:use-use",
)
SIZES = (50, 100, 200, 400, 600)
ASKED, CLEAR = 1000, 0.02
NULL = ("shuffled", "isotropic", "unrelated")


def judged(
    pairs: Pairs,
    seed: int,
    *,
    documents: tuple[Pairs, ...] = (),
    second: bool = False,
    same_space: bool | None = None,
) -> dict[str, Any]:
    """Fit as `fit` does up to the verdict; keep the map that led, whatever the verdict is."""
    started = time.process_time()
    settings = FitSettings(mode="keep", ngrams=False, learned=False, seed=seed)
    prepared = prepare(
        FitInputs(pairs, documents=documents), None, None, settings, same_space=same_space
    )
    tuned = tune(prepared)
    with held_out_ranks() as seen:
        found = judge(prepared, tuned, tune_second(prepared, tuned) if second else None)
    maps = [c for c in tuned.candidates if c is not tuned.identity]
    led = max(maps, key=lambda c: c.score) if tuned.chosen is tuned.identity else tuned.chosen
    return {
        "advice": found.verdict.advice,
        "reason": found.verdict.reason,
        "projection": led.data.features.finish(led.build(led.data.everything)),
        "metric": prepared.metric,
        **_tests(seen[0]),
        "seconds": time.process_time() - started,
    }


@contextmanager
def held_out_ranks() -> Iterator[list[HeldOutRanks]]:
    """Collect the ranks that verdicts are made from."""
    seen: list[HeldOutRanks] = []
    real_one = judge_module.decide

    def decide(ranks: HeldOutRanks, **options: Any) -> Verdict:
        seen.append(ranks)
        return real_one(ranks, **options)

    judge_module.decide = decide
    try:
        yield seen
    finally:
        judge_module.decide = real_one


def _tests(found: HeldOutRanks) -> dict[str, float]:
    """Test the map against the untouched vectors, in the whole index and in the small pool."""
    tests = {}
    for name, among in (("whole", found), ("alone", found.alone)):
        if among is not None and among.base is not None:
            test = among.test(among.chosen, among.base)
            tests |= {f"{name}_difference": test.difference, f"{name}_p": test.p_value}
    return tests


def leading(pairs: Pairs, dimensions: int) -> Pairs:
    """Keep the leading directions of the targets, and nothing but vectors and groups.

    By vectors alone: with texts BM25 would judge, too.
    """
    x, y = (np.asarray(pairs.required_vectors(side), np.float64) for side in SIDES)
    basis = np.linalg.eigh(y.T @ y)[1][:, -dimensions:]
    x, y = (unit_rows((v @ basis).astype(np.float32)) for v in (x, y))
    return Pairs(source_vectors=x, target_vectors=y, groups=pairs.groups)


def real(data_set: DataSet, whole: Pairs, n: int, seed: int, *, index: bool) -> dict[str, Any]:
    """Fit on N pairs of a set; ask what the map really finds on the others."""
    rows = nested_rows(whole, seed=seed, rows=np.arange(len(whole)))
    own = whole.select(np.sort(rows[:n]))
    others = np.setdiff1d(rows[n:], find_leaks(whole, own))
    if whole.groups is not None:
        groups = set(own.groups or ())
        others = np.array([i for i in others if whole.groups[i] not in groups])
    asked = whole.select(others[drawn(len(others), ASKED, seed)])
    found = judged(own, seed, documents=(whole,) if index else ())
    pool = Pool.of([whole])
    relevance, documents = pool.relevance(asked), np.asarray(pool.vectors, np.float32)
    x = np.asarray(asked.required_vectors("source"), np.float32)
    project = found.pop("projection")
    by_map = ranks(
        project(x, modality="source", role="query"),
        project(documents, modality="target", role="document"),
        found["metric"],
        relevance=relevance,
    )
    untouched = ranks(x, documents, found["metric"], relevance=relevance)
    scores = {
        f"{name}_{metric}": float(per_query(rank)[metric].mean())
        for name, rank in (("map", by_map), ("untouched", untouched))
        for metric in ("mrr@10", "recall@1")
    }
    gain = scores["map_mrr@10"] - scores["untouched_mrr@10"]
    return {
        "set": data_set.label,
        "n": n,
        "seed": seed,
        **found,
        **scores,
        "gain": gain,
        "outcome": outcome(found["advice"], gain),
    }


def outcome(advice: str, gain: float) -> str:
    """Name a verdict by the real gain."""
    if advice == "use":
        return "right" if gain > 0 else "wrong"
    return "held back" if gain >= CLEAR else "right"


def without_a_map(
    kind: str, whole: Pairs, n: int, seed: int, *, index: bool, rescored: bool
) -> dict[str, Any]:
    """Fit on pairs that no map can learn from."""
    rng = np.random.default_rng([seed, n])
    some = whole.select(rng.choice(len(whole), n, replace=False))
    y = np.asarray(some.required_vectors("target"), np.float32)
    x = np.asarray(some.required_vectors("source"), np.float32)
    if kind == "shuffled":
        x = x[rng.permutation(n)]
    elif kind == "isotropic":
        x = y + 0.1 * rng.standard_normal(y.shape).astype(np.float32)
    else:
        x, y = rng.standard_normal((2, n, 64)).astype(np.float32)
    pairs = Pairs(source_vectors=x, target_vectors=y)
    documents = (whole,) if index and kind != "unrelated" else ()
    found = judged(pairs, seed, documents=documents, second=rescored, same_space=True)
    del found["projection"]
    return {"set": kind, "n": n, "seed": seed, **found}


def main() -> None:
    """Judge every set at every size, with every seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("sets", nargs="*", default=SETS)
    parser.add_argument("--sizes", nargs="*", type=int, default=SIZES)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--dimensions", type=int, default=128)
    parser.add_argument("--index", action="store_true")
    parser.add_argument("--null", action="store_true")
    parser.add_argument("--rescored", action="store_true")
    parser.add_argument("--cache", type=Path, default=Path("verdicts.sqlite"))
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    found, rows = setting(), []
    for row in _rows(options):
        rows.append(row)
        print(_line(row), flush=True)
        write({"setting": found, "rows": rows}, options.out)
    print(describe(found))
    print(_summary(rows, null=options.null))


def _rows(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    for data_set in chosen(options.data, options.sets):
        pairs = data_set.load(options.data, options.cache)
        whole = leading(pairs, options.dimensions)
        for seed in range(options.seeds):
            for n in options.sizes:
                if options.null:
                    for kind in NULL:
                        yield without_a_map(
                            kind, whole, n, seed, index=options.index, rescored=options.rescored
                        )
                elif n <= len(whole) // 2:
                    yield real(data_set, whole, n, seed, index=options.index)


def _line(row: dict[str, Any]) -> str:
    of_map = f" gain {row['gain']:+.3f} {row['outcome']}" if "gain" in row else ""
    return f"{row['set']} {row['n']} seed {row['seed']}: {row['advice']}{of_map}; {row['reason']}"


def _summary(rows: list[dict[str, Any]], *, null: bool) -> str:
    by = "set" if null else "n"
    lines: list[tuple[Any, ...]] = []
    for key in dict.fromkeys(row[by] for row in rows):
        of = [row for row in rows if row[by] == key]
        if null:
            uses = sum(row["advice"] == "use" for row in of)
            lines.append((key, len(of), f"{uses} ({uses / len(of):.1%})"))
            continue
        count = Counter(row["outcome"] for row in of)
        better = [row for row in of if row["gain"] >= CLEAR]
        seconds = np.mean([row["seconds"] for row in of])
        lines.append(
            (
                key,
                len(of),
                count["right"],
                count["wrong"],
                f"{count['held back']} of {len(better)}",
                f"{seconds:.1f}",
            )
        )
    if null:
        return table(("pairs", "fits", "use"), lines)
    header = ("pairs", "fits", "right", "wrong", "held back, of .02 better", "CPU s a fit")
    return table(header, lines)


if __name__ == "__main__":
    main()
