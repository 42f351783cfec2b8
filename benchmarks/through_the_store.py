"""Measure whether the score of a report is the score that a store gives.

    python benchmarks/through_the_store.py DATA [SET ...] [--out OUT.json] [--cache FILE]

For each set a fifth of the pairs, whole groups, is a test set of the caller's. `fit` judges by it,
and ships the very weights that it judged. All targets go into a store of LangChain (Chroma) and an
index of LlamaIndex, through the aligner. Then four ways give recall@1 of the same questions, as the
aligner serves, rescored where it rescores: the report, `evaluate` with the index, and
`evaluate_retriever` over both stores. `alone` is the old way of reporting, among the held-out
documents.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import chromadb
from datasets import chosen, encoder
from langchain_chroma import Chroma
from llama_index.core import VectorStoreIndex
from llama_index.core.schema import TextNode
from setting import describe, setting, table, write

from kakehashi import Pairs, fit, read_pairs
from kakehashi.data.splits import hold_out
from kakehashi.evaluation import evaluate, evaluate_retriever
from kakehashi.integrations.langchain import AlignedEmbeddings
from kakehashi.integrations.langchain import AlignedRetriever as ChainRetriever
from kakehashi.integrations.llama_index import AlignedEmbedding
from kakehashi.integrations.llama_index import AlignedRetriever as IndexRetriever

SETS = (
    "kicad_ja_en:use-minilm",
    "pydocs_ja_en:use-minilm",
    "tldr_en_command:minilm-minilm",
    "django_pseudocode_code:minilm-minilm",
)
WAYS = ("report", "evaluate", "LangChain", "LlamaIndex", "alone")


def measure(
    pairs: Pairs, mode: str, encoders: dict[str, Any], cache: Path | None
) -> dict[str, Any]:
    """Fit on the training part, and score the test part in all five ways."""
    split = hold_out(pairs, 0.2, seed=0)
    train, test = pairs.select(split.kept), pairs.select(split.held_out)
    aligner = fit(train, test=test, mode=mode, learned=False, cache=cache, **encoders)
    documents = list(dict.fromkeys(pairs.target_texts or ()))
    found = {
        "report": aligner.report.served.means,
        "evaluate": _served(evaluate(aligner, test, index=documents, cache=cache)),
        "alone": _served(evaluate(aligner, test, cache=cache)),
    }
    exact = {"hnsw": {"space": "cosine", "ef_search": 2000, "ef_construction": 400}}
    store = Chroma(
        "documents",
        AlignedEmbeddings(aligner=aligner),
        client=chromadb.EphemeralClient(),
        collection_configuration=exact,
    )
    store.add_texts(documents)
    nodes = [TextNode(text=text) for text in documents]
    index = VectorStoreIndex(nodes, embed_model=AlignedEmbedding(aligner=aligner))
    retrievers = {
        "LangChain": ChainRetriever(vectorstore=store, embeddings=aligner, k=10),
        "LlamaIndex": IndexRetriever(index, aligner, similarity_top_k=10),
    }
    for name, retriever in retrievers.items():
        found[name] = evaluate_retriever(retriever, test).means
    store.delete_collection()
    about = {"mode": mode, "documents": len(documents), "questions": len(test)}
    return {**about, "recall@1": {way: found[way]["recall@1"] for way in WAYS}}


def _served(found: Any) -> dict[str, float]:
    """Return the scores of the aligner as it serves: rescored, where it rescores."""
    means: dict[str, float] = (found.rescored or found.aligned).means
    return means


def main() -> None:
    """Measure every set in both modes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("sets", nargs="*", default=list(SETS))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--cache", type=Path, help="keeps the vectors of the texts")
    parser.add_argument("--at-most", type=int, default=1500, help="pairs of a set")
    options = parser.parse_args()
    found, rows = setting(), []
    for data_set in chosen(options.data, options.sets):
        pairs = read_pairs(options.data / f"{data_set.name}.jsonl", on_invalid="drop")
        step = max(1, -(-len(pairs) // options.at_most))
        pairs = pairs.select(range(0, len(pairs), step))
        sides = {"source": data_set.source, "target": data_set.target}
        encoders = {f"{side}_encoder": encoder(kind) for side, kind in sides.items()}
        for mode in ("keep", "shared"):
            row = measure(pairs, mode, encoders, options.cache)
            rows.append({"set": data_set.label, **row})
            print(rows[-1], flush=True)
    write({"setting": found, "rows": rows}, options.out)
    print(describe(found))
    cells = [
        (r["set"], r["mode"], r["questions"], r["documents"], *_three(r["recall@1"])) for r in rows
    ]
    print(table(("set", "mode", "questions", "documents", *WAYS), cells))


def _three(scores: dict[str, float]) -> list[str]:
    return [f"{scores[way]:.3f}" for way in WAYS]


if __name__ == "__main__":
    main()
