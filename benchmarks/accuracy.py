"""Measure kakehashi and its peers on the same splits: recall@1 against pairs, seconds and cost.

    python benchmarks/accuracy.py DATA OUT [--sets ...] [--sizes 200 1000 all] [--seeds 3]
                                  [--peer-python PY] [--only KIND]
                                  [--systems NAME ...]

DATA and the names of sets are explained in datasets.py, split and score in protocol.py, the peers
in peers/contract.py. Every set is run at every size with every seed; on each split the systems
take their turn, one at a time, each on one thread:

- baselines: the untouched vectors (where both sides have one dimension) and BM25 (where there are
  texts);
- kakehashi in the modes keep and shared, reading the texts, too, and reading vectors only as the
  peers do: seconds of `kakehashi.fit`, which splits what it is given for itself and never sees the
  test part, and the score of what ships (the identity, if the verdict is so);
- index (--only index): kakehashi with all targets but those of the test part as an index,
  of which few documents have a pair;
- rungs (--only rungs): the test score of every rung, from fits in which the test part judges;
- ideas (--only ideas): what goes beyond one fit of the pairs (ideas.py);
- encoders (--only encoders): fine-tuning, and other encoders on both sides (encoders.py);
- the peers: seconds of the training of the chosen setting, and of the whole search.

OUT/cells holds one JSON file for each set, size, seed and system. A second run measures only what
is missing or was measured with other source files; tables.py makes tables of it.
LlamaIndex's engine needs an environment of its own (--peer-python); its rows say so without one.
The other peers need torch and run in this Python.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal, get_args

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"

import encoders
import ideas
import numpy as np
from datasets import DEFAULT, DataSet, chosen
from protocol import Cells, Parts, Record, fitted, lacks_texts, run_script, source_hash
from setting import setting

import kakehashi
from kakehashi import Pairs
from kakehashi.data.index import IndexDocuments
from kakehashi.retrieval.bm25 import bm25_ranks
from kakehashi.vectors import unit_rows

System = tuple[list[Path], Callable[[], Record]]
Kind = Literal["baselines", "kakehashi", "index", "rungs", "ideas", "encoders", "peers"]
KINDS: tuple[Kind, ...] = get_args(Kind)
DEFAULT_KINDS: tuple[Kind, ...] = ("baselines", "kakehashi", "peers")
HERE = Path(__file__).parent
PEERS = HERE / "peers"
PACKAGE = Path(kakehashi.__file__).parent
SCORING = tuple(sorted((PACKAGE / "metrics").glob("*.py")))
"""What every score depends on."""
_NOT_FITTING = ("cli", "demo", "integrations")


@dataclass(frozen=True)
class Peer:
    """A script of peers/ with its options."""

    script: str
    options: tuple[str, ...] = ()
    own_environment: bool = False

    @property
    def files(self) -> list[Path]:
        """What a result depends on."""
        shared = ("contract.py",) if self.own_environment else ("contract.py", "training.py")
        return [*SCORING, *(PEERS / name for name in (self.script, *shared))]


ENGINE = "llama_index_engine.py"
SYSTEMS: dict[str, Peer] = {
    "drift-adapter procrustes": Peer("drift_adapter.py", ("--map", "procrustes")),
    "drift-adapter low-rank": Peer("drift_adapter.py", ("--map", "low-rank")),
    "drift-adapter mlp": Peer("drift_adapter.py", ("--map", "mlp")),
    "chroma default": Peer("query_triplet.py", ("--recipe", "chroma")),
    "chroma tuned": Peer("query_triplet.py", ("--recipe", "chroma", "--tuned")),
    "linear-adapter-trainer default": Peer("query_triplet.py", ("--recipe", "santander")),
    "linear-adapter-trainer tuned": Peer("query_triplet.py", ("--recipe", "santander", "--tuned")),
    "mind-the-gap": Peer("mind_the_gap.py"),
    "shift": Peer("shift.py"),
    "llama-index default": Peer(ENGINE, (), own_environment=True),
    "llama-index tuned": Peer(ENGINE, ("--grid",), own_environment=True),
}
MODES = ("keep", "shared")


def main() -> None:
    """Run whatever is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--sets", nargs="+", default=DEFAULT, help="names, or all")
    parser.add_argument("--sizes", nargs="+", type=_size, default=[200, 1000, None])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--peer-python", help="Python of the LlamaIndex engine's environment")
    parser.add_argument("--only", choices=KINDS, nargs="+", default=DEFAULT_KINDS)
    parser.add_argument("--systems", nargs="+", help="rows of these names alone")
    args = parser.parse_args()
    sets = chosen(args.data, args.sets)
    cells = Cells(args.out / "cells")
    cache = args.out / "vectors.sqlite"
    pairs = {data_set: data_set.load(args.data, cache) for data_set in sets}
    for size in args.sizes:  # the small ones first: they are cheap
        for data_set in sets:
            for seed in range(args.seeds):
                parts = Parts.of(pairs[data_set], size, seed)
                if parts is None:
                    print(f"{data_set.label}: fewer than {size} training pairs", file=sys.stderr)
                    continue
                split = Split(data_set, pairs[data_set], parts, seed, args)
                offered = {n: s for n, s in systems(split) if n in (args.systems or [n])}
                run_split(split, size, offered, cells)


