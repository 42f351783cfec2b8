"""SHIFT (Y. Jang, S. Hong, H. Moon, H. Lim, arXiv 2606.18801): a language's vector is taken away.

    python shift.py SPLIT.npz OUT_FOLDER [--seed N]

The paper's: one encoder reads both languages. The vector of a language is the mean difference
between translations and their originals, from parallel pairs; it is subtracted from every document
of that language while the index is built. Nothing is trained, and queries stay as they are.

Of the paper no more was at hand than its abstract and summaries. Ours to choose:

- pairs: those of the split, and those of other fields where validation finds more with them. Equal
  texts say nothing about two languages;
- scores are by cosine after the subtraction. By the plain inner product nothing would change in an
  index of one language: each query would lose the same amount with every document.

Between two encoders there is no such vector. A split whose sides differ in dimension has no row
here, and the caller leaves out other pairs of encoders.
"""

from __future__ import annotations

import contract  # first: it sets the number of threads
import numpy as np
from contract import Rows, Setting, Trained


def train(rows: Rows, setting: Setting, seed: int, valid: Rows | None) -> Trained:
    """Return documents less the vector of their language."""
    vector = (rows.target - rows.source).mean(axis=0)
    return Trained(_as_it_is, move=lambda documents: documents - vector)


def _as_it_is(queries: np.ndarray) -> np.ndarray:
    return queries


def main() -> None:
    """Estimate the vector."""
    args = contract.parser(__doc__).parse_args()
    split = contract.Split.read(args.split)
    dimensions = split.train.dimensions
    if dimensions[0] != dimensions[1]:
        contract.not_applicable(args.out, "two encoders share no vector of a language")
    elif not len(split.train.source) and split.starter is None:
        contract.not_applicable(args.out, "no parallel pairs")
    else:
        beside = split.starter
        contract.run(
            split, [{}], train, args.out, seed=args.seed, beside=beside, packages=("numpy",)
        )


if __name__ == "__main__":
    main()
