"""How many wrong pairs are found: python benchmarks/wrong_pairs.py kakehashi-demo.

A twentieth of the demo's test pairs get the document of another one. The report's rule then names
those that look wrong.
"""

import argparse
from pathlib import Path

import numpy as np

import kakehashi
from kakehashi.demo.inputs import encoders
from kakehashi.evaluation import evaluate
from kakehashi.evaluation.wrong_pairs import wrong_pairs
from kakehashi.pages.gathering import by_heads
from kakehashi.training.inputs import with_vectors


def main() -> None:
    """Plant wrong pairs, five times, and count those that are named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("demo", type=Path, metavar="DEMO", help="folder of `kakehashi demo`")
    demo = parser.parse_args().demo
    cache = demo / "vectors.sqlite"
    japanese, english = encoders()
    aligner = kakehashi.Aligner.load(demo / "aligner").with_encoders(
        source_encoder=japanese, target_encoder=english
    )
    train, test = (kakehashi.read_pairs(demo / f"{part}.jsonl") for part in ("train", "test"))
    for seed in range(5):
        planted = np.random.default_rng(seed).choice(len(test), len(test) // 20, replace=False)
        targets = list(test.target_texts)
        for row, other in zip(planted, np.roll(planted, 1), strict=True):
            targets[row] = test.target_texts[other]
        pairs = with_vectors(
            kakehashi.Pairs(test.source_texts, targets),
            {"source": japanese, "target": english},
            cache,
        )
        ranks = evaluate(aligner, pairs, trained_on=train, cache=cache).ranks["rescored"]
        named = wrong_pairs(*by_heads(aligner, pairs), pairs, ranks)
        right = len(np.intersect1d(named, planted))
        print(
            f"seed {seed}: {right} of {len(planted)} planted pairs are named, "
            f"and {len(named) - right} of {len(pairs) - len(planted)} others"
        )


if __name__ == "__main__":
    main()
