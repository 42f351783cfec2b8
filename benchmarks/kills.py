"""Kill a migration at random moments, let it go on, and compare both collections.

    python benchmarks/kills.py KIND [--kills N] [--rows N] [--seed N] [--out JSON]

KIND is chroma, qdrant, postgres, lancedb or parquet. A process migrates a collection of N documents
of 48 dimensions, and is killed (SIGKILL) after a time that is drawn evenly from the time that a
whole migration takes. It is started and killed again, four times, and then left to end. Every
document must then be there once, all but its vector equal by checksum, and its vector that of the
map. The new collection is dropped, and the next round begins. Anything that is wrong ends with exit
code 1.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
from migration_stores import KINDS, fill
from setting import describe, setting, table, write

import kakehashi
from kakehashi.integrations.stores.movable.opening import open_movable
from kakehashi.migration.one_pass import checksum

IN_A_ROUND = 4
WRONG = ("lost", "doubled", "strange", "with another vector", "checksums that differ")
_CHILD = """
import sys
import kakehashi
from kakehashi.integrations.stores.movable.opening import open_movable
from kakehashi.migration import migrate
aligner = kakehashi.Aligner.load(sys.argv[2])
open_movable(sys.argv[1]).close()  # which imports the package of the store
print("begun", flush=True)
migrate(sys.argv[1], aligner)
"""


def views(n: int, seed: int) -> tuple[Any, Any]:
    """Return n pairs of vectors, linear views of a hidden one: 64 and 48 dimensions."""
    rng, maps = np.random.default_rng(seed), np.random.default_rng(7)
    hidden = rng.standard_normal((n, 10))
    made = []
    for d in (64, 48):
        view = hidden @ maps.standard_normal((10, d)) + 0.3 * rng.standard_normal((n, d)) + 0.2
        made.append((view / np.linalg.norm(view, axis=1, keepdims=True)).astype(np.float32))
    return made[0], made[1]


def aligner_of(folder: Path) -> kakehashi.Aligner:
    """Return a saved aligner of mode shared between the two views."""
    x, y = views(400, 0)
    groups = [f"g{i // 4}" for i in range(400)]
    pairs = kakehashi.Pairs(source_vectors=x, target_vectors=y, groups=groups)
    fitted = kakehashi.fit(pairs, mode="shared", learned=False)
    return kakehashi.Aligner.load(fitted.save(folder / "aligner"))


def start(address: str, aligner: Path) -> subprocess.Popen[bytes]:
    """Start a migration, and return its process when the migration begins."""
    command = [sys.executable, "-c", _CHILD, address, str(aligner)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"begun\n", "the migration did not begin"
    return process


def check(address: str, aligner: kakehashi.Aligner) -> dict[str, int]:
    """Compare both collections, and return how many documents are not as they should be."""
    with closing(open_movable(address)) as source:
        moved = source.beside(f"{source_name(source)}_moved")
        assert moved is not None, "the new collection is gone"
        old = {row.id: row for page in source.pages() for row in page}
        read = [row for page in moved.pages() for row in page]
    new = {row.id: row for row in read}
    both = old.keys() & new.keys()
    stored = np.array([old[name].vector for name in both])
    wanted = aligner.project(stored, modality="target", role="document")
    there = np.array([new[name].vector for name in both])
    sums = [checksum(row.untouched for row in rows.values()) for rows in (old, new)]
    return {
        "lost": len(old.keys() - new.keys()),
        "doubled": len(read) - len(new),
        "strange": len(new.keys() - old.keys()),
        "with another vector": int((np.abs(wanted - there).max(axis=1) > 1e-5).sum()),
        "checksums that differ": int(sums[0] != sums[1]),
    }


def drop(address: str) -> None:
    """Delete the new collection."""
    with closing(open_movable(address)) as source:
        moved = source.beside(f"{source_name(source)}_moved")
        if moved is not None:
            moved.drop()


def source_name(source: Any) -> str:
    """Return the name of a collection, from its address."""
    place, _, name = str(source.address).partition("=")
    return name or Path(place.partition(":")[2]).name


def main() -> None:
    """Kill so many migrations, and print what was left."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    found: list[dict[str, float]] = []
    wrong: Counter[str]
    print(describe(setting()))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        folder = Path(place)
        aligner = aligner_of(folder)
        _, vectors = views(options.rows, 5)
        texts = [f"paragraph {i}: how the pump is fitted" for i in range(options.rows)]
        address = fill(options.kind, folder, vectors, texts)
        whole = start(address, folder / "aligner")
        begun = time.perf_counter()
        assert whole.wait() == 0, "a migration that nobody killed failed"
        seconds = time.perf_counter() - begun
        wrong = Counter(check(address, aligner))
        drop(address)
        rounds = kills = 0
        while kills < options.kills:
            rounds += 1
            for _ in range(min(IN_A_ROUND, options.kills - kills)):
                process = start(address, folder / "aligner")
                wait = float(rng.uniform(0, seconds))
                try:
                    assert process.wait(timeout=wait) == 0, "a migration failed that went on"
                    drop(address)  # it was faster: nothing was killed
                except subprocess.TimeoutExpired:
                    process.send_signal(signal.SIGKILL)
                    process.wait()
                    kills += 1
                    found.append({"after": wait, "there": count(address)})
            assert start(address, folder / "aligner").wait() == 0, "a migration failed that went on"
            wrong += Counter(check(address, aligner))
            drop(address)
    there = [each["there"] for each in found]
    row = {
        "store": options.kind,
        "kills": kills,
        "rounds": rounds,
        "documents": options.rows,
        "seconds of a whole move": round(seconds, 1),
        "killed with no document": sum(n == 0 for n in there),
        "with some": sum(0 < n < options.rows for n in there),
        "with all": sum(n == options.rows for n in there),
        **{name: wrong[name] for name in WRONG},
    }
    print(table(row, [row.values()]))
    write({**row, "kills_at": found, "setting": setting()}, options.out)
    sys.exit(1 if any(wrong.values()) else 0)


def count(address: str) -> int:
    """Return how many documents the new collection holds, after a kill."""
    with closing(open_movable(address)) as source:
        moved = source.beside(f"{source_name(source)}_moved")
        return 0 if moved is None else moved.count()


if __name__ == "__main__":
    main()
