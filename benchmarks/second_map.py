"""Hold the rules by which a second map is shown against what it finds in the whole index.

    python benchmarks/second_map.py DATA OUT [--sets NAME:SOURCE-TARGET ...] [--sizes 100 200 400]
                                    [--seeds 3] [--given none both] [--cache FILE]

A fit gets own pairs, alone or with the index and other sets, as finding_data.py gives them. It goes
as far as `fit` does, over vectors alone and without a trained head, and judges both maps out of
fold. Then both answer the questions of a fifth of the pairs, which no fit has seen, among all
documents: `keep` alone, and rescored. By MRR@10 the second map is

- good: rescored finds .01 more than `keep` alone;
- bad: it finds less.

A rule shows the second map or holds it back. The rules ask for a gain on the questions that judge:
at the 5% level of `fit`, at 10%, of two standard errors, of one, or of any size. "Served" is the
mean MRR@10 of what each rule serves.

OUT is a file of JSON lines. A run that is interrupted goes on where it stopped.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
from datasets import DataSet
from finding import GIVEN, STARTERS
from finding import SETS as INTO_MINILM
from finding_data import Corpus, Task
from setting import describe, setting, table

from kakehashi.metrics.ranking import per_query
from kakehashi.metrics.relevance import Clusters, clusters_of
from kakehashi.metrics.statistics import sums_by_cluster
from kakehashi.training.feature_data import HeldOutQueries
from kakehashi.training.fit_inputs import FitInputs, FitSettings
from kakehashi.training.held_out_ranks import mrr
from kakehashi.training.judge import judge
from kakehashi.training.judge_second import JudgedSecond
from kakehashi.training.model_selection import tune
from kakehashi.training.one_thread import BLAS
from kakehashi.training.prepare import Prepared, prepare
from kakehashi.training.rescored_search import hits_of
from kakehashi.training.second_map import tune_second
from kakehashi.training.sources import as_sources

SETS = (
    *INTO_MINILM,
    "kicad_ja_en:minilm-minilm",
    "pydocs_ja_en:minilm-minilm",
    "tldr_en_command:minilm-minilm",
    "maintnet_problem_action:minilm-minilm",
    "django_pseudocode_code:minilm-minilm",
    "kicad_ja_en:use-use",
    "pydocs_ja_en:use-use",
)
GOOD = 0.01
KEY = ("set", "size", "given", "seed")
Row = dict[str, Any]
RULES: dict[str, Callable[[Row], bool]] = {
    "p < .05, as fit": lambda row: row["gain"] > 0 and row["p"] < 0.05,
    "p < .1": lambda row: row["gain"] > 0 and row["p"] < 0.1,
    "two standard errors": lambda row: row["gain"] > 2 * row["error"],
    "one standard error": lambda row: row["gain"] > row["error"],
    "any gain": lambda row: row["gain"] > 0,
}


def main() -> None:
    """Measure what OUT does not hold yet; print the table of all that it holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--sizes", nargs="+", type=int, default=[100, 200, 400])
    parser.add_argument("--given", nargs="+", default=["none", "both"], choices=GIVEN)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--cache", type=Path, default=Path("vectors.sqlite"))
    args = parser.parse_args()
    machine = setting()
    lines = args.out.read_text(encoding="utf-8").splitlines() if args.out.exists() else []
    rows = [json.loads(line) for line in lines]
    done = {tuple(row[key] for key in KEY) for row in rows}
    for name, seed in itertools.product(args.sets, range(args.seeds)):
        corpus = _read(name, args)
        for size, given in itertools.product(args.sizes, args.given):
            where = dict(zip(KEY, (name, size, given, seed), strict=True))
            task = Task.of(corpus, size, seed)
            beside = given != "none" and corpus.others is None
            if tuple(where.values()) in done or task is None or beside:
                continue
            with BLAS:
                rows.append(where | measured(task, given, seed))
            with args.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(rows[-1]) + "\n")
            print(*rows[-1].values(), flush=True)
    print(f"\n{describe(machine)}\n\n{show(rows)}")


def _read(name: str, args: Any) -> Corpus:
    """Read a set; only those that USE asks in an index of MiniLM have other sets."""
    file, _, sides = name.partition(":")
    others = STARTERS if name in INTO_MINILM else ()
    return Corpus.read(DataSet(file, *sides.split("-")), args.data, args.cache, others)


def measured(task: Task, given: str, seed: int) -> Row:
    """Fit and judge both maps, then score them on questions that the fit has not seen."""
    assert task.own is not None
    inputs = FitInputs(task.own, learn_from=as_sources(task.learn_from(GIVEN[given])))
    settings = FitSettings(ngrams=False, learned=False, seed=seed)
    prepared = prepare(inputs, None, None, settings)
    tuned = tune(prepared)
    second = tune_second(prepared, tuned)
    judged = judge(prepared, tuned, second)
    assert judged.second is not None
    keep, rescored = in_index(task, prepared, tuned.chosen, judged.second)
    # The chosen map has its own ranks among those of the candidates; it may not be what ships.
    first = mrr(judged.ranks[tuned.chosen])
    gains, test = mrr(judged.second.ranks) - first, judged.second.over_keep
    return {
        "gain": test.difference,
        "p": test.p_value,
        "error": standard_error(gains, clusters_of(prepared.plan.questions)),
        "keep": keep,
        "rescored": rescored,
        "verdict": judged.verdict.advice,
    }


def in_index(
    task: Task, prepared: Prepared, first: Any, judged: JudgedSecond
) -> tuple[float, float]:
    """Return MRR@10 of `keep` alone and rescored, as they would ship, on the test part."""
    parts = task.parts
    queries = HeldOutQueries(
        np.asarray(parts.test.required_vectors("source"), np.float32),
        np.asarray(parts.pool.vectors, np.float32),
        parts.relevance,
    )
    maps = [(c.lifted(c.data.everything), queries) for c in (first, judged.candidate)]
    hits = hits_of(*maps, prepared.metric)
    found = (hits.ranks, hits.rescored(judged.n_hits))
    keep, rescored = (float(per_query(ranks)["mrr@10"].mean()) for ranks in found)
    return keep, rescored


def standard_error(differences: Any, clusters: Clusters) -> float:
    """Return the standard error of a mean difference, by cluster."""
    sums = sums_by_cluster(differences - differences.mean(), clusters)
    return float(np.sqrt((sums**2).sum())) / len(differences)


def show(rows: list[Row]) -> str:
    """Return a table of the rules, over all fits and by what the fits were given."""
    lines = []
    for given, size in [("", 0), *sorted({(row["given"], row["size"]) for row in rows})]:
        of = [row for row in rows if not given or (row["given"], row["size"]) == (given, size)]
        true = np.array([row["rescored"] - row["keep"] for row in of])
        for name, rule in RULES.items():
            shown = np.array([rule(row) for row in of])
            served = [row["rescored" if s else "keep"] for row, s in zip(of, shown, strict=True)]
            lines.append(
                (
                    f"{size} pairs, {given}" if given else "all",
                    len(of),
                    name,
                    f"{(shown & (true >= GOOD)).sum()} of {(true >= GOOD).sum()}",
                    f"{(shown & (true < 0)).sum()} of {(true < 0).sum()}",
                    f"{true[shown & (true < 0)].sum():+.3f}",
                    f"{np.mean(served):.4f}",
                )
            )
    header = ("fits", "", "rule", "good shown", "bad shown", "sum of their losses", "served")
    return table(header, lines)


if __name__ == "__main__":
    main()
