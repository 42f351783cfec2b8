"""Measure among which documents a map is best chosen, if it is to serve the whole index.

    python benchmarks/choosing.py DATA OUT [--seeds 2] [--at-most 600] [--modes keep shared]

On every split of `fit`, the questions of the validation parts choose three times: ranked among
their own documents alone, among all documents but those of the test part (as `fit` does), and
among all. Each choice is judged by the questions of the test part in the whole index. Where
documents have several questions, these are of two kinds: about new documents, and new questions
about documents that fitted pairs name. There a fourth choice goes without the second kind.

Maps read vectors only, and a head is trained in mode keep. The sets with several questions a
document join files of DATA that have the same targets. `own` is recall@1 of the old way of
reporting: held-out questions among their own documents alone.

OUT/choosing.jsonl holds a line for each choice. A run that is interrupted goes on where it stopped.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache as once
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
from datasets import encoder, texts_of
from setting import describe, setting, table

from kakehashi import Pairs
from kakehashi.data.pairs import concatenated
from kakehashi.data.splits import hold_out
from kakehashi.metrics.ranking import per_query
from kakehashi.metrics.relevance import clusters_of
from kakehashi.training.feature_data import FeatureData, HeldOutPart, HeldOutQueries
from kakehashi.training.features import FeatureSet, feature_sets
from kakehashi.training.inputs import with_vectors
from kakehashi.training.map_ranks import rank
from kakehashi.training.model_selection import choose, tune_candidates, tune_heads
from kakehashi.training.one_thread import BLAS
from kakehashi.training.spaces import share_space, store_metric
from kakehashi.training.split_plan import TEST_SHARE, Part, SplitPlan, plan_split
from kakehashi.training.sufficient_statistics import develop

OWN, BUT_TEST, ALL, NEW_ONLY = "own documents", "all but test", "all", "all but test, new only"
Row = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """A set of documents, each asked for in the files that are joined.

    Attributes:
        columns: file, field of the question, field of the document.
        source: the encoder of the questions; MiniLM made the index.
    """

    name: str
    columns: tuple[tuple[str, str, str], ...]
    source: str = "use"

    def load(self, data: Path, cache: Path, at_most: int, seed: int) -> Pairs:
        """Encode up to so many rows, whole groups at a time."""
        parts = []
        for file, asks, answers in self.columns:
            texts = texts_of(data / f"{file}.jsonl", (asks, answers, "group"))
            part = Pairs(texts[asks], texts[answers], groups=texts["group"])
            stored = data / "vectors" / f"{file}.npz"
            if stored.exists():
                with np.load(stored) as arrays:
                    x = arrays.get(f"{self.source}_source", None)
                    part = part.with_vectors(x, arrays["minilm_target"])
            parts.append(part)
        names = sorted({group for part in parts for group in part.groups or ()})
        order = np.random.default_rng(seed).permutation(len(names))
        place = {names[i]: at for at, i in enumerate(order)}
        sizes = np.zeros(len(names) + 1, int)
        for part in parts:
            for group in part.groups or ():
                sizes[place[group] + 1] += 1
        last = int((np.cumsum(sizes)[1:] <= at_most).sum())
        taken = [
            part.select([i for i, g in enumerate(part.groups or ()) if place[g] < last])
            for part in parts
        ]
        return concatenated([_encoded(part, self.source, cache) for part in taken])


SETS = (
    Asked(
        "KiCad, ja + fr",
        (("kicad_ja_en", "source", "target"), ("kicad_fr_en", "source", "target")),
    ),
    Asked(
        "commands, en + ja",
        (("tldr_en_command", "source", "target"), ("tldr_ja_command", "source", "target")),
    ),
    Asked(
        "descriptions, ja + fr",
        (("tldr_ja_en", "source", "target"), ("tldr_fr_en", "source", "target")),
    ),
    Asked(
        "Python documentation, ja + fr",
        (("pydocs_en_ja_fr", "ja", "en"), ("pydocs_en_ja_fr", "fr", "en")),
    ),
    Asked("KiCad, ja", (("kicad_ja_en", "source", "target"),)),
    Asked("commands, en, MiniLM", (("tldr_en_command", "source", "target"),), "minilm"),
    Asked("Python documentation, ja", (("pydocs_ja_en", "source", "target"),)),
    Asked("mechanics' notes, MiniLM", (("maintnet_problem_action", "source", "target"),), "minilm"),
)
"""All questions are read by USE, unless a name says MiniLM; MiniLM made every index."""


def main() -> None:
    """Measure what OUT does not hold yet; print the table of all that it holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--at-most", type=int, default=600, help="pairs of a set")
    parser.add_argument("--modes", nargs="+", default=["keep", "shared"])
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    results, machine = args.out / "choosing.jsonl", setting()
    lines = results.read_text(encoding="utf-8").splitlines() if results.exists() else []
    rows = [json.loads(line) for line in lines]
    done = {(row["set"], row["mode"], row["seed"]) for row in rows}
    for seed, mode, asked in itertools.product(range(args.seeds), args.modes, SETS):
        where = {"set": asked.name, "mode": mode, "seed": seed}
        if tuple(where.values()) in done:
            continue
        pairs = asked.load(args.data, args.out / "vectors.sqlite", args.at_most, seed)
        found = [where | row for row in measured(pairs, mode, seed)]
        rows += found
        with results.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in found)
        print(*where.values(), f"{time.process_time():.0f} s", flush=True)
    text = f"{describe(machine)}\n\n{show(rows)}"
    (args.out / "choosing.md").write_text(text + "\n", encoding="utf-8")
    print(text)


