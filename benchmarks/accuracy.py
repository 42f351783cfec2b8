"""Measure kakehashi and its peers on the same splits: recall@1 against pairs, seconds and cost.

    python benchmarks/accuracy.py DATA OUT [--sets ...] [--sizes 200 1000 all] [--seeds 3]
                                  [--peer-python PY] [--only peers|kakehashi|index|rungs|baselines]
                                  [--systems NAME ...]

DATA and the names of sets are explained in datasets.py, split and score in protocol.py, the peers
in peers/contract.py. Every set is run at every size with every seed; on each split the systems
take their turn, one at a time, each on one thread:

- baselines: the untouched vectors (where both sides have one dimension) and BM25 (where there are
  texts);
- kakehashi in the modes keep and shared, reading the texts, too, and reading vectors only as the
  peers do: seconds of `kakehashi.fit`, which splits what it is given for itself and never sees the
  test part, and the score of what ships (the identity, if the verdict is so);
- index (--only index): kakehashi with all targets but those of the test part as unpaired texts, as
  if an index were there of which few documents have a pair;
- rungs (--only rungs): the test score of every rung, from fits in which the test part judges;
- the peers: seconds of the training of the chosen setting, and of the whole search.

OUT/cells holds one JSON file for each set, size, seed and system. A second run measures only what
is missing or was measured with other source files; tables.py makes tables and pictures of it.
LlamaIndex's engine needs an environment of its own (--peer-python); its rows say so without one.
The other peers need torch and run in this Python.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"

import numpy as np
from datasets import DEFAULT, DataSet, chosen
from protocol import Cells, Clock, Parts, Record, source_hash
from setting import setting

import kakehashi
from kakehashi import Aligner, Pairs
from kakehashi.evaluation.scoring import served
from kakehashi.retrieval.bm25 import bm25_ranks

System = tuple[list[Path], Callable[[], Record]]
Kind = Literal["baselines", "kakehashi", "index", "rungs", "peers"]
KINDS: tuple[Kind, ...] = get_args(Kind)
DEFAULT_KINDS: tuple[Kind, ...] = ("baselines", "kakehashi", "peers")
HERE = Path(__file__).parent
PEERS = HERE / "peers"
PACKAGE = Path(kakehashi.__file__).parent
SCORING = tuple(sorted((PACKAGE / "metrics").glob("*.py")))
"""What every score depends on."""
_NOT_FITTING = ("cli", "demo", "integrations")
_TIMED_QUERIES = 300
_MOST_SECONDS = 3600  # a peer's run


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
    parser.add_argument("--only", choices=KINDS)
    parser.add_argument("--systems", nargs="+", help="rows of these names alone")
    args = parser.parse_args()
    sets = chosen(args.data, args.sets)
    kinds = DEFAULT_KINDS if args.only is None else (args.only,)
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
                index = None
                if "index" in kinds:
                    seen = data_set.targets_as_source(pairs[data_set], args.data, cache)
                    index = parts.unpaired(pairs[data_set], seen)
                offered = systems(parts, seed, kinds, args.peer_python, index)
                for name in set(offered) - set(args.systems or offered):
                    del offered[name]
                run_split(data_set, parts, size, seed, offered, cells, index)


def run_split(
    data_set: DataSet,
    parts: Parts,
    size: int | None,
    seed: int,
    offered: dict[str, System],
    cells: Cells,
    index: Pairs | None,
) -> None:
    """Measure every system on one split, one after the other."""
    where = {"set": data_set.label, "size": size or "all", "seed": seed}
    for name, (files, measure) in offered.items():
        cell = f"{data_set.label}__{size or 'all'}__{seed}__{name}"
        key = source_hash(files) + parts.digest
        if index is not None and name.endswith("unpaired"):
            key += index.content_hash
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


def systems(
    parts: Parts,
    seed: int,
    kinds: tuple[Kind, ...],
    peer_python: str | None,
    index: Pairs | None,
) -> dict[str, System]:
    """Return for each system the files that its result depends on, and how it is measured."""
    found: dict[str, System] = {}
    if "baselines" in kinds:
        found["raw cosine"] = ([*SCORING], partial(raw_cosine, parts))
        lexical = [*SCORING, PACKAGE / "retrieval" / "bm25.py"]
        found["bm25"] = (lexical, partial(bm25, parts))
    if "index" in kinds:
        for mode in MODES:
            measure = partial(fitted, parts, mode, True, seed, unpaired=index)
            found[f"kakehashi {mode}, index unpaired"] = (fitting_files(), measure)
    for kind, of_kind in (("kakehashi", fitted), ("rungs", rungs)):
        for mode, ngrams in itertools.product(MODES, (True, False)) if kind in kinds else ():
            name = f"{kind} {mode}" + ("" if ngrams else ", vectors only")
            found[name] = (fitting_files(), partial(of_kind, parts, mode, ngrams, seed))
    if "peers" in kinds:
        for name, peer in SYSTEMS.items():
            python = peer_python if peer.own_environment else sys.executable
            found[name] = (peer.files, partial(run_peer, parts, peer, seed, python))
    return found


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
    queries, documents = parts.test.source_texts, parts.test.target_texts
    if queries is None or documents is None:
        return {"status": "not applicable", "reason": "no texts"}
    found = bm25_ranks(queries, documents, relevance=parts.relevance)
    return {"status": "measured", **parts.summary(found)}


def fitted(
    parts: Parts, mode: Any, ngrams: bool, seed: int, *, unpaired: Pairs | None = None
) -> Record:
    """Fit kakehashi on the pairs, and score what ships on the test part."""
    if ngrams and _lacks_texts(parts):
        return {"status": "not applicable", "reason": "no texts"}
    with Clock() as clock:
        aligner = kakehashi.fit(parts.pairs, mode=mode, ngrams=ngrams, unpaired=unpaired, seed=seed)
    report = aligner.report
    shipped = parts.score(*served(aligner, parts.test))
    return {
        "status": "measured",
        **shipped,
        "shipped": report.chosen,
        "verdict": report.verdict,
        "reason": report.reason,
        "train_seconds": clock.seconds,
        "train_cpu_seconds": clock.cpu_seconds,
        "search_seconds": clock.seconds,
        "search_cpu_seconds": clock.cpu_seconds,
        "query_us": _query_us(aligner, parts.test),
    }


def rungs(parts: Parts, mode: Any, ngrams: bool, seed: int) -> Record:
    """Fit kakehashi, and read every rung's score on the test part off the report."""
    if ngrams and _lacks_texts(parts):
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
        for name, rung in report.rungs.items()
    }
    best = max(found, key=lambda name: found[name]["validation_mrr"])
    return {"status": "measured", "rungs": found, "best_on_validation": best}