@dataclass(frozen=True)
class Split:
    """One split of a set, and what the systems may need beside it."""

    data_set: DataSet
    pairs: Pairs
    parts: Parts
    seed: int
    args: argparse.Namespace

    @cached_property
    def index(self) -> IndexDocuments:
        """All targets but those of the test part, as both encoders see them."""
        cache = self.args.out / "vectors.sqlite"
        seen = self.data_set.targets_as_source(self.pairs, self.args.data, cache)
        return self.parts.index(self.pairs, seen)

    @cached_property
    def both_encoders(self) -> Pairs:
        """The pairs, with the vectors of both encoders side by side for sources."""
        other = DataSet(self.data_set.name, self.data_set.target, self.data_set.target)
        alike = other.load(self.args.data, self.args.out / "vectors.sqlite")
        sources = [unit_rows(p.required_vectors("source")) for p in (self.pairs, alike)]
        return self.pairs.with_vectors(np.hstack(sources), None)


def run_split(split: Split, size: int | None, offered: dict[str, System], cells: Cells) -> None:
    """Measure every system on one split, one after the other."""
    parts, seed, label = split.parts, split.seed, split.data_set.label
    where = {"set": label, "size": size or "all", "seed": seed}
    for name, (files, measure) in offered.items():
        cell = f"{label}__{size or 'all'}__{seed}__{name}"
        key = source_hash(files) + parts.digest
        if name.endswith(", index"):
            x, y = split.index.source_vectors, split.index.vectors
            key += Pairs(source_vectors=x, target_vectors=y).content_hash
        if cells.has(cell, key):
            continue
        begun = time.perf_counter()
        found = setting()
        record = measure()
        cells.write(
            cell,
            {
                **where,
                "system": name,
                "key": key,
                "rows": parts.sizes(),
                "clusters": parts.clusters(),
                "machine": found,
                **record,
            },
        )
        shown = f"{record['recall@1']:.3f}" if "recall@1" in record else record["status"]
        seconds = time.perf_counter() - begun
        print(f"{cell} {shown} {seconds:.1f} s", file=sys.stderr, flush=True)


def systems(split: Split) -> Iterator[tuple[str, System]]:
    """Yield each system with the files that its result depends on, and how it is measured."""
    parts, seed, kinds = split.parts, split.seed, split.args.only
    ours = fitting_files()
    if "baselines" in kinds:
        yield "raw cosine", ([*SCORING], partial(raw_cosine, parts))
        lexical = [*SCORING, PACKAGE / "retrieval" / "bm25.py"]
        yield "bm25", (lexical, partial(bm25, parts))
    for kind, of_kind in (("kakehashi", fitted), ("rungs", rungs)):
        for mode, ngrams in itertools.product(MODES, (True, False)) if kind in kinds else ():
            name = f"{kind} {mode}" + ("" if ngrams else ", vectors only")
            yield name, (ours, partial(of_kind, parts, mode, ngrams, seed))
    for mode in MODES:
        yield from more(split, mode, f"kakehashi {mode}")
    if "encoders" in kinds and not lacks_texts(parts):
        yield from other_encoders(split)
    if "peers" in kinds:
        for name, peer in SYSTEMS.items():
            python = split.args.peer_python if peer.own_environment else sys.executable
            yield name, (peer.files, partial(run_peer, parts, peer, seed, python))


