"""Measure what the trained head adds in the whole index, and by which means.

    python benchmarks/head_in_index.py DATA RESULTS [--sets NAME ...] [--sizes 200 all] [--seeds 1]
                                       [--given nothing both] [--texts] [--cache FILE]

The sets are those of choosing.py that USE asks, in which documents may have several questions, and
everyday sentences. A fifth of the pairs, whole groups, is the test part. Beside own pairs a fit
learns from nothing or from both: half of the index's texts, as USE reads them, and the pairs of the
other fields here. Then the index has more documents than the pairs name.

Maps of mode keep are tuned as `fit` tunes them, over vectors alone, or (--texts) over n-grams, too:

- closed form: the best by validation, with or without hubness correction;
- head: trained from the best plain closed form by InfoNCE, against the documents of the own pairs;
  the better by validation of plain and corrected, as all below;
- longer: the same with 20 epochs in place of 6;
- sources: trained on 1,000 rows of each source, too, whose documents are wrong answers as well.

Each answers the test questions among all documents. Four numbers: recall@1 of questions about new
documents; of new questions about documents of fitted pairs; of those about new documents among the
documents that no fitted pair names; and the share of first hits, of questions about new documents,
that fitted pairs name. There every such hit is wrong. A gain in the first number that the third
does not show comes of leading questions away from fitted documents.

RESULTS is a file of JSON lines. A run that is interrupted goes on where it stopped.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
from choosing import SETS, Asked, among
from datasets import DataSet, encoder
from finding import STARTERS
from setting import describe, setting, table

from kakehashi import Pairs
from kakehashi.data.duplicates import find_leaks
from kakehashi.data.pairs import concatenated
from kakehashi.data.splits import hold_out
from kakehashi.encoders.cache import encode_texts
from kakehashi.metrics.ranking import per_query
from kakehashi.training.candidates import Candidate, ClosedFormMap
from kakehashi.training.feature_data import FeatureData, HeldOutPart, TrainingRows
from kakehashi.training.features import feature_sets
from kakehashi.training.gradient import contrastive
from kakehashi.training.map_ranks import compared, rank
from kakehashi.training.model_selection import tune_candidates, tune_heads
from kakehashi.training.one_thread import BLAS
from kakehashi.training.sources import Source
from kakehashi.training.spaces import share_space, store_metric
from kakehashi.training.split_plan import TEST_SHARE, SplitPlan, plan_split
from kakehashi.training.sufficient_statistics import develop
from kakehashi.vectors import drawn, unit_rows

BY_USE = {asked.name: asked for asked in SETS if asked.source == "use"}
BY_USE["sentences, ja"] = Asked("sentences, ja", (("tatoeba_ja_en", "source", "target"),))
DEFAULT = ("KiCad, ja + fr", "descriptions, ja + fr", "sentences, ja", "Python documentation, ja")
LONGER, ROWS_OF_SOURCE, MIN_KNOWN = 20, 1000, 30
KEY = ("set", "own", "given", "texts", "seed")
SYSTEMS = ("closed form", "head", "longer", "sources")
SCORES = ("new", "known", "unfitted", "hits")
Row = dict[str, Any]


def main() -> None:
    """Measure what RESULTS does not hold yet; print a table of all that it holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("results", type=Path, metavar="RESULTS")
    parser.add_argument("--sets", nargs="+", default=DEFAULT, choices=BY_USE)
    parser.add_argument("--sizes", nargs="+", default=["200", "all"])
    parser.add_argument("--given", nargs="+", default=["nothing", "both"])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--texts", action="store_true", help="maps over n-grams, too")
    parser.add_argument("--cache", type=Path, default=Path("vectors.sqlite"))
    args = parser.parse_args()
    machine = setting()
    lines = args.results.read_text(encoding="utf-8").splitlines() if args.results.exists() else []
    rows = [json.loads(line) for line in lines]
    done = {tuple(row[key] for key in KEY) for row in rows}
    asked = itertools.product(range(args.seeds), args.sets, args.sizes, args.given)
    for seed, name, size, given in asked:
        where = dict(zip(KEY, (name, size, given, args.texts, seed), strict=True))
        if tuple(where.values()) in done:
            continue
        with BLAS:
            rows.append(where | measured(args, **where))
        with args.results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(rows[-1]) + "\n")
        print(*where.values(), flush=True)
    print(f"\n{describe(machine)}\n\n{show(rows)}")


def measured(args: Any, *, set: str, own: str, given: str, texts: bool, seed: int) -> Row:
    """Tune all maps on one split, and score them in the whole index."""
    pairs = BY_USE[set].load(args.data, args.cache, 10**6, seed)
    plan = planned(pairs, own, tuple(sources(pairs, set, args)) if given == "both" else (), seed)
    same_space = share_space(pairs, {"source": None, "target": None}, seed)
    metric = store_metric(pairs)
    found = feature_sets("keep", plan.pairs, same_space=same_space, ngrams=texts)
    data = [develop(plan, features, seed=seed) for features in found]
    closed = [of_one[0] for of_one in tune_candidates(data, metric)[0]]
    start = best([c for c in closed if isinstance(c.recipe, ClosedFormMap)])

    def head(of: Candidate) -> Candidate:
        return best([family[0] for family in tune_heads([of], metric, seed)])

    maps = {"closed form": best(closed), "head": head(start)}
    with epochs(LONGER):
        maps["longer"] = head(start)
    if plan.sources:
        maps["sources"] = head(replace(start, data=with_sources(start.data, plan), _built={}))
    scores = {name: scored(candidate, plan, metric) for name, candidate in maps.items()}
    return {"pairs": len(plan.judged[0].train), "documents": len(plan.pool)} | scores


