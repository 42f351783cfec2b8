"""Approximate search of projected questions: what a graph finds of the exact ten nearest.

    python benchmarks/approximate.py DATA [--pairs 1000] [--set SET] [--cache FILE] [--out JSON]

The documents are those of every set of DATA with stored vectors of all-MiniLM-L6-v2. FAISS builds
a graph (HNSW, 16 neighbours, efConstruction 100) over them, and another one over the documents as
the second map projects them. A map is fitted on pairs of one set, from vectors only. Questions are
then searched for among all documents, by the graph and exactly:

- documents: documents that were left out of the index, as questions that lie where documents lie;
- keep: held-out questions of the source, projected by the first map, among the documents as they
  are;
- shared: the same, projected by the second map, among projected documents.

Printed is the mean share of the exact ten nearest that the graph finds, by efSearch (candidates
that a search keeps). Where a line is lower than that of documents, the graph serves projected
questions worse. Beside it stand the distances that were computed for a question, and the share of
questions whose right document is among the ten; `exact` is that of an exact search.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import faiss
import numpy as np
from datasets import chosen
from setting import describe, setting, table, write

import kakehashi

K, QUESTIONS = 10, 500
EF = (10, 20, 50, 100, 200)
NEIGHBOURS, CONSTRUCTION = 16, 100


def stored_documents(data: Path, but: str) -> np.ndarray:
    """Return the vectors of documents of all sets with stored ones, but of one set."""
    vectors = []
    for path in sorted((data / "vectors").glob("*.npz")):
        with np.load(path, allow_pickle=False) as arrays:
            if path.stem != but and "minilm_target" in arrays:
                vectors.append(arrays["minilm_target"].astype(np.float32))
    return np.concatenate(vectors)


def recalls(
    documents: np.ndarray, questions: np.ndarray, right: np.ndarray | None
) -> dict[str, dict[str, float]]:
    """Search exactly and by a graph.

    Args:
        right: the row of the right document of each question; None where there is none.

    Returns:
        by efSearch (and ``exact``): ``nearest``, ``distances`` and ``right``.
    """
    graph = faiss.IndexHNSWFlat(documents.shape[1], NEIGHBOURS, faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efConstruction = CONSTRUCTION
    graph.add(documents)
    exact = np.argsort(-(questions @ documents.T), axis=1, kind="stable")[:, :K]

    def shares(rows: np.ndarray) -> dict[str, float]:
        both = zip(rows.tolist(), exact.tolist(), strict=True)
        shares = {"nearest": float(np.mean([len({*a} & {*b}) / K for a, b in both]))}
        if right is not None:
            shares["right"] = float((rows == right[:, None]).any(axis=1).mean())
        return shares

    measured = {"exact": shares(exact) | {"distances": float(len(documents))}}
    for ef in EF:
        graph.hnsw.efSearch = ef
        faiss.cvar.hnsw_stats.reset()
        _, rows = graph.search(questions, K)
        computed = faiss.cvar.hnsw_stats.ndis / len(questions)
        measured[f"ef {ef}"] = shares(rows) | {"distances": computed}
    return measured


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--set", default="pydocs_ja_en:use-minilm")
    parser.add_argument("--cache", type=Path, default=Path("vectors.sqlite"))
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    measured = setting()
    faiss.omp_set_num_threads(1)
    [data_set] = chosen(asked.data, [asked.set])
    pairs = data_set.load(asked.data, asked.cache)
    rows = np.random.default_rng(0).permutation(len(pairs))
    train, held_out = rows[: asked.pairs], rows[asked.pairs : asked.pairs + QUESTIONS]
    left_out = rows[asked.pairs + QUESTIONS :][:QUESTIONS]
    aligner = kakehashi.fit(
        pairs.select(np.sort(train).tolist()), ngrams=False, learned=False, learn_from=[]
    )
    print(aligner, file=sys.stderr)
    targets = np.asarray(pairs.target_vectors)
    kept = np.setdiff1d(np.arange(len(pairs)), left_out)
    documents = np.concatenate([targets[kept], stored_documents(asked.data, data_set.name)])
    documents /= np.linalg.norm(documents, axis=1, keepdims=True)
    questions = np.asarray(pairs.source_vectors)[held_out]
    right = np.searchsorted(kept, held_out)
    ways: dict[str, Any] = {
        "documents": (documents, targets[left_out], None),
        "keep": (documents, aligner.project(questions), right),
    }
    if aligner.rescoring is not None:
        shared = aligner.as_shared()
        moved = shared.project(documents, modality="target", role="document")
        ways["shared"] = moved, shared.project(questions), right
    results = {way: recalls(*searched) for way, searched in ways.items()}
    print(describe(measured), f"; {len(documents)} documents, {len(questions)} questions")
    for name, form in (("nearest", ".3f"), ("right", ".3f"), ("distances", ".0f")):
        lines = [
            [way, *(format(at[name], form) for at in by_ef.values())]
            for way, by_ef in results.items()
            if name in by_ef["exact"]
        ]
        print(table((name, *results["keep"]), lines))
    write({"setting": measured, "results": results}, asked.out)


if __name__ == "__main__":
    main()
