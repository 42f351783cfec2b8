"""Baselines by name: they need only the pairs and their vectors.

=============  =================================================================================
cosine         compares the vectors as they are
centring       moves the sources by the difference of the means
procrustes     centres, and rotates the sources
ridge          regresses targets on sources; five folds of the training pairs choose its strength
mind-the-gap   trains the paper's network by its loss and schedule (extra ``training``)
bm25           searches the texts
=============  =================================================================================

Each is a function that learns from the training pairs of a task, and returns the function that
prepares the documents of the index for search.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from ..data.duplicates import find_leaks
from ..data.splits import folds
from ..metrics.ranking import reciprocal
from ..projection import Projection
from ..projection.linear import centring, procrustes, ridge
from ..projection.moments import Moments, Spectrum
from ..training.closed_forms import RIDGE_GRID
from ..training.feature_data import HeldOutQueries
from ..training.map_ranks import rank
from ..types import SIDES, Metric
from ..vectors import Float32Array
from .systems import Dense, Lexical
from .task import CannotRunError, System, SystemFactory, Task

RIDGE_FOLDS = 5


def _cosine(task: Task) -> SystemFactory:
    _require_same_space(task)
    return partial(projected, task, Projection())


def _centring(task: Task) -> SystemFactory:
    _require_same_space(task)
    return partial(projected, task, centring(_spectrum(task), task.mode))


def _procrustes(task: Task) -> SystemFactory:
    return partial(projected, task, procrustes(_spectrum(task), task.mode))


def _ridge(task: Task) -> SystemFactory:
    """Shrink towards zero, by the strength of ``RIDGE_GRID`` with the best MRR on five folds."""
    x, y = (task.vectors(task.train, side) for side in SIDES)
    scores = np.zeros(len(RIDGE_GRID))
    for split in folds(task.train, RIDGE_FOLDS, seed=task.seed):
        held_out = task.train.select(split.held_out)
        kept = np.setdiff1d(split.kept, find_leaks(task.train, held_out))
        if len(kept) < 2:
            continue
        spectrum, queries = Spectrum(Moments.of(x, y, kept)), HeldOutQueries.of(held_out)
        for i, reg in enumerate(RIDGE_GRID):
            projection = ridge(spectrum, task.mode, reg=reg, towards="zero")
            scores[i] += reciprocal(rank(projection, queries, "cosine", roughly=True)).sum()
    reg = RIDGE_GRID[int(scores.argmax())]
    return partial(projected, task, ridge(_spectrum(task), task.mode, reg=reg, towards="zero"))


def _mind_the_gap(task: Task) -> SystemFactory:
    from ..training.gradient import mind_the_gap

    x, y = (task.vectors(task.train, side) for side in SIDES)
    network = mind_the_gap.train(x, y, seed=task.seed)

    def index() -> System:
        queries, documents = task.vectors(task.test, "source"), task.document_vectors
        encode = task.encode_one(task.encoders["source"])
        return Dense(task, queries, documents, "l2", lambda x, _: network(x), encode)

    return index


def _bm25(task: Task) -> SystemFactory:
    task.texts("target")
    _ = task.document_texts
    return partial(Lexical, task, task.texts("source"))


FITS: dict[str, Callable[[Task], SystemFactory]] = {
    "cosine": _cosine,
    "centring": _centring,
    "bm25": _bm25,
    "procrustes": _procrustes,
    "ridge": _ridge,
    "mind-the-gap": _mind_the_gap,
}
NAMES = tuple(FITS)
"""All baselines that have a name, in the order of the table."""


def _require_same_space(task: Task) -> None:
    if not task.same_space:
        raise CannotRunError("not comparable: the two sides are vectors of different spaces")


def _spectrum(task: Task) -> Spectrum:
    x, y = (task.vectors(task.train, side) for side in SIDES)
    return Spectrum(Moments.of(x, y))


def projected(task: Task, projection: Projection, metric: Metric = "cosine") -> System:
    """Search by projected vectors, exactly as they serve."""
    documents = projection(
        task.document_vectors,
        texts=task.pool.texts,
        modality="target",
        role="document",
    )

    def project(x: Float32Array, texts: Sequence[str] | None) -> Float32Array:
        return projection(x, texts=texts, modality="source", role="query")

    encode = task.encode_one(task.encoders["source"])
    return Dense(task, task.vectors(task.test, "source"), documents, metric, project, encode)