def _lacks_texts(parts: Parts) -> bool:
    return parts.pairs.source_texts is None or parts.pairs.target_texts is None


def _query_us(aligner: Aligner, test: Pairs) -> float:
    queries, texts = test.required_vectors("source"), test.source_texts
    taken = []
    for i in range(_TIMED_QUERIES):
        row = i % len(queries)
        text = None if texts is None else texts[row]
        start = time.perf_counter()
        aligner.project(queries[row], texts=text, modality="source", role="query")
        taken.append(time.perf_counter() - start)
    return 1e6 * float(np.median(taken))


def run_peer(parts: Parts, peer: Peer, seed: int, python: str | None) -> Record:
    """Run a peer's script on the split, and score the vectors that it writes."""
    if python is None:
        return {"status": "no environment", "reason": "pass --peer-python"}
    with tempfile.TemporaryDirectory() as folder:
        split, out = Path(folder) / "split.npz", Path(folder) / "out"
        np.savez(split, **parts.arrays)  # type: ignore[arg-type]
        command = [python, str(PEERS / peer.script), str(split), str(out)]
        command += ["--seed", str(seed), *peer.options]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_MOST_SECONDS
        )
        if done.returncode:
            return {"status": "failed", "reason": done.stderr.strip().splitlines()[-1:]}
        result: Record = json.loads((out / "result.json").read_text(encoding="utf-8"))
        if "not_applicable" in result:
            return {"status": "not applicable", "reason": result["not_applicable"]}
        with np.load(out / "vectors.npz") as vectors:
            scores = parts.score(vectors["queries"], vectors["documents"])
    return {"status": "measured", **scores, **result}


def _size(text: str) -> int | None:
    return None if text == "all" else int(text)


if __name__ == "__main__":
    main()
