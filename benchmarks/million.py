"""Measure a fit on a million memory-mapped pairs: seconds, and memory at its peak.

    python benchmarks/million.py [--rows 1000000] [--dimension 384] [--mode keep] [--out JSON]

Two .npy files are written in chunks to a temporary folder: two linear views of one hidden vector
with noise, seeded, of unit length, in float32 (--dtype float16 halves them). A process of its own
then maps them (`np.load(..., mmap_mode="r")`), makes `Pairs` of them, hashes their content and
fits. The files were written just before, so they are read from the page cache where it holds them.

Memory is reported twice. `ru_maxrss` counts the pages of the mapped files too, which the kernel
takes back whenever it needs them. `RssAnon` of /proc/self/status, sampled by a thread (Linux
only), counts what the process has allocated itself: that is what must fit into memory.

`fit` hashes the content for its record as well, so its seconds hold the hash's once more.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
from setting import describe, setting, table, write

import kakehashi
from kakehashi import Pairs

CHUNK = 16_384
HIDDEN = 128
NOISE = 3.0
STATUS = Path("/proc/self/status")


class AnonymousMemory:
    """The peak of this process's own memory, sampled by a thread, for one step after another."""

    def __init__(self) -> None:
        self._peak = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def take(self) -> float:
        """Return the peak in MB since the last call, and begin anew."""
        self._peak, peak = 0, max(self._peak, anonymous_bytes())
        return peak / 1e6

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.005):
            self._peak = max(self._peak, anonymous_bytes())


def anonymous_bytes() -> int:
    """Return RssAnon of this process, or 0 where the system does not tell."""
    try:
        for line in STATUS.read_text(encoding="ascii").splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def main() -> None:
    """Write the files, fit in a process of its own, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--dimension", type=int, default=384)
    parser.add_argument("--mode", choices=("keep", "shared"), default="keep")
    parser.add_argument("--dtype", choices=("float16", "float32"), default="float32")
    parser.add_argument("--folder", type=Path, help="where the temporary folder is made")
    parser.add_argument("--out", type=Path, metavar="JSON")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child is not None:
        print(json.dumps(measure(args.child, args.mode)))
        return
    found = setting()
    size = 2 * args.rows * args.dimension * np.dtype(args.dtype).itemsize
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        folder = Path(name)
        free = shutil.disk_usage(folder).free
        if size > 0.8 * free:
            parser.error(
                f"{size / 1e9:.1f} GB do not fit into {free / 1e9:.1f} GB; pass fewer --rows"
            )
        start = time.perf_counter()
        make(folder, args.rows, args.dimension, args.dtype)
        written = time.perf_counter() - start
        command = [sys.executable, __file__, "--child", name, "--mode", args.mode]
        ran = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    print(describe(found))
    print(
        f"{args.rows:,} pairs of {args.dimension} {args.dtype}, {size / 1e9:.2f} GB in two files "
        f"(written in {written:.0f} s), mode {args.mode}: {result['verdict']}\n"
    )
    rows = [
        [step, f"{s['seconds']:.2f}", f"{s['cpu_seconds']:.2f}", f"{s['anonymous_mb']:.0f}"]
        for step, s in result["steps"].items()
    ]
    print(table(["step", "seconds", "CPU seconds", "peak RssAnon, MB"], rows))
    print(f"\nru_maxrss, mapped file pages included: {result['max_rss_mb']:.0f} MB")
    inputs = {k: getattr(args, k) for k in ("rows", "dimension", "mode", "dtype")}
    write({"setting": found, **inputs, "bytes": size, **result}, args.out)


def make(folder: Path, rows: int, dimension: int, dtype: str) -> None:
    """Write two noisy linear views of one hidden vector, (rows, dimension) each, in chunks."""
    rng = np.random.default_rng(0)
    views = {
        side: rng.standard_normal((HIDDEN, dimension), dtype=np.float32) / np.sqrt(HIDDEN)
        for side in ("source", "target")
    }
    files = {
        side: np.lib.format.open_memmap(
            folder / f"{side}.npy", mode="w+", dtype=dtype, shape=(rows, dimension)
        )
        for side in views
    }
    for start in range(0, rows, CHUNK):
        n = min(CHUNK, rows - start)
        hidden = rng.standard_normal((n, HIDDEN), dtype=np.float32)
        for side, view in views.items():
            x = hidden @ view + NOISE * rng.standard_normal((n, dimension), dtype=np.float32)
            files[side][start : start + n] = x / np.linalg.norm(x, axis=1, keepdims=True)
    for file in files.values():
        file.flush()


def measure(folder: Path, mode: Any) -> dict[str, Any]:
    """Map the files, validate, hash and fit; return seconds and peaks of each step."""
    memory = AnonymousMemory()
    steps: dict[str, dict[str, float]] = {}
    start, cpu_start = time.perf_counter(), time.process_time()

    def done(step: str) -> None:
        nonlocal start, cpu_start
        steps[step] = {
            "seconds": time.perf_counter() - start,
            "cpu_seconds": time.process_time() - cpu_start,
            "anonymous_mb": memory.take(),
        }
        start, cpu_start = time.perf_counter(), time.process_time()

    x, y = (np.load(folder / f"{side}.npy", mmap_mode="r") for side in ("source", "target"))
    kakehashi.fit  # noqa: B018  # imports what fit needs, so that its memory counts here
    done("map the files")
    pairs = Pairs(source_vectors=x, target_vectors=y)
    done("Pairs: validate")
    assert pairs.content_hash
    done("content hash")
    report = kakehashi.fit(pairs, mode=mode).report
    done("fit, hash included")
    memory.stop()
    unit = 1 if sys.platform == "darwin" else 1024
    return {
        "verdict": str(report).splitlines()[0],
        "chosen": report.chosen,
        "recall@1": report.candidates[report.chosen].scores.means["recall@1"],
        "sizes": report.sizes,
        "steps": steps,
        "max_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6,
    }


if __name__ == "__main__":
    main()
