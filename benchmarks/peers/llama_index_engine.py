"""Measure LlamaIndex's `EmbeddingAdapterFinetuneEngine` on stored vectors, as a peer.

It runs in an environment of its own, made as llama_index_engine.requirements.txt says:

    python llama_index_engine.py SPLIT.npz --out result.json [--epochs 5] [--lr default]
                                 [--batch-size default] [--grid]

SPLIT.npz: train_source, train_target, test_source, test_target and, if wanted, valid_source and
valid_target, each (n, d) of one d. Sources are queries, targets documents; rows match by index.

--grid runs the given setting and then GRID; the setting with the highest MRR@10 on the validation
part is the best. As nothing keeps a user from training on the validation part once it has chosen,
the best setting is run again on both parts ("best_refitted").

The engine gets a synthetic key as each text and a base model that looks the row up, so encoding
costs nothing. Loss, optimiser, schedule and start (the identity, hence square) are its own; batch
size and learning rate, too, unless they are given. It never shuffles, so --seed can change only
the training rows' order: permuted once.
"""

import argparse
import inspect
import json
import os
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

# Read when NumPy and torch load: one thread each, and never a hub.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.finetuning import EmbeddingAdapterFinetuneEngine, EmbeddingQAFinetuneDataset
from llama_index.finetuning.embeddings.adapter_utils import train_model

PACKAGES = [f"llama-index-{name}" for name in ("finetuning", "embeddings-adapter", "core")]
PACKAGES += ["torch", "transformers", "sentence-transformers", "numpy"]
DEFAULT_LR: float = inspect.signature(train_model).parameters["optimizer_params"].default["lr"]
Setting = tuple[int, float | None, int | None]
# (epochs, learning rate, batch size); None leaves the engine its own.
GRID: list[Setting] = [
    (20, 1e-3, None),
    (20, 1e-3, 64),
    (5, 3e-3, 256),
    (20, 3e-3, 256),
    (20, 1e-2, 256),
]
Split = dict[str, tuple[np.ndarray, np.ndarray]]


class StoredEmbedding(BaseEmbedding):
    """A base embedding model whose texts are keys of vectors computed beforehand."""

    _vectors: dict[str, list[float]] = PrivateAttr()

    def __init__(self, vectors: dict[str, list[float]]) -> None:
        super().__init__(model_name="stored")
        self._vectors = vectors

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._vectors[text]

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._vectors[query]

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._vectors[query]


def load_split(path: Path) -> Split:
    """Read (source, target) of each part as float32 (n, d); ValueError where they do not fit."""
    with np.load(path, allow_pickle=False) as stored:
        parts = ["train", "test"] + ["valid"] * any(key.startswith("valid_") for key in stored)
        wanted = [f"{part}_{side}" for part in parts for side in ("source", "target")]
        if missing := [key for key in wanted if key not in stored]:
            raise ValueError(f"{path} lacks {missing} (it has {sorted(stored)}): add them")
        arrays = {key: stored[key].astype(np.float32) for key in wanted}
    for key, array in arrays.items():
        if array.ndim != 2 or not (array.size and np.isfinite(array).all() and array.any(1).all()):
            raise ValueError(f"{key} {array.shape} must be 2-d, its rows finite and not zero")
    shapes = {key: array.shape for key, array in arrays.items()}
    if len({array.shape[1] for array in arrays.values()}) > 1:
        raise ValueError(
            f"dimensions differ: {shapes}. The engine trains a square map of the queries only, so "
            "all must be equal: encode both sides with models of one dimension"
        )
    split = {part: (arrays[f"{part}_source"], arrays[f"{part}_target"]) for part in parts}
    if any(len(source) != len(target) for source, target in split.values()):
        raise ValueError(f"a source needs as many rows as its target, but got {shapes}: pair them")
    return split


def retrieval(queries: np.ndarray, documents: np.ndarray) -> dict[str, float]:
    """Rank row i's own document for query i, both (n, d), among all n by cosine.

    rank = 1 + the number of other documents that score no less. With one relevant document,
    ndcg@10 is 1 / log2(1 + rank) within the first ten, else 0 (Jarvelin and Kekalainen, 2002).
    """
    q, d = (x.astype(np.float64) for x in (queries, documents))
    q, d = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (q, d))
    scores = q @ d.T  # (n, n)
    # "Not worse" counts the document itself (the 1), its ties and, had training diverged, NaN.
    rank = (~(scores < np.diag(scores)[:, None])).sum(axis=1)
    found = rank <= 10
    gains = {"recall@1": rank == 1, "recall@10": found, "mrr@10": found / rank}
    gains["ndcg@10"] = found / np.log2(1 + rank)
    return {name: float(gain.mean()) for name, gain in gains.items()}


