"""Measure LlamaIndex's `EmbeddingAdapterFinetuneEngine` on stored vectors, as a peer.

It runs in an environment of its own, made as llama_index_engine.requirements.txt says, by the
contract of contract.py; sources are queries, targets documents, and all of one dimension:

    python llama_index_engine.py SPLIT.npz OUT_FOLDER [--seed N] [--grid [short|long]]

Without --grid it is the engine as it comes: 5 epochs and its own rate and batch. --grid runs a
grid; the setting with the highest MRR@10 on the validation part is the best. The short one has the
three that were best on some set, the long one the engine's default and five others. As
nothing keeps a user from training on the validation part once it has chosen, the best setting is
run again on both parts (and so is the default). result.json also lists every run, with its scores
on validation and test part, for against_engine.py.

The engine gets a synthetic key as each text and a base model that looks the row up, so encoding
costs nothing. Loss, optimiser, schedule and start (the identity, hence square) are its own; batch
size and learning rate, too, unless the grid gives them. It never shuffles, so --seed can change
only the training rows' order: permuted once.
"""

from __future__ import annotations

import inspect
import sys
import tempfile
import time
from typing import Any

import contract  # first: it sets the number of threads
import numpy as np
from contract import Clock, Rows, Split
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.finetuning import EmbeddingAdapterFinetuneEngine, EmbeddingQAFinetuneDataset
from llama_index.finetuning.embeddings.adapter_utils import train_model

PACKAGES = [f"llama-index-{name}" for name in ("finetuning", "embeddings-adapter", "core")]
PACKAGES += ["torch", "transformers", "sentence-transformers", "numpy"]
DEFAULT_LR: float = inspect.signature(train_model).parameters["optimizer_params"].default["lr"]
Setting = tuple[int, float | None, int | None]
# (epochs, learning rate, batch size); None leaves the engine its own.
DEFAULT: Setting = (5, None, None)
SHORT: list[Setting] = [(20, 1e-3, None), (20, 3e-3, 256), (20, 1e-2, 256)]
GRIDS = {
    "short": SHORT,
    "long": [DEFAULT, (20, 1e-3, None), (20, 1e-3, 64), (5, 3e-3, 256), *SHORT[1:]],
}
_TIMED_QUERIES = 300


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


def measure(parts: dict[str, Rows], setting: Setting) -> tuple[dict[str, Any], Clock, Any]:
    """Train one adapter on `train` and rank each other part with it.

    Returns:
        the run as a record, the time of `finetune()` alone, and the adapted model.
    """
    epochs, lr, batch = setting
    train = parts["train"]
    count, dim = train.source.shape
    vectors = {f"train t{i}": row for i, row in enumerate(train.target.tolist())}
    for part, rows in parts.items():
        vectors |= {f"{part} s{i}": row for i, row in enumerate(rows.source.tolist())}
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
        with Clock() as clock:
            engine.finetune()
        model = engine.get_finetuned_model(device="cpu")
    row: dict[str, Any] = {
        "epochs": epochs,
        "learning_rate": DEFAULT_LR if lr is None else lr,
        "engine_default_rate": lr is None,
        "batch_size": engine.batch_size,
        "engine_default_batch_size": batch is None,
        "steps_per_epoch": len(engine.loader),
        "train_seconds": round(clock.seconds, 2),
        "train_cpu_seconds": round(clock.cpu_seconds, 2),
    }
    for part, rows in parts.items():
        if part != "train":
            row[part] = retrieval(adapt(model, part, len(rows.source)), rows.target)
    return row, clock, model


def adapt(model: Any, part: str, n: int) -> np.ndarray:
    """Return the adapted queries of a part, (n, d)."""
    return np.array([model.get_query_embedding(f"{part} s{i}") for i in range(n)], np.float32)


def query_us(model: Any, n: int) -> float:
    """Median microseconds of one query through the adapter; the base model only looks it up."""
    taken = []
    for i in range(_TIMED_QUERIES):
        start = time.perf_counter()
        model.get_query_embedding(f"test s{i % n}")
        taken.append(time.perf_counter() - start)
    return 1e6 * float(np.median(taken))


def main() -> None:
    """Run the default or a grid, the best of it again on both parts, and write the test part."""
    parser = contract.parser(__doc__)
    parser.add_argument("--grid", choices=GRIDS, nargs="?", const="short")
    args = parser.parse_args()
    split = Split.read(args.split)
    if len(set(split.train.dimensions)) > 1:
        contract.not_applicable(
            args.out, f"dimensions differ {split.train.dimensions}; the engine's map is square"
        )
        return
    order = np.random.default_rng(args.seed).permutation(len(split.train.source))
    train = Rows(split.train.source[order], split.train.target[order])
    settings = GRIDS[args.grid] if args.grid else [DEFAULT]
    runs = []
    with Clock() as search:
        for setting in settings if len(settings) > 1 else []:  # else nothing is to be chosen
            parts = {"train": train, "valid": split.valid, "test": split.test}
            runs.append(measure(parts, setting)[0])
            print(f"{len(runs)}/{len(settings)} {runs[-1]}", file=sys.stderr, flush=True)
        best = max(range(len(runs)), key=lambda i: runs[i]["valid"]["mrr@10"], default=0)
        both = {"train": train + split.valid, "test": split.test}
        refitted, training, model = measure(both, settings[best])
    n_test = len(split.test.source)
    contract.write(
        args.out,
        queries=adapt(model, "test", n_test),
        documents=split.test.target,
        setting={name: refitted[name] for name in ("epochs", "learning_rate", "batch_size")},
        n_settings=len(settings),
        training=training,
        search=search,
        query_us=query_us(model, n_test),
        packages=PACKAGES,
        notes="microseconds a query include LlamaIndex's own wrapping",
        runs=runs,
        best=runs[best] if runs else None,
        best_refitted=refitted,
        untrained={"test": retrieval(split.test.source, split.test.target)},
    )


if __name__ == "__main__":
    main()