def more(split: Split, mode: Any, name: str) -> Iterator[tuple[str, System]]:
    """Yield fits that are given more than the pairs, or are more than one."""
    parts, seed, kinds = split.parts, split.seed, split.args.only
    if "index" in kinds:
        measure = partial(fitted, parts, mode, True, seed, learn_from=split.index)
        yield f"{name}, index", (fitting_files(), measure)
    if "ideas" in kinds:
        files = [*fitting_files(), HERE / "ideas.py"]
        measure = partial(ideas.pseudo_pairs, parts, split.pairs, mode, seed)
        yield f"{name}, pseudo-pairs", (files, measure)
        yield f"{name}, stacked", (files, partial(ideas.stacked, parts, mode, seed))
        if split.data_set.source != split.data_set.target:
            measure = partial(ideas.two_source_encoders, parts, split.both_encoders, mode, seed)
            yield f"{name}, two source encoders", (files, measure)


def other_encoders(split: Split) -> Iterator[tuple[str, System]]:
    """Yield kakehashi with its encoding, and what embeds every document again."""
    parts, seed, source = split.parts, split.seed, split.data_set.source
    files = [*SCORING, HERE / "encoders.py"]
    for mode in MODES:
        measure = partial(encoders.with_encoding, parts, mode, seed, source)
        yield f"kakehashi {mode}, with encoding", ([*files, *fitting_files()], measure)
    for other in ("use", "e5"):
        yield f"{other} on both sides", (files, partial(encoders.on_both_sides, parts, other))
    for epochs in (1, 3):
        folder = split.args.out / "fine-tuned" / parts.digest[:16]
        measure = partial(encoders.fine_tuned, parts, seed, folder, epochs)
        yield f"fine-tuned, epochs {epochs}", (files, measure)


def fitting_files() -> list[Path]:
    """Return the files of the package: any may decide what a fit finds, but for those on top."""
    files = PACKAGE.rglob("*.py")
    return [f for f in files if f.relative_to(PACKAGE).parts[0] not in _NOT_FITTING]


def raw_cosine(parts: Parts) -> Record:
    """Score the vectors as the encoders give them."""
    source, target = parts.arrays["test_source"], parts.arrays["test_target"]
    if source.shape[1] != target.shape[1]:
        return {"status": "not applicable", "reason": "dimensions differ"}
    return {"status": "measured", **parts.score(source, target), "query_us": 0.0}


def bm25(parts: Parts) -> Record:
    """Score lexical search over the texts."""
    queries, documents = parts.test.source_texts, parts.pool.texts
    if queries is None or documents is None:
        return {"status": "not applicable", "reason": "no texts"}
    found = bm25_ranks(queries, documents, relevance=parts.relevance)
    return {"status": "measured", **parts.summary(found)}


def rungs(parts: Parts, mode: Any, ngrams: bool, seed: int) -> Record:
    """Fit kakehashi, and read every rung's score on the test part off the report."""
    if ngrams and lacks_texts(parts):
        return {"status": "not applicable", "reason": "no texts"}
    report = kakehashi.fit(parts.pairs, test=parts.test, mode=mode, ngrams=ngrams, seed=seed).report
    found = {
        name: {
            "parameters": rung.parameters,
            "validation_mrr": rung.validation,
            "cpu_seconds": rung.cpu_seconds,
            **rung.scores.means,
            "interval": rung.scores.intervals["recall@1"],
        }
        for name, rung in report.candidates.items()
    }
    best = max(found, key=lambda name: found[name]["validation_mrr"])
    return {"status": "measured", "rungs": found, "best_on_validation": best}


def run_peer(parts: Parts, peer: Peer, seed: int, python: str | None) -> Record:
    """Run a peer's script on the split, and score the vectors that it writes."""
    return run_arrays(parts, parts.arrays, peer, seed, python)


def run_arrays(
    parts: Parts, arrays: dict[str, np.ndarray], peer: Peer, seed: int, python: str | None
) -> Record:
    """Run a peer's script on some arrays of a split, and score the vectors that it writes."""
    if python is None:
        return {"status": "no environment", "reason": "pass --peer-python"}
    options = ["--seed", str(seed), *peer.options]
    result, queries, documents = run_script(python, PEERS / peer.script, arrays, options)
    if "failed" in result:
        return {"status": "failed", "reason": result["failed"]}
    if "not_applicable" in result:
        return {"status": "not applicable", "reason": result["not_applicable"]}
    return {"status": "measured", **parts.score(queries, documents), **result}


def _size(text: str) -> int | None:
    return None if text == "all" else int(text)


if __name__ == "__main__":
    main()
