"""Measure what the trained head adds to the best closed form: recall@1 on held-out questions.

    python benchmarks/learned_head.py DATA RESULTS [--sets NAME:SOURCE-TARGET ...] [--seeds 3]
                                      [--modes keep shared] [--at-most 2000]

A fifth of the pairs, whole groups at a time, is the test part; it depends on the seed alone.
Training rows that share a side with it are left out. The other rows go through kakehashi's own
model selection, over vectors alone and over vectors with n-grams beside them. The texts without a
pair are the training targets, as the source encoder sees them.

"Closed form" is the first by validation, with or without hubness correction. "Head" is trained
with torch from the best plain closed form, as `fit` trains it. Validation chooses the number of
its epochs, and whether it is corrected. "Choice" is the better of the two by validation, which
`fit` would take.

Both are fitted on all training rows and answer the same questions. The pool is the held-out
documents, or all documents of the set. The interval of a difference is a bootstrap over queries,
whole groups at a time. A query that several seeds hold out is drawn together with itself. A mean
over sets draws the queries of each set by themselves.

RESULTS is a file of JSON lines. A run that is interrupted goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import zlib
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
from datasets import DEFAULT, DataSet, chosen
from setting import describe, setting, table

from kakehashi import Pairs
from kakehashi.data.duplicates import find_leaks
from kakehashi.data.splits import hold_out
from kakehashi.metrics.ranking import ranks
from kakehashi.metrics.relevance import MIN_GROUPS, Relevance
from kakehashi.metrics.statistics import sums_by_cluster
from kakehashi.training.candidates import Candidate
from kakehashi.training.features import feature_sets
from kakehashi.training.model_selection import tune_candidates
from kakehashi.training.one_thread import BLAS
from kakehashi.training.setting_search import tune_correction, tune_head
from kakehashi.training.sources import Source
from kakehashi.training.spaces import share_space, store_metric
from kakehashi.training.split_plan import plan_split
from kakehashi.training.sufficient_statistics import develop

TEST_SHARE = 0.2
ENOUGH = 0.005
FEATURES = ("vectors", "vectors + n-grams")
POOLS = {"held_out": "held-out documents", "all": "all documents"}
KEY = ("set", "mode", "seed", "features")
RESAMPLES = 1000
Row = dict[str, Any]


def main() -> None:
    """Measure what RESULTS does not hold yet; print a table of all that it holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("results", type=Path, metavar="RESULTS")
    parser.add_argument("--sets", nargs="+", default=[*DEFAULT])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--modes", nargs="+", default=["keep", "shared"])
    parser.add_argument("--at-most", type=int, help="training pairs of a set, drawn by the seed")
    parser.add_argument("--cache", type=Path, default=Path("vectors.sqlite"))
    args = parser.parse_args()
    machine, rows = setting(), read(args.results)
    done = {tuple(row[k] for k in KEY) for row in rows}
    for seed in range(args.seeds):
        for data_set in chosen(args.data, args.sets):
            for mode in args.modes:
                where = {"set": data_set.label, "mode": mode, "seed": seed}
                if {(*where.values(), features) for features in FEATURES} <= done:
                    continue
                for cell in measured(args, data_set, mode, seed):
                    rows.append(where | cell)
                    with args.results.open("a", encoding="utf-8") as lines:
                        lines.write(json.dumps(rows[-1]) + "\n")
                print(*where.values(), f"{time.process_time():.0f} s so far", flush=True)
    print(f"\n{describe(machine)}\n\n{show(rows)}")


