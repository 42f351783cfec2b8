"""Measure the recommended min_score on questions that did not choose it.

    python benchmarks/min_score.py DATA [--sets NAME:SOURCE-TARGET ...] [--rows 3000] [--seed 0]

DATA and the names of sets are explained in datasets.py. A fifth of the rows of a set, by group,
asks. The fit sees the rest only, and its own held-out part learns the probability that a document
answers. The index holds the targets of all rows. A question finds one document, the first. Right
ones should be kept at the recommended probability; the others should not:

- wrong: the first document where it is not the answer;
- missing: the first document where the answer is not in the index;
- off-topic: the first document for a question of another set. The same encoder reads it.

Every share is of first documents. The map is fitted with the texts (n-grams) and without torch.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
from datasets import DataSet, chosen
from numpy.typing import NDArray

import kakehashi
from kakehashi import Pairs
from kakehashi.data.splits import hold_out
from kakehashi.vectors import unit_rows

SETS = (
    "kicad_ja_en:use-minilm",
    "pydocs_ja_en:use-minilm",
    "tldr_en_command:minilm-minilm",
    "maintnet_problem_action:minilm-minilm",
    "django_pseudocode_code:minilm-minilm",
)
HEADER = (
    "| set | right first | recommended | right kept | wrong rejected | missing rejected "
    "| off-topic rejected |\n| --- | --- | --- | --- | --- | --- | --- |"
)


def main() -> None:
    """Print a row for each set."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("--sets", nargs="+", default=SETS, metavar="NAME:SOURCE-TARGET")
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--cache", type=Path, default=Path("min_score.sqlite"))
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    sets = chosen(args.data, args.sets)
    loaded = {s: _first(s.load(args.data, args.cache), args.rows) for s in sets}
    print(HEADER)
    for data_set, pairs in loaded.items():
        others = [p for s, p in loaded.items() if s.source == data_set.source and p is not pairs]
        print(_row(data_set, pairs, others, args.seed), flush=True)


def _first(pairs: Pairs, rows: int) -> Pairs:
    return pairs.select(range(min(rows, len(pairs))))


def _row(data_set: DataSet, pairs: Pairs, others: list[Pairs], seed: int) -> str:
    split = hold_out(pairs, 0.2, seed=seed)
    fitted = kakehashi.fit(
        pairs.select(split.kept), mode="keep", learned=False, learn_from=[], seed=seed
    )
    calibration = fitted.calibration
    if calibration is None or not calibration.answers:
        return f"| {data_set.label} | no probability could be learned |"
    answers = calibration.answers["source"]

    def probability(questions: Pairs, *, without_answers: bool = False) -> tuple[NDArray, NDArray]:
        vectors = questions.required_vectors("source")
        queries = unit_rows(fitted.project(vectors, texts=questions.source_texts))
        similarity = queries @ documents.T
        right = questions.keys("target")[:, None] == keys
        if without_answers:
            similarity = np.where(right, -np.inf, similarity)
        first = similarity.argmax(axis=1)
        best = np.take_along_axis(similarity, first[:, None], axis=1)[:, 0]
        scores = calibration.scores(best, np.ones(len(best)), query="source", document="target")
        return answers.of(scores), np.take_along_axis(right, first[:, None], axis=1)[:, 0]

    keys, once = np.unique(pairs.keys("target"), return_index=True)
    index = pairs.select(once)
    documents = unit_rows(
        fitted.project(
            index.required_vectors("target"),
            texts=index.target_texts,
            modality="target",
            role="document",
        )
    )
    questions = pairs.select(split.held_out)
    found, right = probability(questions)
    missing, _ = probability(questions, without_answers=True)
    off_topic = np.concatenate([probability(other)[0] for other in others])
    least = answers.least("recommended")
    shares = [(found[right] >= least).mean()]
    shares += [(p < least).mean() for p in (found[~right], missing, off_topic)]
    cells = " | ".join(f"{share:.2f}" for share in shares)
    return f"| {data_set.label} | {right.mean():.2f} of {len(right)} | {least:.2f} | {cells} |"


if __name__ == "__main__":
    main()
