"""What the retrievers of both frameworks share: arms that search, and one list of what they found.

An arm is one search: of a vector store, or of words. Framework modules say how to search and how
to read a document; when to search deeper, what to do with an arm that fails, what a store's scores
mean and how the lists become one is said here.
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, get_args

import numpy as np

from ..asking import Query
from ..calibration import Calibration
from ..errors import DataError, DegradedWarning, EncoderError, EncoderMismatchError
from ..evaluation.lexical import LexicalIndex
from ..fusion import METHODS, SCALES, Fused, Hit, Method, fuse, scale_of
from ..vectors import unit_rows
from ._field import Space

OnError = Literal["raise", "degrade"]
_DEEPER = 4
"""Documents that an arm is asked for, times k: calibration may lift what lies deep in its list."""
_LEAST = 20
_PROBED = 3


class Arm(Protocol):
    """One search of a mixed retrieval."""

    @property
    def name(self) -> str:
        """What metadata, weights and warnings call it."""

    def search(self, query: Query, text: str, n: int, options: Mapping[str, Any]) -> list[Hit]:
        """Return at most n hits, the best first."""
        ...


@dataclass(frozen=True)
class Found:
    """The fused list, and the arms that failed, with what they raised."""

    documents: list[Fused]
    failed: Mapping[str, str]


@dataclass(frozen=True)
class Plan:
    """How the arms are searched and fused.

    Attributes:
        weights: of the arms, for fusion by rank.
        on_error: whether an arm that fails raises, or the others answer with a warning.

    Raises:
        DataError: an unknown method, or another on_error.
    """

    method: Method
    calibration: Calibration | None
    weights: Mapping[str, float]
    on_error: OnError

    def __post_init__(self) -> None:
        """Refuse what would otherwise show at the first search, or not at all."""
        allowed = {"fusion": METHODS, "on_error": get_args(OnError)}
        for name, given in (("fusion", self.method), ("on_error", self.on_error)):
            if given not in allowed[name]:
                raise DataError(
                    f"{name}={given!r} is not known; choose one of {', '.join(allowed[name])}."
                )

    def search(
        self, arms: Sequence[Arm], query: Query, text: str, k: int, options: Mapping[str, Any]
    ) -> Found:
        """Search one arm after the other."""
        n = self._depth(k)
        while True:
            outcomes = [_tried(arm, query, text, n, options) for arm in arms]
            found = self._fused(arms, outcomes, query, n)
            if self._enough(found, outcomes, k, n):
                return replace(found, documents=found.documents[:k])
            n *= 2

    async def asearch(
        self, arms: Sequence[Arm], query: Query, text: str, k: int, options: Mapping[str, Any]
    ) -> Found:
        """Search all arms at once."""
        n = self._depth(k)
        while True:
            outcomes = await asyncio.gather(
                *(asyncio.to_thread(_tried, arm, query, text, n, options) for arm in arms)
            )
            found = self._fused(arms, outcomes, query, n)
            if self._enough(found, outcomes, k, n):
                return replace(found, documents=found.documents[:k])
            n *= 2

    def _depth(self, k: int) -> int:
        if k < 1:
            raise DataError(f"k={k}; ask for at least 1 document.")
        return max(_LEAST, _DEEPER * k)

    def _fused(
        self,
        arms: Sequence[Arm],
        outcomes: Sequence[list[Hit] | Exception],
        query: Query,
        n: int,
    ) -> Found:
        hits: dict[str, list[Hit]] = {}
        failed: dict[str, str] = {}
        for arm, outcome in zip(arms, outcomes, strict=True):
            if isinstance(outcome, Exception):
                if self.on_error == "raise" or len(failed) == len(arms) - 1:
                    raise outcome
                failed[arm.name] = f"{type(outcome).__name__}: {outcome}"
            else:
                hits[arm.name] = outcome
        fused = fuse(
            hits,
            query=query.modality,
            method=self.method,
            calibration=self.calibration,
            weights=self.weights,
        )
        return Found(fused, failed)

    def _enough(
        self, found: Found, outcomes: Sequence[list[Hit] | Exception], k: int, n: int
    ) -> bool:
        """Whether k documents are there, or no arm has more to give."""
        more = any(not isinstance(hits, Exception) and len(hits) >= n for hits in outcomes)
        return len(found.documents) >= k or not more


def warn_of(failed: Mapping[str, str], stacklevel: int) -> None:
    """Warn once a search of the arms that failed."""
    for name, reason in failed.items():
        warnings.warn(
            f"The arm {name!r} failed and the others answered without it: {reason}",
            DegradedWarning,
            stacklevel=stacklevel + 1,
        )


def _tried(
    arm: Arm, query: Query, text: str, n: int, options: Mapping[str, Any]
) -> list[Hit] | Exception:
    try:
        return arm.search(query, text, n, options)
    except Exception as error:  # a store of the caller's raises what it likes
        return error


def check_arms(arms: Sequence[Arm], weights: Mapping[str, float]) -> None:
    """Find what is wrong with a list of arms before anything is searched.

    Raises:
        DataError: none, two of one name, a weight of none of them, or one that is not positive.
    """
    names = [arm.name for arm in arms]
    if not names:
        raise DataError("arms=[] searches nothing; give at least one arm.")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"two arms are called {twice!r}; give each its own name=.")
    for name, weight in weights.items():
        if name not in names:
            raise DataError(f"weights name the arm {name!r}; the arms are {', '.join(names)}.")
        if not 0 < weight < np.inf:
            raise DataError(f"the weight of the arm {name!r} is {weight}; it has to be positive.")


def modality_of(
    metadata: Mapping[str, Any], field: str, declared: str | None, known: Sequence[str]
) -> str | None:
    """Return the modality of a document: as the arm declares, or as its metadata names it."""
    found = declared if declared is not None else metadata.get(field)
    return found if found in known else None


def check_declared(name: str, declared: str | None, space: Space) -> None:
    """Raise DataError where an arm declares a modality that is none."""
    if declared is not None and declared not in space.modalities:
        raise DataError(
            f"the arm {name!r} has modality={declared!r}; choose one of "
            f"{', '.join(space.modalities)}."
        )


class Scale:
    """What the scores of a store are; found out from a few documents, once."""

    def __init__(self, space: Space, name: str | None) -> None:
        if name is not None and name not in SCALES:
            raise DataError(f"scores={name!r} is not known; choose one of {', '.join(SCALES)}.")
        self._space, self._name = space, name

    def similarities(
        self,
        query: Query,
        hits: Sequence[Hit],
        text_of: Callable[[Any], str],
        arm: str,
    ) -> list[Hit]:
        """Return the hits with their similarity, the inner product of unit vectors.

        Raises:
            DataError: the store gives no scores, or they are none that is known.
        """
        if not hits:
            return []
        if any(hit.raw is None for hit in hits):
            raise DataError(
                f"The store of the arm {arm!r} gives no scores, which calibrated fusion needs; "
                "fuse by rank (fusion='rank')."
            )
        if self._name is None:
            self._name = self._found_out(query, hits, text_of, arm)
        convert = SCALES[self._name]
        return [replace(hit, similarity=float(convert(float(hit.raw or 0.0)))) for hit in hits]

    def _found_out(
        self, query: Query, hits: Sequence[Hit], text_of: Callable[[Any], str], arm: str
    ) -> str:
        raw: list[float] = []
        true: list[float] = []
        missing: EncoderError | None = None
        # Of each modality: documents of one may have been embedded as the other.
        for side in self._space.modalities:
            probed = [hit for hit in hits if hit.modality == side][:_PROBED]
            texts = [text_of(hit.payload) for hit in probed]
            if not probed:
                continue
            try:
                vectors = self._space.embed(texts, modality=side, role="document")
            except EncoderMismatchError:
                raise
            except EncoderError as error:  # not at hand; the other modality tells, too
                missing = error
                continue
            raw += [float(hit.raw or 0.0) for hit in probed]
            true += map(float, unit_rows(vectors) @ unit_rows(query.vector[None])[0])
        if missing is not None and not raw:
            raise DataError(
                f"What the scores of the arm {arm!r} are cannot be found out without an encoder "
                f"of its documents; name them: scores= one of {', '.join(SCALES)}. ({missing})"
            ) from missing
        if not raw:
            raise DataError(
                f"No document of the arm {arm!r} names its modality. Store one of "
                f"{', '.join(self._space.modalities)} in the metadata, name the modality of the "
                "arm, or fuse by rank (fusion='rank')."
            )
        name = scale_of(raw, true)
        if name is None:
            raise DataError(
                f"The scores of the arm {arm!r} ({', '.join(f'{r:.3f}' for r in raw)}) are not "
                f"those of this aligner's vectors, whose inner products are "
                f"{', '.join(f'{t:.3f}' for t in true)}. Was the index filled through this "
                "aligner, each document as its own modality? If it was, and stores other texts "
                f"than it embedded, name its scores: scores= one of {', '.join(SCALES)}."
            )
        return name


class Words:
    """A BM25 index of documents, for a lexical arm.

    Args:
        modalities: of the documents; each modality is searched by itself, or the words of the
            query's own bury the others.
    """

    def __init__(self, texts: Sequence[str], modalities: Sequence[str | None]) -> None:
        self._index = LexicalIndex(texts)
        self._parts = [
            np.array([own == side for own in modalities], bool)
            for side in dict.fromkeys(modalities)
        ]

    def best(self, text: str, n: int, allowed: Sequence[bool] | None) -> list[tuple[int, float]]:
        """Return (row, BM25 score) of documents that share a word, the best first.

        At most n of each modality, of those that are allowed.
        """
        scores = self._index.scores(text)
        if allowed is not None:
            scores = np.where(np.asarray(allowed, bool), scores, 0)
        found: list[int] = []
        for part in self._parts:
            found += np.argsort(-np.where(part, scores, 0), kind="stable")[:n].tolist()
        found.sort(key=lambda row: -scores[row])
        return [(row, float(scores[row])) for row in dict.fromkeys(found) if scores[row] > 0]


def as_shares(hits: Sequence[Hit]) -> list[Hit]:
    """Return hits of a search by words, each score as a share of the best of its modality."""
    best: dict[str | None, float] = {}
    for hit in hits:
        best[hit.modality] = max(best.get(hit.modality, 0.0), hit.raw or 0.0)
    return [replace(hit, lexical=(hit.raw or 0.0) / (best[hit.modality] or 1.0)) for hit in hits]
