"""The protocol of the accuracy benchmarks: one split, one way to score, one file a result.

**Split.** A fifth of the pairs, whole groups at a time, is the test part; it depends on the seed
alone. The other rows, without those of which a side also stands in the test part, are shuffled by
the seed and cut to the size asked for. Of these about 15%, again by group, is the validation part
of the peers; rows that share a side with it join it, so that no row is lost when they train again
on both. kakehashi gets the same rows uncut and makes its own validation.

**Score.** The pool is the whole index: the different documents of the set, those of the training
rows and of the rows that the size leaves out among them. Every document paired with a query's text
answers it; scores nearer than rounding are ties, and ties count against the query. Whatever is
measured is ranked by the same code from the vectors that a query would carry and that a store would
hold.

**Cell.** One system on one split is one JSON file, written whole or not at all. It carries a key: a
hash of the split and of the system's own source files. A run leaves alone what has the right key.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tempfile
import time
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

import kakehashi
from kakehashi import Aligner, Pairs
from kakehashi.data.duplicates import find_leaks
from kakehashi.data.index import IndexDocuments
from kakehashi.data.splits import hold_out
from kakehashi.evaluation.rescoring import rescored_search
from kakehashi.metrics.pool import Pool
from kakehashi.metrics.ranking import ranks
from kakehashi.metrics.relevance import MIN_GROUPS, Relevance, groups_of
from kakehashi.metrics.statistics import Scores
from kakehashi.types import SIDES

TEST_SHARE, VALIDATION_SHARE = 0.2, 0.15
MIN_ROWS = 20
_TIMED_QUERIES = 300
_MOST_SECONDS = 3600  # a run of a peer
Record = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Parts:
    """The rows of one split: ``train`` and ``valid`` are those of ``pairs``, in two parts.

    Attributes:
        every: all rows of the set, whose targets are the index.
    """

    pairs: Pairs
    train: Pairs
    valid: Pairs
    test: Pairs
    every: Pairs

    @classmethod
    def of(cls, pairs: Pairs, size: int | None, seed: int) -> Parts | None:
        """Split by the protocol; None where there are fewer rows than ``size`` (None: all)."""
        outer = hold_out(pairs, TEST_SHARE, seed=seed)
        test = pairs.select(outer.held_out)
        rows = np.setdiff1d(outer.kept, find_leaks(pairs, test))
        if len(rows) < max(size or 0, MIN_ROWS):
            return None
        rows = np.sort(np.random.default_rng(seed).permutation(rows)[:size])
        inner = hold_out(pairs, VALIDATION_SHARE, seed=seed + 1, rows=rows)
        shared = find_leaks(pairs, pairs.select(inner.held_out))
        held = np.union1d(inner.held_out, np.intersect1d(rows, shared))
        train = np.setdiff1d(rows, held)
        return cls(*(pairs.select(part) for part in (rows, train, held)), test, pairs)

    def of_same_rows(self, pairs: Pairs) -> Parts:
        """Return the same split of pairs with the same ids, which have other vectors."""
        row = {name: i for i, name in enumerate(pairs.ids or ())}
        parts = (self.pairs, self.train, self.valid, self.test)
        chosen = (pairs.select([row[name] for name in part.ids or ()]) for part in parts)
        return Parts(*chosen, pairs)

    def others(self, pairs: Pairs, seed: int) -> Pairs:
        """Return the training rows that the size of this split leaves out."""
        every = Parts.of(pairs, None, seed)
        assert every is not None
        mine = set(self.pairs.ids or ())
        left = [i for i, name in enumerate(every.pairs.ids or ()) if name not in mine]
        return every.pairs.select(left)

    def index(self, pairs: Pairs, as_source: np.ndarray) -> IndexDocuments:
        """Return the targets of all pairs but those of the test part, as both encoders see them."""
        rows = np.setdiff1d(np.arange(len(pairs)), find_leaks(pairs, self.test))
        texts = None if pairs.target_texts is None else tuple(pairs.target_texts[i] for i in rows)
        y = pairs.required_vectors("target")[rows]
        return IndexDocuments(texts, y, source_vectors=as_source[rows])

    @cached_property
    def arrays(self) -> dict[str, np.ndarray]:
        """What a peer reads; the targets of its test part are the whole index."""
        arrays = {
            f"{name}_{side}": np.asarray(part.required_vectors(side), np.float32)
            for name, part in (("train", self.train), ("valid", self.valid), ("test", self.test))
            for side in SIDES
        }
        return arrays | {"test_target": np.asarray(self.pool.vectors, np.float32)}

    @cached_property
    def pool(self) -> Pool:
        """The documents of the index."""
        return Pool.of([self.every])

    def served(self, aligner: Aligner) -> tuple[Any, Any]:
        """Return the queries and the documents of the index, as an aligner projects them."""
        x, texts = self.test.required_vectors("source"), self.test.source_texts
        queries = aligner.project(x, texts=texts, modality="source", role="query")
        stored = np.asarray(self.pool.vectors, np.float32)
        documents = aligner.project(
            stored, texts=self.pool.texts, modality="target", role="document"
        )
        return queries, documents

    @cached_property
    def digest(self) -> str:
        """Of every vector, every text and every group."""
        found = hashlib.sha256()
        for name, array in self.arrays.items():
            found.update(f"{name} {array.shape}".encode() + array.tobytes())
        for part in (self.pairs, self.test):
            columns = (part.source_texts, part.target_texts, part.groups)
            found.update(json.dumps(columns).encode())
        return found.hexdigest()

    @cached_property
    def relevance(self) -> Relevance:
        """Which documents of the index answer which query of the test part."""
        return self.pool.relevance(self.test)

    def score(self, queries: Any, documents: Any) -> Record:
        """Rank (n, d) queries against the (m, d) documents of the index by cosine."""
        return self.summary(
            ranks(
                np.asarray(queries, np.float32),
                np.asarray(documents, np.float32),
                "cosine",
                relevance=self.relevance,
            )
        )

    def summary(self, found: Any) -> Record:
        """Return mean metrics, the interval of recall@1 over whole groups, and the ranks."""
        clusters = groups_of(self.test)
        scores = Scores.of_ranks(found, len(self.relevance.pool), clusters=clusters)
        return {
            **scores.means,
            "interval": scores.intervals["recall@1"],
            "ranks": [int(rank) for rank in found],
        }

    def sizes(self) -> Record:
        """Return the number of rows of each part, and of documents in the pool."""
        parts = {"pairs": self.pairs, "train": self.train, "valid": self.valid, "test": self.test}
        return {name: len(part) for name, part in parts.items()} | {
            "pool": len(self.relevance.pool)
        }

    def clusters(self) -> list[int]:
        """Return what is resampled whole, one number a test query: its group, or its text.

        The numbers are the same in every split of a set, so that a bootstrap over several splits
        draws a query together with itself.
        """
        groups = self.test.groups
        if groups is None or len(set(groups)) < MIN_GROUPS:
            groups = tuple(map(str, self.test.keys("source")))
        return [zlib.crc32(group.encode()) for group in groups]


class Cells:
    """A folder of results, one file each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def has(self, name: str, key: str) -> bool:
        """Whether this result is there and up to date."""
        path = self._path(name)
        if not path.exists():
            return False
        record = json.loads(path.read_text(encoding="utf-8"))
        return bool(record["key"] == key and record["status"] in ("measured", "not applicable"))

    def write(self, name: str, record: Record) -> None:
        """Write one result beside its place, and rename it into it."""
        path = self._path(name)
        beside = path.with_suffix(f".{os.getpid()}.tmp")
        beside.write_text(json.dumps(record, ensure_ascii=False) + "\n", encoding="utf-8")
        beside.replace(path)

    def read(self) -> list[Record]:
        """Return all results."""
        paths = sorted(self._folder.glob("*.json"))
        return [json.loads(path.read_text(encoding="utf-8")) for path in paths]

    def _path(self, name: str) -> Path:
        return self._folder / f"{name.replace(' ', '-').replace(':', '_')}.json"