def measured(pairs: Pairs, mode: Any, seed: int) -> Iterator[Row]:
    """Choose under every rule on one split, and judge each choice in the whole index."""
    split = hold_out(pairs, TEST_SHARE, seed=seed)
    kept_pairs, test = pairs.select(split.kept), pairs.select(split.held_out)
    plan = plan_split(kept_pairs, validation=None, test=test, seed=seed)
    judged = plan.judged[0]
    same_space = share_space(pairs, {"source": None, "target": None}, seed)
    metric = store_metric(pairs)
    with BLAS:
        [features] = feature_sets(mode, pairs, same_space=same_space, ngrams=False)
        data = develop(plan, features, seed=seed)
        rules = [OWN, BUT_TEST, ALL]
        if judged.known is not None:
            rules.append(NEW_ONLY)
        for rule in rules:
            begun = time.thread_time()
            under = replace(data, parts=list(parts_under(rule, plan, features, data)))
            families, identity = tune_candidates([under], metric)
            candidates = [of_one[0] for of_one in families]
            if mode == "keep":
                candidates += [of_one[0] for of_one in tune_heads(candidates, metric, seed)]
            asking = [p.held_out if rule == NEW_ONLY else p.questions for p in plan.parts]
            chosen = choose(candidates, identity, clusters_of(*asking))
            [test_part] = data.judging
            projection = chosen.lifted(test_part.statistics)
            found = per_query(rank(projection, test_part.queries, metric))
            small = among(test_part.queries, own_rows(plan, judged))
            own = per_query(rank(projection, small, metric))
            yield {
                "rule": rule,
                "chosen": chosen.name,
                "seconds": time.thread_time() - begun,
                "documents": len(plan.pool),
                "new": kept(found, slice(None, len(judged.held_out))),
                "known": kept(found, slice(len(judged.held_out), None)),
                "own": float(own["recall@1"].mean()),
            }


def parts_under(
    rule: str, plan: SplitPlan, features: FeatureSet, data: FeatureData
) -> Iterator[HeldOutPart]:
    """Yield the validation parts, their questions ranked as a rule says."""
    documents = features.documents(plan.pool)
    for part, planned in zip(data.parts, plan.parts, strict=True):
        rows = {OWN: own_rows(plan, planned), ALL: np.arange(len(plan.pool))}.get(
            rule, plan.choosing(0)
        )
        asking = planned.held_out if rule == NEW_ONLY else planned.questions
        relevance = plan.pool.relevance(asking, rows=rows)
        relevance = replace(relevance, pool=np.arange(len(rows)))
        queries = HeldOutQueries(
            part.queries.source[: len(asking)], documents[rows].rows, relevance
        )
        yield HeldOutPart(part.statistics, queries)


def own_rows(plan: SplitPlan, part: Part) -> np.ndarray:
    """Return the positions of the documents that the questions of a part ask for."""
    return np.unique(plan.pool.positions(part.questions))


def among(queries: HeldOutQueries, rows: np.ndarray) -> HeldOutQueries:
    """Return the same queries, ranked among some of the documents."""
    place = np.full(len(queries.documents), -1)
    place[rows] = np.arange(len(rows))
    answers = [found[found >= 0] for found in (place[a] for a in queries.relevance.answers)]
    return replace(queries, relevance=replace(queries.relevance, pool=rows, answers=answers))


def kept(found: dict[str, np.ndarray], which: slice) -> dict[str, float] | None:
    """Return the means over the questions of one kind."""
    n = len(found["mrr@10"][which])
    if not n:
        return None
    return {name: float(found[name][which].mean()) for name in ("recall@1", "mrr@10")} | {"n": n}


def _encoded(pairs: Pairs, source: str, cache: Path) -> Pairs:
    """Encode what is not stored."""
    names = {"source": source, "target": "minilm"}
    encoders = {
        side: None if pairs.vectors(side) is not None else _loaded(name)  # type: ignore[arg-type]
        for side, name in names.items()
    }
    return with_vectors(pairs, encoders, cache)  # type: ignore[arg-type]


_loaded = once(encoder)


def show(rows: list[Row]) -> str:
    """Return recall@1 by rule: of each set, and the means of the modes."""
    cells: dict[tuple[str, str], dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        cells[row["set"], row["mode"]][row["rule"]].append(row)
    rules = (OWN, BUT_TEST, ALL, NEW_ONLY)
    lines = []
    for (name, mode), by_rule in cells.items():
        lines.append([name, mode, *(_cell(by_rule[rule]) for rule in rules)])
    modes = dict.fromkeys(mode for _, mode in cells)
    for mode in modes:
        for kind in ("new", "known"):
            of_mode = [c for (_, m), c in cells.items() if m == mode and c[OWN][0][kind]]
            means = []
            for rule in rules:
                some = [c[rule] for c in of_mode if c[rule]]
                mean = np.mean(
                    [np.mean([r[kind]["recall@1"] for r in c]) for c in some] or [np.nan]
                )
                means.append(f"{mean:.3f} ({len(some)} sets)")
            lines.append([f"mean, {kind} documents", mode, *means])
    header = ["set", "mode", *(f"chosen among {rule}" for rule in rules)]
    return table(header, lines)


def _cell(rows: list[Row]) -> str:
    if not rows:
        return ""
    kinds = [[r[kind]["recall@1"] for r in rows if r[kind]] for kind in ("new", "known")]
    whole = " / ".join(f"{np.mean(values):.3f}" for values in kinds if values)
    return f"{whole} (own {np.mean([r['own'] for r in rows]):.3f})"


if __name__ == "__main__":
    main()
