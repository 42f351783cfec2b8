"""Measure what a fit gains from sources beside its pairs: an index, and pairs of other fields.

    python benchmarks/sources.py DATA OUT [--sets ...] [--sizes 0 50 200 all] [--seeds 1] [--texts]

The index of each set holds its targets as MiniLM stored them; the multilingual encoder USE asks.
Up to 500 pairs, whole groups, ask among all documents. The others are own pairs. The starter set
is all pairs of the other sets; the index gives half of its texts (3,000 at most), which USE reads.
Maps read vectors only, and no head is trained; --texts lets them read n-grams, too.

recall@1 of `keep`, of `keep` whose first 50 hits `shared` orders again, and of `shared`. Rows:
`fit` is kakehashi.fit with all that is named; `fixed` is CCA with every source as 1,000 pairs and
one setting of all else; `one pool` is the same over all rows as if they were pairs of one field.
Without own pairs nothing can be validated, and the means are those of 300 questions without answer.
With --grid every source counts as 0, 300, 1,000 and 3,000 pairs, in all combinations, by `fixed`.
`fitted` is the share of first hits in `keep` that are documents of own pairs. `again` embeds the
index by USE. OUT/sources.jsonl holds a line for each measurement.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
from datasets import DataSet
from setting import describe, setting, table

import kakehashi
from kakehashi import Pairs
from kakehashi.data.index import IndexDocuments
from kakehashi.data.pairs import concatenated
from kakehashi.data.splits import hold_out
from kakehashi.projection.cca import cca
from kakehashi.projection.moments import Moments, Spectrum
from kakehashi.training.closed_forms import AS_PAIRS, FIXED
from kakehashi.vectors import Float32Array, drawn, unit_rows

SETS = ("kicad_ja_en", "pydocs_ja_en", "tatoeba_ja_en", "tldr_ja_en")
STARTER, INDEX = "starter", "index"
GIVEN = ((), (STARTER,), (INDEX,), (STARTER, INDEX))
WEIGHTS = (0, 300, 1000, 3000)
N_ASKING, N_READ, N_QUESTIONS, N_HITS = 500, 3000, 300, 50
Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Task:
    """A set whose questions ask among all documents, and all that may be learned from.

    Attributes:
        seen: (n, d_x), the documents as the encoder that asks sees them.
    """

    pairs: Pairs
    seen: Float32Array
    asking: Any
    own: Any
    starter: Pairs

    def index(self, seed: int) -> IndexDocuments:
        """The index, of which half is read by the encoder that asks."""
        texts, n = self.pairs.target_texts, len(self.pairs)
        seen, learn = self.seen, min(N_READ, n // 2)
        return IndexDocuments(
            texts, self.pairs.target_vectors, source_vectors=seen, learn=learn, name=INDEX
        )

    def score(self, keep: Any, shared: Any, own: Any) -> Row:
        """Return recall@1 of two maps from source vectors and documents to both sides' vectors."""
        x, y = self.pairs.required_vectors("source")[self.asking], self.pairs.target_vectors
        first, second = (q @ d.T for q, d in (keep(x, y), shared(x, y)))
        hits = np.argpartition(-first, N_HITS, axis=1)[:, :N_HITS]
        best = np.take_along_axis(second, hits, axis=1).argmax(axis=1)
        found = {
            "keep": first.argmax(axis=1),
            "rescored": hits[np.arange(len(hits)), best],
            "shared": second.argmax(axis=1),
        }
        right = {name: float((which == self.asking).mean()) for name, which in found.items()}
        return right | {"fitted": float(np.isin(found["keep"], own).mean())}


