"""Measure which texts are worth pairing first: strategies of choice against random choice.

    python benchmarks/selection.py DATA [--judge cca|fit] [--strategies ...] [--seeds 5]
        [--sizes 50 100 200 400] [--start 0] [--names ...] [--out result.json]

For each seed a fifth of the pairs, by group, judges; each strategy sees the
source vectors of the other pairs and puts them in an order, and a projection is fitted on the
first 50, 100, 200 and 400 (`mode="keep"`). Within a seed all strategies share test part and pool.

- `--judge cca` fits one closed form with one setting for all: regularised CCA, `reg` 1, `power`
  1.75, `prior` 1 where both encoders are the same. `--judge fit` is `kakehashi.fit`, which chooses
  among all closed forms by cross-validation; it takes a hundred times as long.
- `--start 100`: 100 random pairs are there already, and known to the strategy; the choice comes
  on top. `projected` then is ours in the space of a projection that is fitted on these.

The strategies: `ours` is `kakehashi.pairing.select_for_pairing`. `farthest` takes the text whose
nearest chosen neighbour is farthest (k-centre greedy, Gonzalez 1985); `k-means` the texts
nearest to k centres; `facility` the text that brings the mean over 1,000 texts of the largest
cosine with a
chosen text up most (facility location); `leverage` draws with the ridge leverage scores as
probabilities (Alaoui & Mahoney 2015); `d-optimal` takes the text of which a ridge regression is
least sure, greedily; `dense` does so with each text shortened by the mean cosine to its ten nearest
neighbours. Ours and d-optimal differ in that ours asks what a text tells about all the others.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
from datasets import chosen as sets_of
from setting import describe, setting, table, write

import kakehashi
from kakehashi import Pairs
from kakehashi.data.splits import hold_out
from kakehashi.evaluation.scoring import served
from kakehashi.metrics.ranking import per_query, ranks
from kakehashi.metrics.relevance import Relevance
from kakehashi.pairing.active_selection import PRIOR
from kakehashi.projection import Projection
from kakehashi.projection.cca import cca
from kakehashi.projection.moments import Moments, Spectrum
from kakehashi.types import SIDES
from kakehashi.vectors import unit_rows

NAMES = (
    "pydocs_ja_en:use-minilm",
    "pydocs_ja_en:minilm-minilm",
    "kicad_ja_en:use-minilm",
    "kicad_ja_en:minilm-minilm",
    "tldr_en_command:minilm-minilm",
    "maintnet_problem_action:minilm-minilm",
)
SIZES = (50, 100, 200, 400)
TEST_SHARE = 0.2


def random(x: Any, k: int, rng: np.random.Generator) -> Any:
    """Choose any k rows of the (n, d) centred unit vectors; so do all below."""
    return rng.permutation(len(x))[:k]


def farthest(x: Any, k: int, rng: np.random.Generator) -> Any:
    """Choose the row farthest from those before it."""
    u = unit_rows(x)
    chosen = [int(rng.integers(len(u)))]
    distance = 1 - u @ u[chosen[0]]
    while len(chosen) < k:
        chosen.append(int(np.argmax(distance)))
        distance = np.minimum(distance, 1 - u @ u[chosen[-1]])
        distance[chosen] = -1
    return np.array(chosen)


def k_means(x: Any, k: int, rng: np.random.Generator) -> Any:
    """Choose the rows nearest to k centres (k-means++, ten rounds of Lloyd)."""
    squares = (x**2).sum(axis=1)
    centres = x[rng.integers(len(x))][None]
    nearest = ((x - centres[0]) ** 2).sum(axis=1)
    while len(centres) < k:
        new = x[rng.choice(len(x), p=nearest / nearest.sum())]
        centres = np.concatenate([centres, new[None]])
        nearest = np.minimum(nearest, ((x - new) ** 2).sum(axis=1))
    for _ in range(10):
        member = (squares[:, None] - 2 * x @ centres.T + (centres**2).sum(axis=1)).argmin(axis=1)
        for j in np.unique(member):
            centres[j] = x[member == j].mean(axis=0)
    distance = squares[:, None] - 2 * x @ centres.T + (centres**2).sum(axis=1)
    chosen: list[int] = []
    for j in range(k):
        distance[chosen, j] = np.inf
        chosen.append(int(distance[:, j].argmin()))
    return np.array(chosen)


def facility(x: Any, k: int, rng: np.random.Generator) -> Any:
    """Choose what brings the mean largest cosine with a chosen row up most."""
    u = unit_rows(x)
    cosines = u[rng.permutation(len(u))[:1000]] @ u.T
    best = np.full(len(cosines), -1, np.float32)
    chosen: list[int] = []
    while len(chosen) < k:
        gain = np.maximum(cosines, best[:, None]).sum(axis=0)
        gain[chosen] = -np.inf
        chosen.append(int(gain.argmax()))
        best = np.maximum(best, cosines[:, chosen[-1]])
    return np.array(chosen)


def leverage(x: Any, k: int, rng: np.random.Generator) -> Any:
    """Draw rows with probabilities in proportion to their ridge leverage."""
    c = x.T @ x / len(x)
    scores = np.einsum("ij,ij->i", x @ np.linalg.inv(c + mean_variance(x) * np.eye(len(c))), x)
    return rng.choice(len(x), k, replace=False, p=scores / scores.sum())


def d_optimal(x: Any, k: int, rng: np.random.Generator) -> Any:
    """Choose the row of which the ridge regression is least sure."""
    m = np.eye(x.shape[1]) / (PRIOR * mean_variance(x))
    variance = np.einsum("ij,ij->i", x @ m, x)
    chosen: list[int] = []
    while len(chosen) < k:
        variance[chosen] = -np.inf
        chosen.append(int(variance.argmax()))
        u = m @ x[chosen[-1]]
        c = 1 + x[chosen[-1]] @ u
        variance -= (x @ u) ** 2 / c
        m -= np.outer(u, u) / c
    return np.array(chosen)


def dense(x: Any, k: int, rng: np.random.Generator) -> Any:
    """Choose as d-optimal does, rows of few near neighbours shortened."""
    u = unit_rows(x)
    near = np.sort(u @ u.T, axis=1)[:, -11:-1].mean(axis=1).clip(0.01)
    return d_optimal(x * near[:, None], k, rng)


def mean_variance(x: Any) -> float:
    """Return the mean variance of a dimension of centred rows."""
    return float((x**2).sum() / x.size)


OTHERS: dict[str, Callable[..., Any]] = {
    "farthest": farthest,
    "k-means": k_means,
    "facility": facility,
    "leverage": leverage,
    "d-optimal": d_optimal,
    "dense": dense,
}


def main() -> None:
    """Judge every strategy; print its mean difference to random choice."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("--names", nargs="+", default=NAMES, help="NAME:SOURCE-TARGET")
    parser.add_argument("--strategies", nargs="+", default=["ours", *OTHERS])
    parser.add_argument("--judge", choices=JUDGES, default="cca")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--start", type=int, default=0, help="random pairs that are known")
    parser.add_argument("--cache", type=Path, default=Path("vectors.sqlite"))
    parser.add_argument("--out", type=Path, metavar="JSON")
    args = parser.parse_args()
    if args.start and not set(args.strategies) <= {"ours", "projected"}:
        parser.error("--start is for --strategies ours projected; the others know no pairs")
    if not args.start and "projected" in args.strategies:
        parser.error("--strategies projected needs pairs to fit on: --start 100")
    found = setting()
    runs = []
    for data_set in sets_of(args.data, args.names):
        pairs, same = data_set.load(args.data, args.cache), data_set.source == data_set.target
        for seed in range(args.seeds):
            for strategy in ["random", *args.strategies]:
                run = one(pairs, strategy, seed, args, same)
                runs.append({"name": data_set.label, "strategy": strategy, "seed": seed} | run)
                print(runs[-1], file=sys.stderr)
    sizes = sorted(args.sizes)
    print(f"{describe(found)}\n\njudge {args.judge}, start {args.start}\n\n{show(runs, sizes)}")
    write({"setting": found, "judge": args.judge, "start": args.start, "runs": runs}, args.out)


