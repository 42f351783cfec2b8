"""Baselines with a model or a function of yours: encoders, translations, rerankers.

Anything with a ``name`` and a ``fit`` is a baseline; ``named_baselines`` holds those with a name
only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from ..aligner import Aligner
from ..data.arguments import in_order, is_whole
from ..encoders import Encoder, as_encoder
from ..errors import DataError
from ..projection.rescoring import Rescoring
from ..training.inputs import ROLES, as_encoders
from ..types import SIDES, Metric
from ..vectors import Float32Array
from .named_baselines import FITS, NAMES, projected
from .systems import Dense, Lexical, TwoStage
from .task import System, SystemFactory, Task, calling, guarded


class Baseline(Protocol):
    """A row of a comparison: a name, and a fit on the training pairs of a task."""

    @property
    def name(self) -> str:
        """The name of its row."""

    def fit(self, task: Task) -> SystemFactory:
        """Fit on ``task.train``; the time counts as training."""


@dataclass(frozen=True)
class Encoders:
    """One encoder for each side, or for one side only: a dual encoder such as DPR.

    Args:
        name: the name of its row.
        source_encoder, target_encoder: a model, a callable, a path or a hub name, as
            :func:`kakehashi.encoders.as_encoder` takes it. None keeps that side's vectors.
        metric: how the vectors are compared: ``cosine``, ``ip`` (DPR) or ``l2``.
    """

    name: str
    source_encoder: Any = None
    target_encoder: Any = None
    metric: Metric = "cosine"

    def __post_init__(self) -> None:
        if self.metric not in get_args(Metric):
            raise DataError(f"metric={self.metric!r} is not known; choose cosine, ip or l2.")

    def fit(self, task: Task) -> SystemFactory:
        """Fit nothing; the texts are encoded when the index is prepared."""
        return partial(self._index, task)

    def _index(self, task: Task) -> System:
        encoders = as_encoders(self.source_encoder, self.target_encoder)
        queries = _queries(task, encoders["source"])
        documents = _documents(task, encoders["target"])
        encoder = encoders["source"] or task.encoders["source"]
        return Dense(task, queries, documents, self.metric, encode=task.encode_one(encoder))


@dataclass(frozen=True)
class Both:
    """One encoder for both sides, such as a multilingual one.

    Args:
        name: the name of its row.
        encoder: as :func:`kakehashi.encoders.as_encoder` takes it.
        metric: how the vectors are compared: ``cosine``, ``ip`` or ``l2``.
    """

    name: str
    encoder: Any
    metric: Metric = "cosine"

    def fit(self, task: Task) -> SystemFactory:
        """Fit nothing; the texts are encoded when the index is prepared."""
        encoder = as_encoder(self.encoder)
        return Encoders(self.name, encoder, encoder, self.metric).fit(task)


@dataclass(frozen=True)
class Translated:
    """Translate the queries, then search by one encoder for both sides, or by BM25.

    Args:
        name: the name of its row.
        translate: takes n source texts, and returns n texts of the target modality.
        encoder: encodes the translations and the documents; None searches by BM25.
    """

    name: str
    translate: Callable[[list[str]], Sequence[str]]
    encoder: Any = None

    def fit(self, task: Task) -> SystemFactory:
        """Fit nothing; queries are translated when the index is prepared."""
        return partial(self._index, task)

    def _index(self, task: Task) -> System:
        translations = self._translated(list(task.texts("source")))
        if self.encoder is None:
            _ = task.document_texts
            return Lexical(task, translations, lambda text: self._translated([text])[0])
        encoder = as_encoder(self.encoder)
        queries = task.encode(encoder, translations, "query")
        documents = task.encode(encoder, task.document_texts, "document")

        def encode(text: str) -> Float32Array:
            return guarded(encoder).encode(self._translated([text]), "query")

        return Dense(task, queries, documents, encode=encode)

    def _translated(self, texts: list[str]) -> list[str]:
        with calling(f"the translation {self.name!r}"):
            returned = self.translate(texts)
        translations = in_order(returned, f"what the translation {self.name!r} returned")
        all_texts = all(isinstance(text, str) for text in translations)
        if len(translations) != len(texts) or not all_texts:
            raise DataError(
                f"The translation {self.name!r} returned {len(translations)} results for "
                f"{len(texts)} texts; it must return one string for each."
            )
        return translations


@dataclass(frozen=True)
class Reranked:
    """Search by another baseline, then rerank the best documents.

    Args:
        name: the name of its row.
        base: a baseline, or the name of one.
        rerank: takes a query and k documents, and returns k scores, higher is better. For a
            cross-encoder: ``lambda q, documents: model.predict([(q, d) for d in documents])``.
        top: number of documents to rerank; an answer beyond them keeps its rank.
    """

    name: str
    base: str | Baseline
    rerank: Callable[[str, list[str]], Sequence[float]]
    top: int = 50

    def __post_init__(self) -> None:
        named(self.base)
        if not is_whole(self.top) or self.top < 1:
            raise DataError(
                f"top={self.top!r}: a reranker needs a whole number of documents, 1 or more."
            )

    def fit(self, task: Task) -> SystemFactory:
        """Fit the baseline that searches first."""
        base = named(self.base).fit(task)
        questions, texts = task.texts("source"), task.document_texts

        def rerank(query: int, best: NDArray[np.intp]) -> Float32Array:
            return self._scored(questions[query], [texts[i] for i in best])

        return lambda: TwoStage(task, base(), rerank, self.top)

    def _scored(self, query: str, documents: list[str]) -> Float32Array:
        with calling(f"the reranker {self.name!r}"):
            returned: Any = self.rerank(query, documents)
        fault = f"The reranker {self.name!r} returned a {type(returned).__name__}"
        wanted = f"for {len(documents)} documents; it must return one finite number for each."
        try:
            scores = np.asarray(returned)
        except (TypeError, ValueError, RuntimeError) as error:  # ragged, or torch's requires_grad
            raise DataError(f"{fault} {wanted} NumPy cannot read it: {error}") from error
        fault += f" (shape {scores.shape}, {scores.dtype})"
        if scores.dtype.kind in "biuf":
            with np.errstate(over="ignore"):  # float64 may exceed float32
                scores = scores.astype(np.float32)
            if scores.shape == (len(documents),) and np.isfinite(scores).all():
                return scores
        raise DataError(f"{fault} {wanted}")


@dataclass(frozen=True)
class Aligned:
    """A fitted aligner, as it serves: it rescores where it has a second map."""

    name: str
    aligner: Aligner

    def fit(self, task: Task) -> SystemFactory:
        """Fit nothing; check that the aligner is for these vectors.

        Raises:
            EncoderMismatchError: an encoder at hand is not that of the training.
            DataError: vectors of other dimensions.
        """
        for side in SIDES:
            trained, at_hand = self.aligner.identities[side], task.identities[side]
            if trained is not None and at_hand is not None:
                trained.require(at_hand, side)
        dimensions = {side: task.vectors(task.test, side).shape[1] for side in SIDES}
        if dimensions != self.aligner.dimensions:
            raise DataError(
                f"The aligner takes vectors of {self.aligner.dimensions} dimensions, the test "
                f"pairs have {dimensions}; pass those of the encoders that it was trained with."
            )
        search = partial(projected, task, self.aligner.projection, self.aligner.report.metric)
        again = self.aligner.rescoring
        return search if again is None else partial(_rescored, task, search, again)


def _rescored(task: Task, search: SystemFactory, rescoring: Rescoring) -> System:
    """Order the first hits of a search again, from the vectors that are stored."""
    return TwoStage(task, search(), partial(second_map_scores, task, rescoring), rescoring.n_hits)


def second_map_scores(
    task: Task, rescoring: Rescoring, query: int, hits: NDArray[np.intp]
) -> Float32Array:
    """Return the similarities of one query and k documents of the pool by the second map, (k,)."""
    asked = task.vectors(task.test, "source")[query : query + 1]
    texts, questions = task.pool.texts, task.test.source_texts
    of_query = None if questions is None else [questions[query]]
    of_hits = None if texts is None else [texts[i] for i in hits]
    documents = rescoring.documents(task.document_vectors[hits], texts=of_hits)
    scores: Float32Array = documents @ rescoring.query(asked, texts=of_query)[0]
    return scores


@dataclass(frozen=True)
class _Named:
    name: str
    fit: Callable[[Task], SystemFactory]


def named(baseline: str | Baseline) -> Baseline:
    """Return the baseline of a name; an object that is a baseline is returned as it is.

    Raises:
        DataError: an unknown name, or an object that is no baseline.
    """
    if not isinstance(baseline, str):
        if isinstance(baseline, type) or not hasattr(baseline, "fit"):
            raise DataError(
                f"{baseline!r} is no baseline; give one of {', '.join(NAMES)}, or an object "
                "such as Both(name, encoder)."
            )
        return baseline
    if baseline not in FITS:
        raise DataError(
            f"baseline {baseline!r} is not known; choose {', '.join(NAMES)}, or pass an object "
            "such as Both(name, encoder)."
        )
    return _Named(baseline, FITS[baseline])


def _queries(task: Task, encoder: Encoder | None) -> Float32Array:
    if encoder is None:
        return task.vectors(task.test, "source")
    return task.encode(encoder, task.texts("source"), ROLES["source"])


def _documents(task: Task, encoder: Encoder | None) -> Float32Array:
    if encoder is None:
        return task.document_vectors
    return task.encode(encoder, task.document_texts, ROLES["target"])
