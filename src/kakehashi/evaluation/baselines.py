"""Baselines by name, and those that need a model or a function of yours.

Each fits on the training pairs alone and then searches the test documents. To add one: a class
with a ``name`` and a ``fit``, or a function in ``NAMED``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np

from ..aligner import Aligner
from ..encoders import Encoder, as_encoder, checked_encode
from ..errors import DataError
from ..pairs import Side, find_leaks
from ..projection import Projection, Role
from ..projection.linear import centring, procrustes, ridge
from ..projection.moments import Moments, Spectrum
from ..splits import folds
from ..vectors import Float32Array
from .lexical import bm25_ranks, tokenize
from .metrics import Metric, ranks, reciprocal
from .relevance import Relevance
from .systems import Dense, Lexical, CannotRunError, System, Task, TwoStage

__all__ = [
    "NAMES",
    "Baseline",
    "Both",
    "Encoders",
    "Reranked",
    "Translated",
    "bm25_ranks",
    "tokenize",
]

RIDGE_GRID = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
RIDGE_FOLDS = 5

Index = Callable[[], System]
"""What a fit returns: called once, it prepares the test documents for search."""


class Baseline(Protocol):
    """Anything that can be a row: a name, and a fit on the training pairs of a task."""

    @property
    def name(self) -> str:
        """What its row is called."""

    def fit(self, task: Task) -> Index:
        """Learn what there is to learn from ``task.train``; this is timed as training."""


@dataclass(frozen=True)
class Encoders:
    """An encoder of its own for each side, or for one: a dual encoder such as DPR.

    Args:
        name: what its row is called.
        source, target: as :func:`kakehashi.as_encoder` takes it (a model, a callable, a path or a
            hub name); None leaves that side's vectors as ``compare`` has them.
        metric: how the vectors are compared: ``cosine``, ``ip`` (DPR) or ``l2``.
    """

    name: str
    source: Any = None
    target: Any = None
    metric: Metric = "cosine"

    def fit(self, task: Task) -> Index:
        """Fit nothing; the test texts are encoded when the index is prepared."""
        return partial(self._index, task)

    def _index(self, task: Task) -> System:
        given = {"source": self.source, "target": self.target}
        made = {s: None if model is None else as_encoder(model) for s, model in given.items()}
        source, target = made["source"], made["target"]
        queries = _encoded(task, source, "source", "query")
        documents = _encoded(task, target, "target", "document")
        encoder = source or task.encoders["source"]
        return Dense(task, queries, documents, self.metric, encode=_one(task, encoder))


@dataclass(frozen=True)
class Both:
    """One encoder for both sides: a multilingual one, or any of Sentence Transformers.

    Args:
        name: what its row is called.
        encoder: as :func:`kakehashi.as_encoder` takes it.
        metric: how the vectors are compared: ``cosine``, ``ip`` or ``l2``.
    """

    name: str
    encoder: Any
    metric: Metric = "cosine"

    def fit(self, task: Task) -> Index:
        """Fit nothing; the test texts are encoded when the index is prepared."""
        encoder = as_encoder(self.encoder)
        return Encoders(self.name, encoder, encoder, self.metric).fit(task)


@dataclass(frozen=True)
class Translated:
    """Translate the queries, then search by one encoder for both sides, or by BM25.

    Args:
        name: what its row is called.
        translate: n source texts to n texts of the target modality.
        encoder: what encodes the translations and the documents; None searches by BM25.
    """

    name: str
    translate: Callable[[list[str]], Sequence[str]]
    encoder: Any = None

    def fit(self, task: Task) -> Index:
        """Fit nothing; queries are translated when the index is prepared."""
        return partial(self._index, task)

    def _index(self, task: Task) -> System:
        translations = self._translated(list(task.texts("source")))
        if self.encoder is None:
            task.texts("target")
            return Lexical(task, translations, lambda text: self._translated([text])[0])
        encoder = as_encoder(self.encoder)
        queries = task.encode(encoder, translations, "query")
        documents = task.encode(encoder, task.texts("target"), "document")

        def encode(text: str) -> Float32Array:
            return checked_encode(encoder, self._translated([text]), "query")

        return Dense(task, queries, documents, encode=encode)

    def _translated(self, texts: list[str]) -> list[str]:
        found = list(self.translate(texts))
        if len(found) != len(texts) or not all(isinstance(text, str) for text in found):
            raise DataError(
                f"The translation {self.name!r} returned {len(found)} results for {len(texts)} "
                "texts; it must return one string for each."
            )
        return found


@dataclass(frozen=True)
class Reranked:
    """Search by another baseline, then put the best documents into a reranker's order.

    Args:
        name: what its row is called.
        base: a baseline, or the name of one.
        rerank: a query's text and k documents to k scores, higher is better: a cross-encoder's
            ``lambda query, documents: model.predict([(query, d) for d in documents])``.
        top: how many documents are put to it; the rank of an answer beyond them stays.
    """

    name: str
    base: str | Baseline
    rerank: Callable[[str, list[str]], Sequence[float]]
    top: int = 50

    def fit(self, task: Task) -> Index:
        """Fit what is searched by first."""
        for side in ("source", "target"):
            task.texts(side)
        base = named(self.base).fit(task)
        return lambda: TwoStage(task, base(), self.rerank, self.top)


@dataclass(frozen=True)
class Aligned:
    """A fitted aligner, as it serves."""

    name: str
    aligner: Aligner

    def fit(self, task: Task) -> Index:
        """Fit nothing."""
        metric: Any = self.aligner.report.metric
        return partial(_projected, task, self.aligner.projection, metric)


@dataclass(frozen=True)
class _Named:
    name: str
    fit: Callable[[Task], Index]


def named(baseline: str | Baseline) -> Baseline:
    """Return a baseline by its name; one that is no name is returned as it is.

    Raises:
        DataError: no baseline is called so.
    """
    if not isinstance(baseline, str):
        if isinstance(baseline, type) or not hasattr(baseline, "fit"):
            raise DataError(
                f"{baseline!r} is no baseline; give one of {', '.join(NAMES)}, or an object "
                "such as Both(name, encoder)."
            )
        return baseline
    if baseline not in _FITS:
        raise DataError(
            f"baseline {baseline!r} is not known; choose {', '.join(NAMES)}, or pass an object "
            "such as Both(name, encoder)."
        )
    return _Named(baseline, _FITS[baseline])


def _cosine(task: Task) -> Index:
    _require_same_space(task)
    return partial(_projected, task, Projection())


def _centring(task: Task) -> Index:
    _require_same_space(task)
    return partial(_projected, task, centring(_spectrum(task), task.mode))


def _procrustes(task: Task) -> Index:
    return partial(_projected, task, procrustes(_spectrum(task), task.mode))


def _ridge(task: Task) -> Index:
    """Ridge towards zero; its strength is the best of ``RIDGE_GRID`` by MRR on five folds."""
    x, y = (task.vectors(task.train, side) for side in ("source", "target"))
    found = np.zeros(len(RIDGE_GRID))
    for split in folds(task.train, RIDGE_FOLDS, seed=task.seed):
        held = task.train.select(split.held_out)
        kept = np.setdiff1d(split.kept, find_leaks(task.train, held))
        if len(kept) < 2:
            continue
        spectrum, relevance = Spectrum(Moments.of(x, y, kept)), Relevance.of(held)
        for i, reg in enumerate(RIDGE_GRID):
            projection = ridge(spectrum, task.mode, reg=reg, towards="zero")
            queries = projection(x[split.held_out], modality="source", role="query", roughly=True)
            documents = projection(
                y[split.held_out], modality="target", role="document", roughly=True
            )
            found[i] += reciprocal(ranks(queries, documents, "cosine", relevance=relevance)).sum()
    reg = RIDGE_GRID[int(found.argmax())]
    return partial(_projected, task, ridge(_spectrum(task), task.mode, reg=reg, towards="zero"))


def _mind_the_gap(task: Task) -> Index:
    from ..training import mind_the_gap

    x, y = (task.vectors(task.train, side) for side in ("source", "target"))
    network = mind_the_gap.train(x, y, seed=task.seed, progress=task.progress)

    def index() -> System:
        queries, documents = (task.vectors(task.test, side) for side in ("source", "target"))
        encode = _one(task, task.encoders["source"])
        return Dense(task, queries, documents, "l2", network, encode)

    return index


def _bm25(task: Task) -> Index:
    task.texts("target")
    return partial(Lexical, task, task.texts("source"))


_FITS: dict[str, Callable[[Task], Index]] = {
    "cosine": _cosine,
    "centring": _centring,
    "bm25": _bm25,
    "procrustes": _procrustes,
    "ridge": _ridge,
    "mind-the-gap": _mind_the_gap,
}
NAMES = tuple(_FITS)
"""Baselines that need nothing but the pairs and their vectors."""


def _require_same_space(task: Task) -> None:
    if not task.same_space:
        raise CannotRunError("not comparable: the two sides are vectors of different spaces")


def _spectrum(task: Task) -> Spectrum:
    x, y = (task.vectors(task.train, side) for side in ("source", "target"))
    return Spectrum(Moments.of(x, y))


def _projected(task: Task, projection: Projection, metric: Metric = "cosine") -> System:
    """Search by projected vectors, exactly as they serve."""
    documents = projection(task.vectors(task.test, "target"), modality="target", role="document")
    project = partial(projection, modality="source", role="query")
    encode = _one(task, task.encoders["source"])
    return Dense(task, task.vectors(task.test, "source"), documents, metric, project, encode)


def _encoded(task: Task, encoder: Encoder | None, side: Side, role: Role) -> Float32Array:
    if encoder is None:
        return task.vectors(task.test, side)
    return task.encode(encoder, task.texts(side), role)


def _one(task: Task, encoder: Encoder | None) -> Callable[[str], Float32Array] | None:
    """Return what encodes one query where it comes as a text."""
    if encoder is None or task.test.source_texts is None:
        return None
    return lambda text: checked_encode(encoder, [text], "query")