def read(path: Path) -> list[Row]:
    """Return the results so far, one a cell: the last one counts."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return list({tuple(row[k] for k in KEY): row for row in map(json.loads, lines)}.values())


def measured(args: Any, data_set: DataSet, mode: Any, seed: int) -> list[Row]:
    """Tune the closed forms and train the heads of one split; return a row for each feature set."""
    pairs = data_set.load(args.data, args.cache)
    as_source = data_set.targets_as_source(pairs, args.data, args.cache)
    split = hold_out(pairs, TEST_SHARE, seed=seed)
    test = pairs.select(split.held_out)
    left = np.setdiff1d(split.kept, find_leaks(pairs, test))
    kept = np.sort(np.random.default_rng(seed).permutation(left)[: args.at_most])
    train = pairs.select(kept)
    texts, y = train.target_texts, train.required_vectors("target")
    targets = Pairs(texts, texts, source_vectors=as_source[kept], target_vectors=y)
    metric = store_metric(train)
    same_space = share_space(train, {"source": None, "target": None}, seed)
    rows = plan_split(
        train, validation=None, test=test, sources=(Source("targets", targets),), seed=seed
    )
    every = Relevance.of(pairs)
    relevance = {
        "held_out": Relevance.of(test),
        "all": Relevance(every.pool, [every.answers[i] for i in split.held_out]),
    }
    groups = pairs.groups if pairs.groups and len(set(pairs.groups)) >= MIN_GROUPS else None
    names = pairs.source_texts if groups is None else groups
    assert names is not None
    about = {
        "n_train": len(train),
        "pools": {pool: len(r.pool) for pool, r in relevance.items()},
        "clusters": [zlib.crc32(names[i].encode()) for i in split.held_out],
    }

    def hits(candidate: Candidate) -> dict[str, list[int]]:
        """Say of each held-out question whether its first document answers it, in both pools."""
        features = candidate.data.features
        projection = candidate.lifted(candidate.data.judging[0].statistics)
        sources = np.asarray(features.read(test).required_vectors("source"), np.float32)
        targets = np.asarray(features.read(pairs).required_vectors("target"), np.float32)
        queries = projection(sources, modality="source", role="query")
        documents = projection(targets, modality="target", role="document")
        of_pool = {"held_out": documents[split.held_out], "all": documents}
        return {
            pool: (ranks(queries, of_pool[pool], metric, relevance=r) == 1).astype(int).tolist()
            for pool, r in relevance.items()
        }

    def one(features: str, closed: list[Candidate]) -> Row:
        """Train a head from the best of some closed forms, and hold it against them."""
        best = max(closed, key=lambda c: c.score)
        plain = [c for c in closed if c.name != "identity" and not c.name.endswith("+hubness")]
        begun = time.thread_time()
        trained = tune_head(max(plain, key=lambda c: c.score), metric, seed)[0]
        candidates = [trained, *tune_correction(trained.name, trained.data, [trained], metric)]
        ours = max(candidates, key=lambda c: c.score)
        ours.build(ours.data.judging[0].statistics)
        return about | {
            "features": features,
            "closed": best.name,
            "learned": ours.name,
            "validation": {"closed": best.score, "learned": ours.score},
            "seconds": {
                "closed": sum(c.cpu_seconds for c in closed),
                "learned": time.thread_time() - begun,
            },
            "hits": {"closed": hits(best), "learned": hits(ours)},
        }

    with BLAS:
        read_by = feature_sets(mode, train, same_space=same_space, ngrams=True)
        developments = [develop(rows, features, seed=seed) for features in read_by]
        families, _ = tune_candidates(developments, metric)
        closed = [of_one[0] for of_one in families]
        over_vectors = [c for c in closed if not c.data.features.ngrams]
        return [one(*each) for each in zip(FEATURES, (over_vectors, closed), strict=True)]


def added(rows: list[Row], pool: str, choice: bool) -> np.ndarray:
    """Return the mean difference of recall@1 over the seeds of a case, and its resamples."""
    differences, labels = [], []
    for row in rows:
        taken = not choice or row["validation"]["learned"] > row["validation"]["closed"]
        of_head, of_closed = (np.array(row["hits"][k][pool]) for k in ("learned", "closed"))
        differences.append((of_head - of_closed) * float(taken))
        labels += row["clusters"]
    clusters = np.unique(labels, return_inverse=True)[1]
    sums = sums_by_cluster(np.concatenate(differences), clusters)
    sizes, n = np.bincount(clusters), len(sums)
    draws = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), size=RESAMPLES)
    return np.append(sums.sum() / sizes.sum(), draws @ sums / (draws @ sizes))


def interval(resamples: np.ndarray) -> str:
    """Return a difference and its 95% interval."""
    low, high = np.percentile(resamples[1:], [2.5, 97.5])
    return f"{resamples[0]:+.3f} [{low:+.3f}, {high:+.3f}]"


def show(rows: list[Row]) -> str:
    """Return a table of every case, and one of the means over the sets."""
    cases: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        cases.setdefault((row["set"], row["mode"], row["features"]), []).append(row)
    columns = [(choice, pool) for choice in (False, True) for pool in POOLS]
    gains = {(key, c): added(case, c[1], c[0]) for key, case in cases.items() for c in columns}
    what = [f"{'choice' if choice else 'head'}, {POOLS[pool]}" for choice, pool in columns]
    lines = []
    for key, case in cases.items():
        recalls = [np.mean([np.mean(r["hits"]["closed"][pool]) for r in case]) for pool in POOLS]
        seconds = [np.mean([r["seconds"][k] for r in case]) for k in ("closed", "learned")]
        lines.append(
            [*key, " / ".join(f"{recall:.3f}" for recall in recalls)]
            + [interval(gains[key, c]) for c in columns]
            + [" + ".join(f"{s:.1f}" for s in seconds)]
        )
    means = []
    for mode, features in [*dict.fromkeys(key[1:] for key in cases), ("all", "all")]:
        group = [key for key in cases if mode == "all" or key[1:] == (mode, features)]
        line = [mode, features]
        for c in columns:
            stack = np.stack([gains[key, c] for key in group])
            enough = (stack[:, 0] >= ENOUGH).sum()
            line.append(f"{interval(stack.mean(axis=0))}; {enough} of {len(group)}")
        means.append(line)
    header = ["set", "mode", "features", "closed form: held-out / all documents", *what]
    of_cases = table([*header, "CPU seconds, closed forms + head"], lines)
    return f"{of_cases}\n\n{table(['mode', 'features', *what], means)}"


if __name__ == "__main__":
    main()