def planned(pairs: Pairs, own: str, beside: tuple[Source, ...], seed: int) -> SplitPlan:
    """Hold out the test part; of the other pairs take so many."""
    split = hold_out(pairs, TEST_SHARE, seed=seed)
    test = pairs.select(split.held_out)
    left = np.setdiff1d(split.kept, find_leaks(pairs, test))
    kept = left if own == "all" else left[drawn(len(left), int(own), seed)]
    beside = tuple(
        Source(name, rows.select(np.setdiff1d(np.arange(len(rows)), find_leaks(rows, test))))
        for name, rows in beside
    )
    plan = plan_split(
        pairs.select(kept),
        validation=None,
        test=test,
        sources=beside,
        documents=(pairs,),
        seed=seed,
    )
    # A test set of the caller's is no index; here the index is what makes the difference.
    plan.__dict__["holds_others"] = bool(beside)
    return plan


def sources(pairs: Pairs, name: str, args: Any) -> Iterator[Source]:
    """Yield half of the index as USE reads it, and the pairs of other fields."""
    texts, y = pairs.target_texts or (), pairs.required_vectors("target")
    read = drawn(len(texts), len(texts) // 2, 0)
    some = [texts[i] for i in read]
    seen = encode_texts(encoder("use"), some, "query", cache=args.cache)
    yield Source("index", Pairs(some, some, source_vectors=seen, target_vectors=y[read]))
    fields = {file.partition("_")[0] for file, *_ in BY_USE[name].columns}
    others = [file for file in STARTERS if file.partition("_")[0] not in fields]
    loaded = [DataSet(file, "use", "minilm").load(args.data, args.cache) for file in others]
    yield Source("other sets", concatenated(loaded))


def with_sources(data: FeatureData, plan: SplitPlan) -> FeatureData:
    """Return the same whose rows to train on are those of the sources, too."""
    read = [(rows, data.features.read(rows)) for _, rows in plan.sources]
    return replace(
        data,
        parts=[_part(*each, read) for each in zip(data.parts, plan.parts, strict=True)],
        judging=[_part(*each, read) for each in zip(data.judging, plan.judged, strict=True)],
    )


def _part(part: HeldOutPart, planned: Any, read: list[tuple[Pairs, Pairs]]) -> HeldOutPart:
    training, more = part.statistics.training, []
    for rows, as_read in read:
        free = np.setdiff1d(np.arange(len(rows)), find_leaks(rows, planned.questions))
        more.append((as_read, free[drawn(len(free), ROWS_OF_SOURCE, 0)]))
    every = TrainingRows([*training.sets, *more], training.seed, training.in_coordinates)
    return replace(part, statistics=replace(part.statistics, training=every))


@contextmanager
def epochs(n: int) -> Iterator[None]:
    """Train for so many epochs."""
    refine = contrastive.refine
    contrastive.refine = partial(refine, epochs=n)
    try:
        yield
    finally:
        contrastive.refine = refine


def best(candidates: list[Candidate]) -> Candidate:
    """Return the first by validation."""
    return max(candidates, key=lambda c: c.score)


def scored(candidate: Candidate, plan: SplitPlan, metric: Any) -> list[float | None]:
    """Return the four numbers of a map."""
    [judging], [part] = candidate.data.judging, plan.judged
    projection, queries, n = (
        candidate.lifted(judging.statistics),
        judging.queries,
        len(part.held_out),
    )
    right = per_query(rank(projection, queries, metric))["recall@1"]
    free = plan.unfitted(part)
    few = among(queries, free)
    few = replace(
        few,
        source=few.source[:n],
        relevance=replace(few.relevance, answers=few.relevance.answers[:n]),
    )
    alone = per_query(rank(projection, few, metric))["recall@1"]
    asked, stored, _ = compared(projection, queries, metric)
    first = (asked[:n] @ unit_rows(stored).T).argmax(axis=1)
    known = float(right[n:].mean()) if len(right) - n >= MIN_KNOWN else None
    hits = float(np.isin(first, free, invert=True).mean())
    return [float(right[:n].mean()), known, float(alone.mean()), hits]


def show(rows: list[Row]) -> str:
    """Return the table: means over seeds."""
    found: dict[Any, list[Row]] = {}
    for row in rows:
        found.setdefault(tuple(row[key] for key in KEY[:-1]), []).append(row)
    lines = []
    for (name, own, given, texts), some in found.items():
        pairs = f"{np.mean([row['pairs'] for row in some]):.0f}" if own == "all" else own
        cells = [_cell([row[system] for row in some if system in row]) for system in SYSTEMS]
        lines.append([name, pairs, given, "n-grams" if texts else "vectors", *cells])
    return table(["set", "own pairs", "beside them", "reads", *SYSTEMS], lines)


def _cell(scores: list[list[float | None]]) -> str:
    columns = ([s for s in column if s is not None] for column in zip(*scores, strict=True))
    return " / ".join(f"{np.mean(c):.3f}".lstrip("0") if c else "–" for c in columns)


if __name__ == "__main__":
    main()