class Clock:
    """Wall and CPU seconds of a block."""

    def __enter__(self) -> Clock:
        self._start = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self._start[0]
        self.cpu_seconds = time.process_time() - self._start[1]


def fitted(parts: Parts, mode: Any, ngrams: bool, seed: int, **options: Any) -> Record:
    """Fit kakehashi on the pairs, and score what ships on the test part."""
    if ngrams and lacks_texts(parts):
        return {"status": "not applicable", "reason": "no texts"}
    with Clock() as clock:
        aligner = kakehashi.fit(parts.pairs, mode=mode, ngrams=ngrams, seed=seed, **options)
    report = aligner.report
    shipped = parts.score(*parts.served(aligner))
    return {
        "status": "measured",
        **shipped,
        **rescored(parts, aligner, shipped),
        "shipped": report.chosen,
        "verdict": report.verdict,
        "reason": report.reason,
        "train_seconds": clock.seconds,
        "train_cpu_seconds": clock.cpu_seconds,
        "search_seconds": clock.seconds,
        "search_cpu_seconds": clock.cpu_seconds,
        "query_us": _query_us(aligner, parts.test),
    }


def rescored(parts: Parts, aligner: Aligner, shipped: Record) -> Record:
    """Return the score where the second map of an aligner orders its first hits again.

    Empty where it has none.
    """
    search = rescored_search(aligner, parts.pool)
    if search is None:
        return {}
    vectors = np.asarray(parts.test.required_vectors("source"), np.float32)
    kept = np.array(shipped["ranks"])
    hits = search.hits(vectors, parts.test.source_texts, kept=kept, relevance=parts.relevance)
    return {"rescored": parts.summary(hits.rescored())}


def lacks_texts(parts: Parts) -> bool:
    """Say whether a side has vectors only."""
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


def run_script(
    python: str, script: Path, arrays: dict[str, np.ndarray], options: Iterable[str]
) -> tuple[Record, Any, Any]:
    """Run a script of peers/; return its result, and its vectors of queries and documents."""
    with tempfile.TemporaryDirectory() as folder:
        split, out = Path(folder) / "split.npz", Path(folder) / "out"
        np.savez(split, **arrays)  # type: ignore[arg-type]
        command = [python, str(script), str(split), str(out), *options]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_MOST_SECONDS
        )
        if done.returncode:
            return {"failed": done.stderr.strip().splitlines()[-1:]}, None, None
        result: Record = json.loads((out / "result.json").read_text(encoding="utf-8"))
        if "not_applicable" in result:
            return result, None, None
        with np.load(out / "vectors.npz") as vectors:
            return result, vectors["queries"], vectors["documents"]


def source_hash(files: Iterable[Path]) -> str:
    """Hash the content of files."""
    found = hashlib.sha256()
    for path in sorted(files):
        found.update(path.name.encode() + b"\0" + path.read_bytes())
    return found.hexdigest()
