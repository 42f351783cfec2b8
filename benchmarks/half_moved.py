"""Measure what a half moved index finds, served as one by a PartsRetriever, and by one part only.

    python benchmarks/half_moved.py [PAIRS.jsonl] [--seeds 2] [--questions 200] [--cache FILE]

PAIRS are the demo's pairs of the Japanese and the English KiCad manual, unless a file is named. A
fifth of them, by group, asks. The index holds the targets of all. A random share of its documents
lies in the second part, and all others in the first: no document is in both. Japanese is read by
USE. Two cases:

- one aligner: vectors of MiniLM in the first part, rescored; the second part holds what the second
  map made of them (`as_shared()`). At 100% it is the wholly moved index.
- two encoders: vectors of MiniLM in the first part and vectors of USE in the second, each with its
  own aligner. Documents compare by the probability that they answer, or by rank.

The figure is recall@1 among all documents, by the retriever of LangChain over Chroma.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import chromadb
import numpy as np
from datasets import encoder
from langchain_chroma import Chroma
from setting import describe, setting, table, write

from kakehashi import Aligner, Pairs, fit, read_pairs
from kakehashi.data.splits import hold_out
from kakehashi.encoders import Encoder
from kakehashi.encoders.cache import encode_texts
from kakehashi.evaluation import evaluate_retriever
from kakehashi.integrations.langchain import AlignedEmbeddings, Part, PartsRetriever
from kakehashi.types import Role
from kakehashi.vectors import Float32Array

SHARES = (0.0, 0.1, 0.5, 0.9, 1.0)
EXACT = {"hnsw": {"space": "cosine", "ef_search": 2000, "ef_construction": 400}}
WAYS = ("both parts", "both parts, by rank", "the first alone", "the second alone")


class Remembering:
    """An encoder that encodes a text once: the same questions are asked of many indices."""

    def __init__(self, inner: Encoder, cache: Path | None) -> None:
        self.name, self._inner, self._cache = inner.name, inner, cache
        self._known: dict[tuple[str, Role], Float32Array] = {}

    def encode(self, texts: Sequence[str], role: Role = "document") -> Float32Array:
        """Return (n, d) float32 vectors."""
        new = [text for text in dict.fromkeys(texts) if (text, role) not in self._known]
        if new:
            made = encode_texts(self._inner, new, role, cache=self._cache)
            self._known.update(zip(((text, role) for text in new), made, strict=True))
        return np.stack([self._known[text, role] for text in texts])


def store_of(aligner: Aligner, texts: Sequence[str]) -> Chroma:
    """Return a collection that the aligner fills, searched exactly."""
    name = f"c{np.random.default_rng().integers(1 << 60)}"
    embeddings = AlignedEmbeddings(aligner=aligner)
    options = {"client": chromadb.EphemeralClient(), "collection_configuration": EXACT}
    store = Chroma(name, embeddings, **options)
    if texts:
        store.add_texts(list(texts))
    return store


def measure(
    first: Aligner, second: Aligner, documents: Sequence[str], test: Pairs, seed: int
) -> list[dict[str, Any]]:
    """Return recall@1 of every way at every share."""
    order = np.random.default_rng(seed).permutation(len(documents))
    rows = []
    for share in SHARES:
        n = round(share * len(documents))
        left, right = [documents[i] for i in order[n:]], [documents[i] for i in order[:n]]
        stores = store_of(first, left), store_of(second, right)
        parts = [
            Part(vectorstore=store, embeddings=aligner, name=name)
            for store, aligner, name in zip(stores, (first, second), ("1", "2"), strict=True)
        ]
        asked = {
            "both parts": PartsRetriever(parts=parts, k=10),
            "both parts, by rank": PartsRetriever(parts=parts, k=10, fusion="rank"),
            "the first alone": PartsRetriever(parts=parts[:1], k=10),
            "the second alone": PartsRetriever(parts=parts[1:], k=10),
        }
        found = {
            way: evaluate_retriever(retriever, test).means["recall@1"]
            for way, retriever in asked.items()
        }
        rows.append({"share": share, "seed": seed, **found})
        print(rows[-1], flush=True)
        for store in stores:
            store.delete_collection()
    return rows


def main() -> None:
    """Measure both cases on every seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    demo = files("kakehashi") / "demo" / "kicad_ja_en.jsonl"
    parser.add_argument("pairs", type=Path, nargs="?", default=Path(str(demo)))
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--questions", type=int, default=200, help="at most so many ask")
    parser.add_argument("--cache", type=Path, help="keeps the vectors of the texts")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    found = setting()
    pairs = read_pairs(options.pairs, on_invalid="drop")
    use, minilm = (Remembering(encoder(name), options.cache) for name in ("use", "minilm"))
    cells: dict[str, list[dict[str, Any]]] = {"one aligner": [], "two encoders": []}
    documents = list(dict.fromkeys(pairs.target_texts or ()))
    for seed in range(options.seeds):
        split = hold_out(pairs, 0.2, seed=seed)
        asks = split.held_out[: options.questions]
        train, test = pairs.select(split.kept), pairs.select(asks)
        fitted = {"learned": False, "seed": seed, "cache": options.cache}
        old = fit(train, source_encoder=use, target_encoder=minilm, **fitted)
        other = fit(train, source_encoder=use, target_encoder=use, **fitted)
        print(repr(old), repr(other), sep="\n", flush=True)
        if old.rescoring is not None:
            cells["one aligner"] += measure(old, old.as_shared(), documents, test, seed)
        cells["two encoders"] += measure(old, other, documents, test, seed)
    write({"setting": found, "rows": cells}, options.out)
    print(describe(found))
    print(f"{len(documents)} documents, {options.questions} questions at most, seeds 0 to", end=" ")
    print(options.seeds - 1)
    for case, rows in cells.items():
        print(f"\n{case}\n")
        print(table(("in the second part", *WAYS), (_cell(rows, share) for share in SHARES)))


def _cell(rows: Sequence[dict[str, Any]], share: float) -> list[str]:
    """Return a line of the table: the means over seeds."""
    of_share = [row for row in rows if row["share"] == share]
    means = [float(np.mean([row[way] for row in of_share])) for way in WAYS]
    return [f"{share:.0%}", *(f"{mean:.3f}" for mean in means)]


if __name__ == "__main__":
    main()
