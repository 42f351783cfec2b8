"""learning_curve(): what more pairs are likely to bring, from fits on nested parts of those given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .cache import encode_texts
from .development import MAX_TEST, MIN_PAIRS, TEST_SHARE
from .encoders import as_encoder
from .errors import DataError, FitError
from .evaluation.intervals import Scores, bootstrap, clusters_of
from .evaluation.metrics import per_query, ranks
from .evaluation.relevance import Relevance
from .ladder import fit
from .pairs import SIDES, Pairs, find_leaks
from .progress import track
from .projection import Mode
from .splits import Rows, hold_out

JUDGED = ("recall@1", "mrr@10")
HALVINGS = 3


def nested_rows(pairs: Pairs, rows: Rows, seed: int) -> Rows:
    """Return the rows in a random order of which every prefix is a smaller set of pairs.

    Whole groups follow one another, in random order, the rows of each in random order: half as
    many pairs are half as many documents, as they are when pairs are collected.
    """
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(rows)
    if pairs.groups is None:
        return shuffled
    names, member = np.unique([pairs.groups[i] for i in shuffled], return_inverse=True)
    if len(names) == 1:
        return shuffled
    found: Rows = shuffled[np.argsort(rng.permutation(len(names))[member], kind="stable")]
    return found


@dataclass(frozen=True, eq=False)
class CurvePoint:
    """What fits on one number of pairs scored.

    Attributes:
        n_pairs: pairs that were fitted on.
        scores: mean over the fits, with 95% bootstrap intervals over the test queries.
        per_query: for each metric the score of each test query in each fit, (fits, queries).
        chosen, verdicts: the rung and the advice of each fit.
    """

    n_pairs: int
    scores: Scores
    per_query: dict[str, NDArray[np.float64]]
    chosen: tuple[str, ...]
    verdicts: tuple[str, ...]
