"""What every peer shares: the split it reads, the choice of its settings, and what it writes.

A peer is called as

    python peers/NAME.py SPLIT.npz OUT_FOLDER [--seed N] [its own options]

SPLIT.npz holds train_, valid_ and test_, each with source and target: float32, rows that match by
index, except that test_target is the whole index. The two sides may differ in dimension. It may
hold rows to learn from beside them: starter_, pairs of other fields; and identical_, texts of the
index as both encoders see them, one text a row. The peer trains on train, chooses among settings by
mean reciprocal rank on valid, and whether to learn from the rows beside, trains the chosen setting
again on both, and writes

- OUT_FOLDER/vectors.npz: `queries`, the test part as a store would be asked with it, and
  `documents`, the test targets (the whole index) as a store would hold them;
- OUT_FOLDER/result.json: the setting, seconds (wall and CPU) of its last training and of the whole
  search, microseconds a query, versions, notes; or `not_applicable` with the reason, and then no
  vectors.

train and valid may hold no rows. A seventh of the rows beside them then is valid.

Scores on the test part are the caller's business, so that they are computed alike for all.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

# Read when NumPy and torch load: one thread each, and never a hub.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np

Setting = dict[str, Any]
Apply = Callable[[np.ndarray], np.ndarray]
SIDES = ("source", "target")
_TIMED_QUERIES = 300


@dataclass(frozen=True)
class Rows:
    """Matching rows: source (n, d), target (n, e)."""

    source: np.ndarray
    target: np.ndarray

    def __add__(self, other: Rows) -> Rows:
        return Rows(
            np.concatenate([self.source, other.source]), np.concatenate([self.target, other.target])
        )

    @property
    def dimensions(self) -> tuple[int, int]:
        """Of source and target."""
        return self.source.shape[1], self.target.shape[1]


@dataclass(frozen=True)
class Split:
    """The three parts of a split, and what may be learned from beside them; None if nothing."""

    train: Rows
    valid: Rows
    test: Rows
    starter: Rows | None = None
    identical: Rows | None = None

    @classmethod
    def read(cls, path: Path) -> Split:
        """Read SPLIT.npz."""
        with np.load(path, allow_pickle=False) as stored:
            parts = {
                part: Rows(*(stored[f"{part}_{side}"].astype(np.float32) for side in SIDES))
                for part in ("train", "valid", "test", "starter", "identical")
                if f"{part}_source" in stored
            }
        return cls(**parts)

    @property
    def beside(self) -> Rows | None:
        """The rows of both kinds that may be learned from."""
        given = [rows for rows in (self.starter, self.identical) if rows is not None]
        return sum(given[1:], given[0]) if given else None


@dataclass(frozen=True)
class Trained:
    """A trained map of queries, and the epochs it took (0 for a closed form).

    `move` is what becomes of stored documents, where a peer does not leave them as they are.
    """

    apply: Apply
    epochs: int = 0
    move: Apply | None = None

    def documents(self, stored: np.ndarray) -> np.ndarray:
        """Return the documents as a store would hold them."""
        return stored if self.move is None else self.move(stored)


Train = Callable[[Rows, Setting, int, Rows | None], Trained]
"""(rows, setting, seed, valid) -> Trained. With ``valid`` it may stop early by it; without, the
setting's `epochs` are run."""


class Clock:
    """Wall and CPU seconds of a block."""

    def __enter__(self) -> Clock:
        self._start = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self._start[0]
        self.cpu_seconds = time.process_time() - self._start[1]


def parser(doc: str | None) -> argparse.ArgumentParser:
    """Return the arguments that every peer takes."""
    made = argparse.ArgumentParser(description=(doc or "").splitlines()[0])
    made.add_argument("split", type=Path, metavar="SPLIT.npz")
    made.add_argument("out", type=Path, metavar="OUT_FOLDER")
    made.add_argument("--seed", type=int, default=0, help="order, start and negatives")
    return made


def mrr(queries: np.ndarray, documents: np.ndarray) -> float:
    """Mean reciprocal rank by cosine, row i's own document among all; ties count against."""
    q, d = (
        x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
        for x in (queries, documents)
    )
    scores = q @ d.T
    # "Not lower" counts the document itself (the 1), its ties and, had training diverged, NaN.
    return float((1 / (~(scores < np.diag(scores)[:, None])).sum(axis=1)).mean())


