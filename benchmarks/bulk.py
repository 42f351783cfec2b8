"""Measure `kakehashi bulk`: rows a second in one process, and on a Ray of two workers.

    python benchmarks/bulk.py [--vectors 131072] [--texts 1024] [--only WAY] [--workers 2]
                              [--cache FILE] [--out JSON]

An aligner of mode shared is fitted on 300 of the demo's pairs (Universal Sentence Encoder into the
space of all-MiniLM-L6-v2, 384 dimensions), without n-grams and with them. Its documents are then
embedded from Parquet files in three ways:

- vectors: stored vectors are projected, by a map that reads vectors only;
- vectors and texts: by a map that reads n-grams of the texts, too;
- texts: encoded by all-MiniLM-L6-v2 on one thread, then projected by the first map.

Vectors are those of the demo's English paragraphs, again and again; each text has a number before
it, so that none is encoded twice. Every way runs in this process and on Ray, and the bytes of all
files are compared. Of the local path it prints, too, how the time goes on reading, embedding and
writing.

Seconds are of the clock, and CPU seconds are those of the process and of all workers together.
Where other work runs on the machine, rows a CPU second are what holds. Those of Ray hold the start
of the workers, which load the aligner and the encoder: it is a larger part of a shorter run.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from setting import describe, setting, table, write

import kakehashi
from kakehashi.bulk import embed_parquet
from kakehashi.bulk.blocks import read_input
from kakehashi.bulk.cluster import ray_up
from kakehashi.bulk.embedding import BlockEmbedder
from kakehashi.bulk.job import Job
from kakehashi.bulk.output import Output
from kakehashi.bulk.reader import BlockReader
from kakehashi.demo.inputs import english_model, multilingual_encoder
from kakehashi.encoders import as_encoder
from kakehashi.encoders.cache import encode_texts
from kakehashi.retrieval.index_record import IndexRecord

PAIRS = 300
GROUP_ROWS = {"vectors": 16_384, "vectors and texts": 16_384, "texts": 256}
"""Rows of a row group, which is a block here."""


def cpu_seconds() -> float:
    """Return the CPU seconds of this process and of those that it has started and still run."""
    total = time.process_time()
    for child in psutil.Process().children(recursive=True):
        try:
            times = child.cpu_times()
        except psutil.Error:
            continue
        total += times.user + times.system
    return total


def demo_pairs() -> kakehashi.Pairs:
    """Return the demo's pairs."""
    path = Path(kakehashi.__file__).parent / "demo" / "kicad_ja_en.jsonl"
    return kakehashi.read_pairs(str(path), on_invalid="drop")