def main() -> None:
    """Measure what OUT does not hold yet; print the table of all that it holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--sizes", nargs="+", default=["0", "50", "200", "all"])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--texts", action="store_true", help="read n-grams, too")
    parser.add_argument("--grid", action="store_true", help="weights of both sources instead")
    parser.add_argument("--cache", type=Path, help="of vectors; by default in OUT")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    results, machine = args.out / "sources.jsonl", setting()
    lines = results.read_text(encoding="utf-8").splitlines() if results.exists() else []
    rows = [json.loads(line) for line in lines]
    keys = ("set", "seed", "own", "given", "how", "texts")
    done = {tuple(row[key] for key in keys) for row in rows}
    for seed, name in itertools.product(range(args.seeds), args.sets):
        task = prepared(name, args.data, args.cache or args.out / "vectors.sqlite", seed)
        ways = [(given, how) for given in GIVEN for how in ("fixed", "one pool", "fit")]
        if args.grid:
            ways = [(GIVEN[-1], f"{a} + {b}") for a, b in itertools.product(WEIGHTS, WEIGHTS)]
        for size, (given, how) in itertools.product(args.sizes, ways):
            where = (name, seed, size, " + ".join(given), how, args.texts)
            if where in done or not asked(size, given, how, args.texts):
                continue
            row = dict(zip(keys, where, strict=True)) | measured(task, size, given, how, args.texts)
            rows.append(row)
            with results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            print(*row.values(), flush=True)
    text = f"{describe(machine)}\n\n{show(rows)}"
    (args.out / "sources.md").write_text(text + "\n", encoding="utf-8")
    print(text)


def asked(size: str, given: tuple[str, ...], how: str, texts: bool) -> bool:
    """Whether a row makes sense."""
    if how != "fit":
        return len(given) + (size != "0") > (how == "one pool") and not texts
    return size != "0"


def prepared(name: str, data: Path, cache: Path, seed: int) -> Task:
    """Read a set, split it, and gather the pairs of all other sets."""
    pairs, of = {}, {other: DataSet(other, "use", "minilm") for other in {name, *SETS}}
    for other, data_set in of.items():
        pairs[other] = data_set.load(data, cache)
    mine = pairs.pop(name)
    seen = unit_rows(np.asarray(of[name].targets_as_source(mine, data, cache), np.float32))
    split = hold_out(mine, 1 / 3, seed=seed, at_most=N_ASKING)
    own = np.random.default_rng(seed).permutation(split.kept)
    starter = concatenated([pairs[other] for other in sorted(pairs)])
    starter.name = STARTER
    return Task(mine, seen, split.held_out, own, starter)


def measured(task: Task, size: str, given: tuple[str, ...], how: str, texts: bool) -> Row:
    """Score one way to learn, and embedding everything again."""
    n = len(task.own) if size == "all" else int(size)
    own = np.sort(task.own[:n])
    x = task.pairs.required_vectors("source")[task.asking]
    again = float(((unit_rows(x) @ task.seen.T).argmax(axis=1) == task.asking).mean())
    maps = fits(task, own, given, texts) if how == "fit" else fixed(task, own, given, how)
    return {"pairs": n, **task.score(*maps, own), "again": again}


def fits(task: Task, own: Any, given: tuple[str, ...], texts: bool) -> Iterator[Any]:
    """Yield what the fits of both modes make of vectors."""
    sources = {STARTER: task.starter, INDEX: task.index(0)}
    for mode in ("keep", "shared"):
        aligner = kakehashi.fit(
            task.pairs.select(own),
            mode=mode,
            learn_from=[sources[name] for name in given],
            ngrams=texts,
            learned=False,
        )
        yield partial(both_sides, aligner.projection, task=task, texts=texts)


def both_sides(projection: Any, x: Any, y: Any, *, task: Task, texts: bool) -> tuple[Any, Any]:
    """Project queries and documents, with their texts where these are read."""
    asks = documents = None
    if texts:
        documents, sources = task.pairs.target_texts, task.pairs.source_texts
        asks = [sources[int(i)] for i in task.asking]
    return (
        unit_rows(projection(x, modality="source", role="query", texts=asks)),
        unit_rows(projection(y, modality="target", role="document", texts=documents)),
    )


def fixed(task: Task, own: Any, given: tuple[str, ...], how: str) -> Iterator[Any]:
    """Yield the maps of one setting, whatever the data."""
    x, y = (task.pairs.required_vectors(side) for side in ("source", "target"))
    read = drawn(len(x), min(N_READ, len(x) // 2), 0)
    sets = {
        STARTER: Moments.of(*(task.starter.required_vectors(s) for s in ("source", "target"))),
        INDEX: Moments.of(task.seen, y, read),
    }
    others = [sets[name] for name in given]
    if len(own):
        mine = Moments.of(x, y, own)
        weights = map(float, how.split(" + ")) if "+" in how else itertools.repeat(AS_PAIRS)
        pooled = mine.pooled(zip(others, weights, strict=False))
    else:
        means = Moments.of(x, y, task.own[:N_QUESTIONS]), Moments.of(y, y)
        mean_x, mean_y = means[0].sum_x / means[0].n, means[1].sum_y / means[1].n
        mine, *more = [each.around(mean_x, mean_y) for each in others]
        pooled = mine.pooled((each, mine.n) for each in more)
    if how == "one pool":
        pooled = sum(others, mine) if len(own) else sum(more, mine)
    for mode in ("keep", "shared"):
        made = cca(Spectrum(pooled), mode, **FIXED)
        yield partial(both_sides, made, task=task, texts=False)


def show(rows: list[Row]) -> str:
    """Return the table: means over sets and seeds."""
    found: dict[Any, list[Row]] = {}
    for row in rows:
        what = (row["own"], row["given"] or "nothing", row["how"], row["texts"])
        found.setdefault(what, []).append(row)
    header = ["own pairs", "learns from", "how", "texts", "sets"]
    scores = ["keep", "rescored", "shared", "fitted", "again"]
    return table(
        [*header, *scores],
        (
            [*what, len({row["set"] for row in some})]
            + [f"{np.mean([row[key] for row in some]):.3f}" for key in scores]
            for what, some in found.items()
        ),
    )


if __name__ == "__main__":
    main()