def run(
    split: Split,
    settings: Sequence[Setting],
    train: Train,
    out: Path,
    *,
    seed: int,
    beside: Rows | None = None,
    packages: Sequence[str] = ("torch", "numpy"),
    notes: str = "",
) -> None:
    """Choose among the settings by valid, train the best again on train and valid, and write.

    One setting that does not stop early by the validation part leaves nothing to choose.

    Args:
        beside: further rows, where the peer can learn from any of the split. Each setting is tried
            with them and without; without pairs of one's own they stand for those.
    """
    with Clock() as search:
        if not len(split.train.source) and beside is not None:
            split, beside = _of_rows_beside(split, beside, seed), None
        if beside is not None:
            settings = [s | {"beside": used} for s in settings for used in (False, True)]

        def trained(rows: Rows, setting: Setting, valid: Rows | None) -> Trained:
            used = beside is not None and setting["beside"]
            return train(rows + beside if used and beside else rows, setting, seed, valid)

        best = settings[0]
        if len(settings) > 1 or "patience" in best:
            best = max(_tried(split, settings, trained), key=lambda s: s["valid_mrr"])
        with Clock() as training:
            final = trained(split.train + split.valid, best, None)
    write(
        out,
        queries=final.apply(split.test.source),
        documents=final.documents(split.test.target),
        setting=best,
        n_settings=len(settings),
        training=training,
        search=search,
        query_us=_microseconds(final.apply, split.test.source),
        packages=packages,
        notes=notes,
    )


def _of_rows_beside(split: Split, beside: Rows, seed: int) -> Split:
    """Return the split with other rows in place of pairs of its own."""
    order = np.random.default_rng(seed).permutation(len(beside.source))
    held, kept = np.split(order, [len(order) // 7])
    parts = (Rows(beside.source[rows], beside.target[rows]) for rows in (kept, held))
    return Split(*parts, split.test)


def _tried(
    split: Split,
    settings: Sequence[Setting],
    train: Callable[[Rows, Setting, Rows | None], Trained],
) -> Iterator[Setting]:
    """Yield each setting with the epochs that it took and its score on valid."""
    for setting in settings:
        trained = train(split.train, setting, split.valid)
        epochs = {"epochs": trained.epochs} if trained.epochs else {}
        documents = trained.documents(split.valid.target)
        score = mrr(trained.apply(split.valid.source), documents)
        yield setting | epochs | {"valid_mrr": score}


def write(
    out: Path,
    *,
    queries: np.ndarray,
    documents: np.ndarray,
    setting: Setting,
    n_settings: int,
    training: Clock,
    search: Clock,
    query_us: float | None,
    packages: Sequence[str],
    notes: str,
    **more: Any,
) -> None:
    """Write vectors.npz and result.json."""
    out.mkdir(parents=True, exist_ok=True)
    np.savez(
        out / "vectors.npz",
        queries=queries.astype(np.float32),
        documents=documents.astype(np.float32),
    )
    record = {
        "setting": setting,
        "n_settings": n_settings,
        "train_seconds": training.seconds,
        "train_cpu_seconds": training.cpu_seconds,
        "search_seconds": search.seconds,
        "search_cpu_seconds": search.cpu_seconds,
        "query_us": query_us,
        "versions": versions(packages),
        "notes": notes,
    }
    _write_json(out, record | more)


def not_applicable(out: Path, reason: str) -> None:
    """Say why a peer has no row on this split."""
    out.mkdir(parents=True, exist_ok=True)
    _write_json(out, {"not_applicable": reason})


def versions(packages: Sequence[str]) -> dict[str, str]:
    """Return the versions of Python and of these packages."""
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}


def _write_json(out: Path, record: dict[str, Any]) -> None:
    (out / "result.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def _microseconds(apply: Apply, queries: np.ndarray) -> float:
    """Median time of one query alone."""
    taken = []
    for i in range(_TIMED_QUERIES):
        row = queries[i % len(queries)][None]
        start = time.perf_counter()
        apply(row)
        taken.append(time.perf_counter() - start)
    return 1e6 * float(np.median(taken))
