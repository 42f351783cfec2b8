"""Time what LlamaIndex's `LinearAdapterEmbeddingModel` adds to one query, as a peer.

It runs in the environment of llama_index_engine.requirements.txt:

    python llama_index_adapter.py --dimension 384 [--repeats 5000]

The base model returns the same stored list for every text, so what is left of its time is
LlamaIndex's own wrapping; the adapter's overhead is (query through the adapter) - (query through
the base alone), the two taken in turns. Prints one JSON object with medians in microseconds.
"""

import argparse
import json
import os
import tempfile
import time
from importlib.metadata import version

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"

import numpy as np
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.embeddings.adapter import LinearAdapterEmbeddingModel, LinearLayer


class ConstantEmbedding(BaseEmbedding):
    """A base embedding model that costs nothing."""

    _vector: list[float] = PrivateAttr()

    def __init__(self, vector: list[float]) -> None:
        super().__init__(model_name="constant")
        self._vector = vector

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._vector

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._vector

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._vector


def main() -> None:
    """Time the base and the adapter in turns; print JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dimension", type=int, default=384)
    parser.add_argument("--repeats", type=int, default=5000)
    args = parser.parse_args()
    vector = np.random.default_rng(0).standard_normal(args.dimension)
    base = ConstantEmbedding((vector / np.linalg.norm(vector)).tolist())
    with tempfile.TemporaryDirectory() as folder:
        LinearLayer(args.dimension, args.dimension, bias=False).save(folder)
        adapter = LinearAdapterEmbeddingModel(base, folder, device="cpu")
    seconds: dict[str, list[float]] = {"base": [], "adapter": []}
    models = {"base": base, "adapter": adapter}
    for _ in range(args.repeats):
        for name, model in models.items():
            start = time.perf_counter()
            model.get_query_embedding("a query")
            seconds[name].append(time.perf_counter() - start)
    median = {name: 1e6 * float(np.median(taken[10:])) for name, taken in seconds.items()}
    result = {
        "dimension": args.dimension,
        "base_us": median["base"],
        "adapter_us": median["adapter"],
        "overhead_us": median["adapter"] - median["base"],
        "versions": {p: version(p) for p in ("llama-index-embeddings-adapter", "torch")},
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