def one(pairs: Pairs, strategy: str, seed: int, args: Any, same: bool) -> dict[str, Any]:
    """Choose by one strategy, and judge what is fitted on the first of the choice."""
    sizes, start, judge = sorted(args.sizes), args.start, JUDGES[args.judge]
    split = hold_out(pairs, TEST_SHARE, seed=seed)
    pool, test = pairs.select(split.kept), pairs.select(split.held_out)
    known = np.random.default_rng(seed + 1).permutation(len(pool))[:start]
    left = np.setdiff1d(np.arange(len(pool)), known)
    x = unit_rows(np.asarray(pool.required_vectors("source"), np.float32)).astype(np.float64)
    x -= x.mean(axis=0)
    begun = time.process_time()
    k = sizes[-1]
    if strategy in ("ours", "projected"):
        sources = np.asarray(pool.required_vectors("source"), np.float32)
        if strategy == "projected":
            sources = fixed_cca(pool.select(known), same)(sources, modality="source", role="query")
        paired = None
        if start:
            paired = Pairs(source_vectors=sources[known], target_vectors=sources[known])
        order = kakehashi.pairing.select_for_pairing(sources, k, pairs=paired, seed=seed)
    elif strategy == "random":
        order = left[random(x[left], k, np.random.default_rng(seed))]
    else:
        order = None
    chosen = {}
    for n in sizes:
        if strategy == "k-means":  # centres of n are not the first of the centres of more
            chosen[n] = k_means(x, n, np.random.default_rng(seed))
        elif order is None:
            order = OTHERS[strategy](x, k, np.random.default_rng(seed))
        if order is not None:
            chosen[n] = order[:n]
    seconds = time.process_time() - begun
    found: dict[str, Any] = {"seconds": seconds}
    for n, rows in chosen.items():
        fitted = pool.select(np.concatenate([known, np.sort(rows)]))
        assert len(np.unique(np.concatenate([known, rows]))) == start + n
        rank = judge(fitted, test, same)
        found[str(n)] = {m: float(per_query(rank)[m].mean()) for m in ("recall@1", "mrr@10")}
    return found