def make_aligners(folder: Path, ways: list[str], cache: Path | None) -> dict[str, Path]:
    """Fit and save the aligner of each way."""
    pairs = demo_pairs()
    some = pairs.select(range(0, len(pairs), max(1, len(pairs) // PAIRS)))
    encoders = {"source_encoder": multilingual_encoder(), "target_encoder": english_model()}
    saved: dict[bool, Path] = {}
    for reads in dict.fromkeys(way == "vectors and texts" for way in ways):
        quick = {"mode": "shared", "ngrams": reads, "learned": False, "learn_from": []}
        aligner = kakehashi.fit(some, **encoders, **quick, cache=cache)
        print(aligner, file=sys.stderr)
        saved[reads] = aligner.save(folder / ("reads-texts" if reads else "reads-vectors"))
    return {way: saved[way == "vectors and texts"] for way in ways}


def write_rows(path: Path, way: str, n: int, cache: Path | None) -> Path:
    """Write ids, texts and perhaps vectors of n rows."""
    paragraphs = [str(text) for text in demo_pairs().target_texts or ()]
    rows = [i % len(paragraphs) for i in range(n)]
    columns: dict[str, Any] = {
        "id": [f"d{i}" for i in range(n)],
        "text": [f"{i}. {paragraphs[row]}" for i, row in enumerate(rows)],
    }
    if way != "texts":
        encoder = as_encoder(english_model())
        vectors = encode_texts(encoder, paragraphs, "document", cache=cache)
        columns["text"] = [paragraphs[row] for row in rows]
        flat = pa.array(vectors[rows].reshape(-1))
        columns["vector"] = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
    pq.write_table(pa.table(columns), path, row_group_size=GROUP_ROWS[way])
    return path


def parts_of_local(source: Path, aligner: Path, out: Path, way: str) -> dict[str, float]:
    """Embed in this process, as the local path does; return the CPU seconds of each part."""
    given = read_input(source)
    job = Job(out, aligner, False, None, way != "texts")
    embedder = BlockEmbedder(job, job.load())
    output = Output(out, IndexRecord.of(embedder.aligner, "column text"), job.from_vectors)
    out.mkdir()
    spent = dict.fromkeys(("read", "embed", "write"), 0.0)
    reader = BlockReader()
    for block in given.blocks:
        at = [time.process_time()]
        rows = reader.read(block)
        at.append(time.process_time())
        rows = embedder(rows, block)
        at.append(time.process_time())
        output.write(block, rows)
        at.append(time.process_time())
        for name, start, end in zip(spent, at[:-1], at[1:], strict=True):
            spent[name] += end - start
    reader.close()
    return spent


def peak_megabytes(source: Path, aligner: Path, out: Path) -> int:
    """Run the command by itself, and return the most memory that it took (Linux only)."""
    arguments = ["bulk", str(source), str(out), "--aligner", str(aligner), "--json"]
    code = (
        f"from kakehashi.cli.app import app; app({arguments!r}, standalone_mode=False); "
        "print([x for x in open('/proc/self/status') if x.startswith('VmHWM')][0].split()[1])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return int(done.stdout.split()[-1]) // 1000


def bytes_of(folder: Path) -> dict[str, bytes]:
    """Return the bytes of the files in a folder."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--vectors", type=int, default=131_072, help="rows of vectors")
    parser.add_argument("--texts", type=int, default=1024, help="rows of texts")
    parser.add_argument("--only", choices=GROUP_ROWS, action="append", help="a way; all by default")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    found = setting()
    with tempfile.TemporaryDirectory() as place:
        rows = measured(Path(place), asked)
    write({"setting": found, "rows": rows}, asked.out)
    print(describe(found))
    header = ("input", "where", "rows", "seconds", "rows/s", "CPU seconds", "rows/CPU s", "same")
    print(table(header, [[row[name] for name in header] for row in rows]))
    parts = ("input", "read", "embed", "write", "output bytes a row", "peak MB")
    print(table(parts, [[row[name] for name in parts] for row in rows if "read" in row]))


def measured(place: Path, asked: argparse.Namespace) -> list[dict[str, Any]]:
    """Return a row for each way and place."""
    rows = []
    aligners = make_aligners(place / "aligners", asked.only or [*GROUP_ROWS], asked.cache)
    sizes = {way: asked.texts if way == "texts" else asked.vectors for way in aligners}
    sources = {
        way: write_rows(place / f"{way}.parquet", way, n, asked.cache) for way, n in sizes.items()
    }
    for way, aligner in aligners.items():
        with timed() as spent:
            parts = parts_of_local(sources[way], aligner, place / f"{way} here", way)
        row = row_of(way, "this process", sizes[way], spent, "")
        size = sum(path.stat().st_size for path in (place / f"{way} here").iterdir())
        for name in ("read", "embed", "write"):
            row[name] = f"{parts[name] / spent['cpu']:.0%}"
        row["output bytes a row"] = round(size / sizes[way])
        row["peak MB"] = peak_megabytes(sources[way], aligner, place / f"{way} alone")
        rows.append(row)
        print(row, file=sys.stderr)
    with ray_up("local", asked.workers) as n_workers:
        for way, aligner in aligners.items():
            out, options = place / f"{way} there", {"ray": "local", "workers": n_workers}
            with timed() as spent:
                embed_parquet(sources[way], out, aligner=aligner, **options)
            same = "yes" if bytes_of(out) == bytes_of(place / f"{way} here") else "NO"
            rows.append(row_of(way, f"Ray, {n_workers} workers", sizes[way], spent, same))
            print(rows[-1], file=sys.stderr)
    return rows


@contextmanager
def timed() -> Iterator[dict[str, float]]:
    """Give the seconds and CPU seconds of a block, once it is done."""
    spent: dict[str, float] = {}
    start, before = time.perf_counter(), cpu_seconds()
    yield spent
    spent.update(seconds=time.perf_counter() - start, cpu=cpu_seconds() - before)


def row_of(way: str, where: str, n: int, spent: dict[str, float], same: str) -> dict[str, Any]:
    """Return the figures of one run."""
    return {
        "input": way,
        "where": where,
        "rows": n,
        "seconds": round(spent["seconds"], 1),
        "rows/s": round(n / spent["seconds"]),
        "CPU seconds": round(spent["cpu"], 1),
        "rows/CPU s": round(n / spent["cpu"]),
        "same": same,
    }


if __name__ == "__main__":
    main()
