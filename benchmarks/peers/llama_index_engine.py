"""Measure LlamaIndex's `EmbeddingAdapterFinetuneEngine` on stored vectors, as a peer.

It runs in an environment of its own, made as llama_index_engine.requirements.txt says, by the
contract of contract.py; sources are queries, targets documents, and all of one dimension:

    python llama_index_engine.py SPLIT.npz OUT_FOLDER [--seed N] [--grid]

Without --grid it is the engine as it comes: 5 epochs and its own rate and batch. --grid tries the
three settings that were best on some set.

The engine gets row numbers as texts and a base model that looks the row up, so encoding costs
nothing. Loss, optimiser, schedule and start (the identity, hence square) are its own; batch size
and learning rate, too, unless the grid gives them. It never shuffles, so --seed can change only
the training rows' order: permuted once.
"""

from __future__ import annotations

import tempfile
from typing import Any

import contract  # first: it sets the number of threads
import numpy as np
from contract import Rows, Setting, Trained
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.finetuning import EmbeddingAdapterFinetuneEngine, EmbeddingQAFinetuneDataset

PACKAGES = [f"llama-index-{name}" for name in ("finetuning", "embeddings-adapter", "core")]
PACKAGES += ["torch", "transformers", "sentence-transformers", "numpy"]
DEFAULT: Setting = {"epochs": 5}
GRID: list[Setting] = [
    {"epochs": 20, "lr": 1e-3},
    {"epochs": 20, "lr": 3e-3, "batch": 256},
    {"epochs": 20, "lr": 1e-2, "batch": 256},
]


class StoredEmbedding(BaseEmbedding):
    """A base embedding model whose texts are the numbers of rows computed beforehand."""

    _queries: list[list[float]] = PrivateAttr()
    _documents: list[list[float]] = PrivateAttr()

    def __init__(self, queries: np.ndarray, documents: np.ndarray) -> None:
        super().__init__(model_name="stored")
        self._queries, self._documents = queries.tolist(), documents.tolist()

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._documents[int(text)]

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._queries[int(query)]

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._queries[int(query)]


def train(rows: Rows, setting: Setting, seed: int, valid: Rows | None) -> Trained:
    """Train one adapter by the engine."""
    order = np.random.default_rng(seed).permutation(len(rows.source))
    base = StoredEmbedding(rows.source[order], rows.target[order])
    numbers = {str(i): str(i) for i in range(len(order))}
    dataset = EmbeddingQAFinetuneDataset(
        queries=numbers, corpus=numbers, relevant_docs={i: [i] for i in numbers}
    )
    options: dict[str, Any] = {}
    if "lr" in setting:
        options["optimizer_params"] = {"lr": setting["lr"]}
    if "batch" in setting:
        options["batch_size"] = setting["batch"]
    with tempfile.TemporaryDirectory() as folder:
        engine = EmbeddingAdapterFinetuneEngine(
            dataset,
            base,
            epochs=setting["epochs"],
            dim=rows.dimensions[0],
            device="cpu",
            model_output_path=folder,
            show_progress_bar=False,
            **options,
        )
        engine.finetune()
        model = engine.get_finetuned_model(device="cpu")

    def apply(queries: np.ndarray) -> np.ndarray:
        base._queries = queries.tolist()
        adapted = [model.get_query_embedding(str(i)) for i in range(len(queries))]
        return np.array(adapted, np.float32)

    return Trained(apply)


def main() -> None:
    """Run the default, or a grid."""
    parser = contract.parser(__doc__)
    parser.add_argument("--grid", action="store_true")
    args = parser.parse_args()
    split = contract.Split.read(args.split)
    if len(set(split.train.dimensions)) > 1:
        contract.not_applicable(
            args.out, f"dimensions differ {split.train.dimensions}; the engine's map is square"
        )
        return
    contract.run(
        split,
        GRID if args.grid else [DEFAULT],
        train,
        args.out,
        seed=args.seed,
        packages=PACKAGES,
        notes="microseconds a query include LlamaIndex's own wrapping",
    )


if __name__ == "__main__":
    main()