def fixed_cca(pairs: Pairs, same: bool) -> Projection:
    """Fit CCA with one setting for all."""
    x, y = (pairs.required_vectors(side) for side in SIDES)
    settings = {"reg_source": 1.0, "reg_target": 1.0, "power": 1.75, "prior": float(same)}
    return cca(Spectrum(Moments.of(x, y)), "keep", **settings)


def by_cca(fitted: Pairs, test: Pairs, same: bool) -> Any:
    """Return the test ranks of one setting of CCA."""
    x, y = (np.asarray(test.required_vectors(s), np.float32) for s in SIDES)
    queries = fixed_cca(fitted, same)(x, modality="source", role="query")
    return ranks(queries, y, "cosine", relevance=Relevance.of(test))


def by_fit(fitted: Pairs, test: Pairs, same: bool) -> Any:
    """Return the test ranks of what `kakehashi.fit` ships."""
    aligner = kakehashi.fit(fitted, test=test, mode="keep")
    metric: Any = aligner.report.metric
    return ranks(*served(aligner, test), metric, relevance=Relevance.of(test))


JUDGES = {"cca": by_cca, "fit": by_fit}


def show(runs: list[dict[str, Any]], sizes: list[int]) -> str:
    """Return a table a size: random's recall@1, and the mean paired difference of each other."""
    names = list(dict.fromkeys(run["name"] for run in runs))
    strategies = list(dict.fromkeys(run["strategy"] for run in runs))
    score = {
        (run["name"], run["strategy"], run["seed"], n): run[str(n)]["recall@1"]
        for run in runs
        for n in sizes
    }
    seeds = sorted({run["seed"] for run in runs})
    parts = [
        "recall@1 of random choice, and the difference to it: mean over the seeds ± standard error"
    ]
    for n in sizes:
        rows = []
        for strategy in strategies:
            cells, means = [], []
            for name in names:
                scores = np.array([score[name, strategy, seed, n] for seed in seeds])
                if strategy != "random":
                    scores -= [score[name, "random", seed, n] for seed in seeds]
                error = scores.std(ddof=1) / np.sqrt(len(seeds)) if len(seeds) > 1 else np.nan
                cells.append(f"{scores.mean():+.3f} ± {error:.3f}")
                means.append(scores.mean())
            seconds = np.mean([run["seconds"] for run in runs if run["strategy"] == strategy])
            rows.append([strategy, *cells, f"{np.mean(means):+.3f}", f"{seconds:.1f}"])
        parts.append(f"{n} pairs\n\n{table(['', *names, 'mean', 'seconds'], rows)}")
    return "\n\n".join(parts)


if __name__ == "__main__":
    main()