def measure(split: Split, epochs: int, lr: float | None, batch: int | None) -> dict[str, Any]:
    """Train one adapter (None: the engine's own) and rank each held-out part with it."""
    count, dim = split["train"][0].shape
    vectors = {f"train t{i}": row for i, row in enumerate(split["train"][1].tolist())}
    for part, (source, _) in split.items():
        vectors |= {f"{part} s{i}": row for i, row in enumerate(source.tolist())}
    dataset = EmbeddingQAFinetuneDataset(
        queries={f"q{i}": f"train s{i}" for i in range(count)},
        corpus={f"d{i}": f"train t{i}" for i in range(count)},
        relevant_docs={f"q{i}": [f"d{i}"] for i in range(count)},
    )
    options: dict[str, Any] = {} if lr is None else {"optimizer_params": {"lr": lr}}
    options |= {} if batch is None else {"batch_size": batch}
    with tempfile.TemporaryDirectory() as folder:
        engine = EmbeddingAdapterFinetuneEngine(
            dataset, StoredEmbedding(vectors), epochs=epochs, dim=dim, device="cpu",
            model_output_path=folder, show_progress_bar=False, **options,
        )  # fmt: skip
        start, cpu_start = time.perf_counter(), time.process_time()
        engine.finetune()
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu_start
        model = engine.get_finetuned_model(device="cpu")
    row: dict[str, Any] = {
        "epochs": epochs,
        "learning_rate": DEFAULT_LR if lr is None else lr,
        "engine_default_rate": lr is None,
        "batch_size": engine.batch_size,
        "engine_default_batch_size": batch is None,
        "steps_per_epoch": len(engine.loader),
        "train_seconds": round(seconds, 2),
        "train_cpu_seconds": round(cpu, 2),
    }
    for part, (source, target) in split.items():
        if part != "train":
            texts = [f"{part} s{i}" for i in range(len(source))]
            adapted = np.array([model.get_query_embedding(text) for text in texts])
            row[part] = retrieval(adapted, target)
    return row


def choose(split: Split, first: Setting) -> dict[str, Any]:
    """Run the first setting and the grid; return all, the best, and the best refitted."""
    settings = [first, *GRID]
    runs = []
    for setting in settings:
        runs.append(measure(split, *setting))
        print(f"{len(runs)}/{len(settings)} {runs[-1]}", file=sys.stderr, flush=True)
    best = max(range(len(runs)), key=lambda i: runs[i]["valid"]["mrr@10"])
    both = [np.concatenate(sides) for sides in zip(split["train"], split["valid"], strict=True)]
    refitted = measure({"train": (both[0], both[1]), "test": split["test"]}, *settings[best])
    return {"runs": runs, "best": runs[best], "best_refitted": refitted}


def main() -> None:
    """Run one setting or the grid; print the rows as JSON and write them to --out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("split", type=Path, metavar="SPLIT.npz")
    parser.add_argument("--out", type=Path, required=True, metavar="RESULT.json")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--lr", default="default", help=f"default: the engine's, {DEFAULT_LR}")
    parser.add_argument("--seed", type=int, default=0, help="order of the training rows")
    parser.add_argument("--batch-size", default="default", help="default: the engine's")
    parser.add_argument("--grid", action="store_true", help="run GRID as well, and choose the best")
    args = parser.parse_args()
    if args.epochs < 1 or not args.out.parent.is_dir():
        parser.error(f"--epochs {args.epochs} must be 1 or more, --out {args.out} in a folder")
    try:
        lr = None if args.lr == "default" else float(args.lr)
        batch = None if args.batch_size == "default" else int(args.batch_size)
        split = load_split(args.split)
        if args.grid and "valid" not in split:
            raise ValueError(f"{args.split} has no validation part, by which --grid chooses")
    except (OSError, ValueError) as error:
        parser.error(str(error))
    source, target = split["train"]
    order = np.random.default_rng(args.seed).permutation(len(source))
    split["train"] = source[order], target[order]
    setting = args.epochs, lr, batch
    measured = choose(split, setting) if args.grid else {"runs": [measure(split, *setting)]}
    result = {
        "peer": "LlamaIndex EmbeddingAdapterFinetuneEngine",
        "split": args.split.name,
        "shapes": {part: pair[0].shape for part, pair in split.items()},
        "seed": args.seed,
        "versions": {name: version(name) for name in PACKAGES},
        "untrained": {part: retrieval(*pair) for part, pair in split.items() if part != "train"},
        **measured,
    }
    text = json.dumps(result, indent=2)
    args.out.write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
