"""NUDGE (S. Zeighami, Z. Wellmer, A. Parameswaran, ICLR 2025, arXiv 2409.02343): documents move.

    python nudge.py SPLIT.npz OUT_FOLDER --variant m|n

Nothing is done to a query. The vector of a document that training queries ask for is moved towards
their sum g; a document that none asks for stays. So the peer applies only where documents of the
test part (equal vectors) also stand in the training part.

- m: d' = d + c unit(g), one c for all documents; each validation query is answered for the c of one
  interval, and the c that lies in most of them is taken. Lengths change, so that a store has to
  compare by inner product.
- n: the unit vector d' nearest to g among those with |d' - d|^2 <= c, which is d turned towards g;
  c is the one of 0, 0.02 ... 0.48 that answers most validation queries.

Training queries are those of train alone: c would be too large if it were chosen on queries that
have moved the documents.
"""

from __future__ import annotations

import contract  # first: it sets the number of threads
import numpy as np
from contract import Clock, Split

STEPS = [0.02 * i for i in range(25)]


def main() -> None:
    """Move the documents, and write them beside the untouched queries."""
    parser = contract.parser(__doc__)
    parser.add_argument("--variant", choices=("m", "n"), required=True)
    args = parser.parse_args()
    split = Split.read(args.split)
    parts = [split.train, split.valid, split.test]
    everything = np.concatenate([part.target for part in parts])
    documents, number = np.unique(everything, axis=0, return_inverse=True)
    ends = np.cumsum([len(part.target) for part in parts])
    asked, judged, tested = np.split(number.ravel(), ends[:-1])
    if not np.isin(tested, asked).any():
        contract.not_applicable(args.out, "no document of the test part is asked for in training")
        return
    with Clock() as clock:
        documents = _unit(documents)
        pulls = np.zeros_like(documents)
        np.add.at(pulls, asked, _unit(split.train.source))
        towards = _unit(pulls)
        valid = _unit(split.valid.source)
        if args.variant == "m":
            step = best_shift(valid @ documents.T, valid @ towards.T, judged)
            moved = documents + step * towards
        else:
            step = max(STEPS, key=lambda c: _answered(valid, turned(documents, towards, c), judged))
            moved = turned(documents, towards, step)
    contract.write(
        args.out,
        queries=_unit(split.test.source),
        documents=moved[tested],
        setting={"step": float(step)},
        n_settings=len(STEPS) if args.variant == "n" else 1,
        training=clock,
        search=clock,
        query_us=0.0,
        packages=("numpy",),
        notes="compare by inner product",
    )


def best_shift(scores: np.ndarray, gains: np.ndarray, answers: np.ndarray) -> float:
    """Return the c >= 0 at which ``scores + c * gains`` ranks most answers first.

    Answer a of query i leads document j while c (gains[j] - gains[a]) < scores[a] - scores[j]: a
    bound from above where j gains more, from below where it gains less.
    """
    rows = np.arange(len(answers))
    lead = scores[rows, answers][:, None] - scores  # (queries, documents)
    loss = gains - gains[rows, answers][:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        bound = lead / loss
    low = np.where(loss < 0, bound, 0).max(axis=1, initial=0)
    high = np.where(loss > 0, bound, np.inf).min(axis=1)
    rivals = np.arange(scores.shape[1]) != answers[:, None]
    possible = (low < high) & ~((loss == 0) & (lead <= 0) & rivals).any(axis=1)
    low, high = low[possible], high[possible]
    ends = np.unique(np.concatenate([[0.0], low, high[np.isfinite(high)]]))
    between = np.append((ends[:-1] + ends[1:]) / 2, ends[-1])  # the number changes at ends only
    inside = np.searchsorted(np.sort(low), between) - np.searchsorted(np.sort(high), between)
    return float(between[inside.argmax()])


def turned(documents: np.ndarray, towards: np.ndarray, step: float) -> np.ndarray:
    """Turn unit documents towards unit vectors, until there or |d' - d|^2 = step."""
    along = (documents * towards).sum(axis=1, keepdims=True)
    across = _unit(towards - along * documents)
    cosine = 1 - step / 2
    moved = cosine * documents + np.sqrt(1 - cosine**2) * across
    moved = np.where(along >= cosine, towards, moved)
    return np.where(towards.any(axis=1, keepdims=True), moved, documents)


def _answered(queries: np.ndarray, documents: np.ndarray, answers: np.ndarray) -> int:
    return int(((queries @ documents.T).argmax(axis=1) == answers).sum())


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Scale rows to unit length; rows of zeros stay."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1)


if __name__ == "__main__":
    main()
