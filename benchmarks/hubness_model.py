"""Measure what the model of hubness costs beside the bank of vectors that it stands in for.

    python benchmarks/hubness_model.py DATA [--sets ...] [--seeds 5]

DATA holds ``vectors/NAME.npz`` (datasets.py says how they are made). Each seed holds out three
tenths of the groups. CCA in mode shared is fitted on the others, and every held-out query is ranked
among the held-out documents: without a correction, with the exact correction by a bank of the
training queries, and with the model. The strength of each is the best of the grid by the other
seeds' mean. The last column is the largest cosine of a
vector in the model with that of any query, held-out ones included.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np

from kakehashi.projection.cca import cca
from kakehashi.projection.hubness import hubness
from kakehashi.projection.hubness_model import HubnessModel
from kakehashi.projection.moments import Moments, Spectrum
from kakehashi.training.hubness_bank import hubness_grid
from kakehashi.vectors import unit_rows

SETS = {
    "kicad_ja_en": "use",
    "maintnet_problem_action": "minilm",
    "tldr_en_command": "minilm",
    "pydocs_ja_en": "use",
}
STRENGTHS = [setting["strength"] for setting in hubness_grid("shared")]
WAYS = ("none", "bank", "model")


def main() -> None:
    """Print a row for each set."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--seeds", type=int, default=5)
    args = parser.parse_args()
    print("| set | recall@1: none | bank | model | MRR@10: none | bank | model | nearest |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name in args.sets:
        with np.load(args.data / "vectors" / f"{name}.npz") as archive:
            x = unit_rows(archive[f"{SETS[name]}_source"].astype(np.float32))
            y = unit_rows(archive["minilm_target"].astype(np.float32))
            measured = [measure(x, y, archive["group"], seed) for seed in range(args.seeds)]
        table = np.array([scores for scores, _ in measured])  # seed, way, strength, metric
        means = np.mean([chosen(table, seed) for seed in range(args.seeds)], axis=0)
        cells = [f"{means[way, metric]:.4f}" for metric in (0, 1) for way in range(len(WAYS))]
        print(f"| {name} | {' | '.join(cells)} | {max(near for _, near in measured):.2f} |")


def chosen(table: np.ndarray, seed: int) -> np.ndarray:
    """Return the scores of one seed at the strength that is best over the others: (way, metric)."""
    best = np.delete(table, seed, axis=0)[..., 1].mean(axis=0).argmax(axis=1)
    return np.stack([table[seed, way, best[way]] for way in range(len(WAYS))])


def measure(x: np.ndarray, y: np.ndarray, groups: np.ndarray, seed: int) -> tuple[list, float]:
    """Return recall@1 and MRR@10 by way and strength, and the nearest text of a saved vector."""
    names = np.random.default_rng(seed).permutation(np.unique(groups))
    held_out = np.isin(groups, names[: max(1, len(names) * 3 // 10)])
    rows = np.flatnonzero(~held_out)
    prior = np.eye(x.shape[1], y.shape[1]) if x.shape[1] == y.shape[1] else None
    spectrum = Spectrum(Moments.of(x, y, rows), prior)
    plain = cca(spectrum, "shared", reg_source=0.3, reg_target=0.3, power=1.75)
    source = plain(x, modality="source", role="document", roughly=True)
    target = plain(y, modality="target", role="document", roughly=True)
    bank, documents = source[rows], target[held_out]
    model = HubnessModel.of(target[rows], bank)
    similarity = source[held_out] @ documents.T
    by_way = {
        "none": 0 * similarity[0],
        "bank": hubness(documents, bank),
        "model": model(documents),
    }
    scores = [[score(similarity - s * by_way[way]) for s in STRENGTHS] for way in WAYS]
    saved = unit_rows(np.ascontiguousarray(model.directions.T))
    return scores, float((saved @ np.concatenate([bank, source[held_out]]).T).max())


def score(scores: np.ndarray) -> tuple[float, float]:
    """Return recall@1 and MRR@10; a tie counts against the answer, the i-th document of query i."""
    rank = (scores >= np.diag(scores)[:, None]).sum(axis=1)
    return float((rank == 1).mean()), float(np.where(rank <= 10, 1 / rank, 0).mean())


if __name__ == "__main__":
    main()
