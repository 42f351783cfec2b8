"""Measure what an index finds, by what a fit is given: own pairs, index texts, other fields.

    python benchmarks/finding.py DATA OUT [--sets NAME:SOURCE-TARGET ...]
                                 [--sizes 200 0 all 50 1000] [--seeds 0 1 2] [--cache FILE]
                                 [--given both none "other sets" index "shipped starter"]
                                 [--peers "drift-adapter procrustes" era shift ...]

DATA and the names of sets are explained in datasets.py. Split and score are those of protocol.py: a
fifth of the pairs, whole groups, judges and is never fitted; each question ranks all documents of
the set. A row is a number of own pairs and what is given beside them:

- index: all documents are searched, and the source encoder has read half of their texts, drawn
  evenly, so some answers among them. Where no index is given, the fit reads the targets of its own
  pairs, as `kakehashi.fit` does by itself;
- other sets: the pairs of the other sets of DATA (--starters) with the same two modalities, less
  those that share a text with a question that judges;
- shipped starter: `kakehashi.pairing.starter_pairs`; not for the sets that it comes from;
- both: index and other sets. Without own pairs a fit gets 300 questions whose answers nobody knows.

One fit makes both maps. Columns: `keep` leaves the index as it is; `rescored` orders its first
hits again, as a retriever does by default; `read again` has the source encoder read the first 50
hits, too (`kakehashi.SecondModel`, nothing embedded before); `shared` moves the index
(`Aligner.as_shared`). A fit that ships the untouched vectors, or no second map, has the score of
what serves in its place. `evaluate` ranks for keep and rescored. Baselines: the target encoder (or,
where it is the source encoder, too, the untouched vectors), BM25, the index embedded again by the
source encoder, and for French questions their translation by Debian's Apertium (translation.py).
Peers get the same rows; see peers/contract.py for how they use them.

OUT/finding holds a file for each set, size, seed and row, and a second run measures what is
missing or was measured with other source files; OUT/finding.md has the tables.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"

import numpy as np
import translation
from accuracy import HERE, SCORING, SYSTEMS, Peer, bm25, fitting_files, run_arrays
from datasets import DataSet, encoder
from finding_data import INDEX, SOURCES, STARTER, Corpus, Task
from finding_table import show
from protocol import Cells, Clock, Record, source_hash
from setting import setting

import kakehashi
from kakehashi import Aligner
from kakehashi.data.index import IndexDocuments
from kakehashi.encoders.cache import encode_texts
from kakehashi.evaluation import evaluate
from kakehashi.evaluation.scoring import documents_beside
from kakehashi.evaluation.second_look import Second
from kakehashi.evaluation.task import Task as EvaluationTask
from kakehashi.metrics.pool import Pool

SETS = (
    "kicad_ja_en:use-minilm",
    "pydocs_ja_en:use-minilm",
    "tatoeba_ja_en:use-minilm",
    "tldr_ja_en:use-minilm",
    "kicad_fr_en:use-minilm",
    "tldr_fr_en:use-minilm",
)
STARTERS = tuple(dict.fromkeys(name.partition(":")[0] for name in SETS))
GIVEN: dict[str, tuple[str, ...]] = {"both": (INDEX, STARTER), "none": ()} | {
    name: (name,) for name in SOURCES
}
MINE = {
    "drift-adapter procrustes": SYSTEMS["drift-adapter procrustes"],
    "chroma tuned": SYSTEMS["chroma tuned"],
    "era": Peer("era.py"),
    "era tuned": Peer("era.py", ("--tuned",)),
    "shift": Peer("shift.py"),
}
DEFAULT_PEERS = ("drift-adapter procrustes", "era", "shift")
_TIMED = 100
System = tuple[str, list[Path], Callable[[], Record]]


def main() -> None:
    """Measure whatever is missing; write the tables of all that there is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--starters", nargs="+", default=STARTERS)
    parser.add_argument("--sizes", nargs="+", default=["200", "0", "all", "50", "1000"])
    parser.add_argument("--given", nargs="+", choices=GIVEN, default=list(GIVEN))
    parser.add_argument("--peers", nargs="*", choices=MINE, default=DEFAULT_PEERS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--cache", type=Path, help="of vectors; by default in OUT")
    args = parser.parse_args()
    cells, cache = Cells(args.out / "finding"), args.cache or args.out / "vectors.sqlite"
    named = [DataSet(name, *sides.split("-")) for name, _, sides in map(_parts, args.sets)]
    corpora = {of.label: Corpus.read(of, args.data, cache, args.starters) for of in named}
    for seed, corpus in itertools.product(args.seeds, corpora.values()):
        task = Task.of(corpus, None, seed)
        assert task is not None
        for system in baselines(task):
            measure(task, "", (), system, cells)
    for seed, size, given, label in itertools.product(args.seeds, args.sizes, args.given, corpora):
        task = Task.of(corpora[label], None if size == "all" else int(size), seed)
        if task is None or not (GIVEN[given] or task.own):
            continue
        try:
            task.learn_from(GIVEN[given])
        except LookupError:
            continue
        for system in systems(task, GIVEN[given], args.peers):
            measure(task, size, GIVEN[given], system, cells)
    text = show(cells.read())
    (args.out / "finding.md").write_text(text + "\n", encoding="utf-8")
    print(text)


def measure(task: Task, size: str, given: Sequence[str], system: System, cells: Cells) -> None:
    """Write one cell, unless it is there."""
    name, files, run = system
    label, beside = task.corpus.data_set.label, " + ".join(given)
    cell = f"{label}__{size}__{beside}__{task.seed}__{name}"
    key = source_hash([*files, HERE / "finding_data.py"]) + task.parts.digest
    if cells.has(cell, key):
        return
    begun, found = time.perf_counter(), setting()
    where = {"set": label, "size": size, "given": beside, "seed": task.seed, "system": name}
    record = run()
    about = {"key": key, "rows": task.parts.sizes(), "clusters": task.parts.clusters()}
    cells.write(cell, where | about | {"machine": found} | record)
    scores = record.get("rescored", record)
    shown = f"{scores['recall@1']:.3f}" if "recall@1" in scores else record["status"]
    seconds = time.perf_counter() - begun
    print(f"{cell} {shown} {seconds:.1f} s", file=sys.stderr, flush=True)


def baselines(task: Task) -> Iterator[System]:
    """Yield what depends on no pair: the index as it is, words, and everything embedded again."""
    yield "target encoder", [*SCORING], partial(by_target_encoder, task)
    yield "bm25", [*SCORING], partial(bm25, task.parts)
    yield "embedded again", [*SCORING], partial(embedded_again, task)
    yield "translated", [*SCORING, HERE / "translation.py"], partial(translated, task)


def systems(task: Task, given: Sequence[str], peers: Sequence[str]) -> Iterator[System]:
    """Yield kakehashi, and the peers that are asked for."""
    yield "kakehashi", fitting_files(), partial(ours, task, given)
    for name in peers:
        peer = MINE[name]
        if name != "shift" or task.corpus.data_set.source == task.corpus.data_set.target:
            yield name, peer.files, partial(run_peer, task, given, peer)


def ours(task: Task, given: Sequence[str]) -> Record:
    """Fit once; score both maps alone and together."""
    sources = task.learn_from(given)
    with Clock() as clock:
        if task.own is None:
            asks, cache = encoder(task.corpus.data_set.source), task.corpus.cache
            aligner = kakehashi.fit(
                task.questions, learn_from=sources, source_encoder=asks, seed=task.seed, cache=cache
            )
        else:
            aligner = kakehashi.fit(task.own, learn_from=sources, ngrams=True, seed=task.seed)
    parts, pool = task.parts, task.parts.pool
    found = evaluate(aligner, parts.test, index=IndexDocuments(pool.texts, pool.vectors))
    served = {"keep": found.ranks["aligned"]}
    served["rescored"] = found.ranks.get("rescored", served["keep"])
    scores = {name: parts.summary(ranks) for name, ranks in served.items()}
    second = aligner.rescoring is not None
    if task.corpus.data_set.source != task.corpus.data_set.target:
        scores["read again"] = parts.summary(read_again(aligner, task))
    scores["shared"] = parts.score(*parts.served(aligner.as_shared())) if second else scores["keep"]
    return {
        "status": "measured",
        **scores,
        "shipped": aligner.report.chosen,
        "verdict": aligner.report.verdict,
        "n_hits": aligner.rescoring.n_hits if aligner.rescoring else None,
        "seconds": clock.seconds,
        "cpu_seconds": clock.cpu_seconds,
        "query_ms": _query_ms(aligner, task),
    }


def read_again(aligner: Aligner, task: Task) -> np.ndarray:
    """Return the rank of the best answer to each question, its first hits read by its encoder."""
    parts, asks = task.parts, encoder(task.corpus.data_set.source)
    index, cache = IndexDocuments(parts.pool.texts, parts.pool.vectors), task.corpus.cache
    searched = Pool.of([parts.test], documents_beside(aligner, index, None, cache))
    at_hand = dict(aligner.encoders)
    asked = EvaluationTask(
        parts.test, parts.test, searched, at_hand, aligner.mode, task.seed, cache
    )
    return Second("", aligner, asks).fit(asked)().ranks()


def by_target_encoder(task: Task) -> Record:
    """Score the questions as the encoder of the index reads them."""
    of, parts = task.corpus.data_set, task.parts
    if of.source == of.target:
        queries = parts.test.required_vectors("source")
    else:
        texts, cache = parts.test.source_texts or (), task.corpus.cache
        queries = encode_texts(encoder(of.target), texts, "query", cache=cache)
    return {"status": "measured", **parts.score(queries, parts.pool.vectors)}


def embedded_again(task: Task) -> Record:
    """Score the source encoder on both sides."""
    queries = task.parts.test.required_vectors("source")
    return {"status": "measured", **task.parts.score(queries, task.again)}


def translated(task: Task) -> Record:
    """Score translated questions, as the encoder of the index reads them."""
    name, parts = task.corpus.data_set, task.parts
    if reason := translation.missing(name.name):
        return {"status": "not applicable", "reason": reason}
    with Clock() as clock:
        texts = translation.to_english(parts.test.source_texts or ())
    queries = encode_texts(encoder(name.target), texts, "query", cache=task.corpus.cache)
    seconds = {"query_ms": 1000 * clock.seconds / len(texts)}
    return {"status": "measured", **parts.score(queries, parts.pool.vectors), **seconds}


def run_peer(task: Task, given: Sequence[str], peer: Peer) -> Record:
    """Run a peer on the same rows, and score what it writes."""
    record = run_arrays(task.parts, task.arrays(given), peer, task.seed, sys.executable)
    if "search_cpu_seconds" in record:
        record |= {"seconds": record["search_seconds"], "cpu_seconds": record["search_cpu_seconds"]}
        record["query_ms"] = record["query_us"] / 1000
    return record


def _query_ms(aligner: Aligner, task: Task) -> float:
    """Median milliseconds of both maps for a query and its hits, without encoder and store."""
    test, pool, rescoring = task.parts.test, task.parts.pool, aligner.rescoring
    stored = np.asarray(pool.vectors, np.float32)
    taken = []
    for i in range(min(_TIMED, len(test))):
        vector = np.asarray(test.required_vectors("source")[i : i + 1], np.float32)
        texts = None if test.source_texts is None else [test.source_texts[i]]
        hits = np.arange(i, i + (rescoring.n_hits if rescoring else 0)) % len(stored)
        read = None if pool.texts is None else [pool.texts[int(hit)] for hit in hits]
        start = time.perf_counter()
        aligner.project(vector, texts=texts, modality="source", role="query")
        if rescoring is not None:
            [query] = rescoring.query(vector, texts=texts)
            np.argsort(-(rescoring.documents(stored[hits], texts=read) @ query))
        taken.append(time.perf_counter() - start)
    return 1000 * float(np.median(taken))


def _parts(name: str) -> tuple[str, str, str]:
    return name.partition(":")


if __name__ == "__main__":
    main()
