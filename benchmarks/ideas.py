"""Ideas that go beyond one fit of the pairs, as systems of accuracy.py (--only ideas).

- pseudo-pairs: after a first fit the mutual nearest neighbours among the sources and the targets
  of the other training rows, as if nobody knew which belong together; a second fit learns from
  them, too. The cell holds their number and the share that is right. The test part is given to
  both fits: pseudo-pairs of a fit that had set its own test part aside would tell its answers.
- two source encoders: both encoders' vectors of the query side by side.
- stacked: the vectors of the maps without and with n-grams side by side. The inner product of two
  such vectors is the mean of both scores.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from protocol import Parts, Record, fitted

import kakehashi
import kakehashi.pairing
from kakehashi import Pairs
from kakehashi.types import Side


def pseudo_pairs(parts: Parts, pairs: Pairs, mode: Any, seed: int) -> Record:
    """Pair the other rows anew by a first fit, and score a second one that learns from them."""
    rest = parts.others(pairs, seed)
    if not len(rest) or rest.source_texts is None or rest.target_texts is None:
        return {"status": "not applicable", "reason": "no other training rows, or no texts"}

    def stored(side: Side) -> Any:
        vectors = dict(zip(rest.texts(side) or (), rest.required_vectors(side), strict=True))
        return lambda texts: np.stack([vectors[text] for text in texts])

    first = kakehashi.fit(parts.pairs, test=parts.test, mode=mode, seed=seed, ngrams=True)
    first = first.with_encoders(source_encoder=stored("source"), target_encoder=stored("target"))
    mined = kakehashi.pairing.pseudo_pairs(first, rest.source_texts, rest.target_texts)
    right = set(zip(rest.source_texts, rest.target_texts, strict=True))
    both = zip(mined.source_texts or (), mined.target_texts or (), strict=True)
    share = sum(pair in right for pair in both) / len(mined)
    second = fitted(parts, mode, True, seed, learn_from=mined, test=parts.test)
    return second | {"pseudo_pairs": len(mined), "right": round(share, 3)}


def two_source_encoders(parts: Parts, pairs: Pairs, mode: Any, seed: int) -> Record:
    """Score a fit whose sources are the vectors of both encoders; ``pairs`` holds them."""
    return fitted(parts.of_same_rows(pairs), mode, True, seed)


def stacked(parts: Parts, mode: Any, seed: int) -> Record:
    """Score the vectors of two aligners side by side."""
    aligners = [
        kakehashi.fit(parts.pairs, mode=mode, seed=seed, ngrams=ngrams) for ngrams in (False, True)
    ]
    of_each = [parts.served(aligner) for aligner in aligners]
    queries, documents = (np.hstack(of_side) for of_side in zip(*of_each, strict=True))
    return {"status": "measured", **parts.score(queries, documents)}
