"""What the retrievers of both frameworks share: arms that search, and one list of what they found.

An arm is one search: of a vector store, or of words. Framework modules say how to search and how
to read a document; when to search deeper, what to do with an arm that fails, what a store's scores
mean and how the lists become one is said here.
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

import numpy as np

from ..asking import AUTO, Query, read_as
from ..calibration import Calibration
from ..errors import DataError, DegradedWarning, EncoderError, EncoderMismatchError
from ..evaluation.lexical import LexicalIndex
from ..fusion import METHODS, SCALES, Fused, Hit, Method, Searched, fuse, scale_of, unfound
from ..vectors import unit_rows
from ._field import Space

OnError = Literal["raise", "degrade"]
_DEPTH, _LEAST = 4, 20
"""Documents of a modality that an arm is asked for at first: so many times k, but not fewer."""
_WIDER = 5
"""A search that is not restricted to a modality goes so much deeper."""
_ROUNDS, _DEEPER = 3, 4
"""How often, and how much deeper each time, is searched for what might still belong among k."""
_PROBED = 3
_REMEMBERED = 100_000
"""Texts whose modality is remembered by an arm that has them routed."""


class Arm(Protocol):
    """One search of a mixed retrieval."""

    @property
    def name(self) -> str:
        """What metadata, weights and warnings call it."""

    def search(
        self, query: Query, text: str, n: int, options: Mapping[str, Any], *, apart: bool
    ) -> Searched:
        """Return about n hits of each modality, the best first.

        Args:
            apart: search each modality by itself, where the arm can; a first search is of all.
        """
        ...


@dataclass(frozen=True)
class Found:
    """The fused list, and the arms that failed, with what they raised."""

    documents: list[Fused]
    failed: Mapping[str, str]


Outcome = Searched | Exception


@dataclass(frozen=True)
class Plan:
    """How the arms are searched and fused.

    A first search takes each store as it is, which is what stores are fast at. What was not found
    can then be no better than the last hit; only where that might belong among the k best is an
    arm searched again: deeper, and each modality by itself, so that none buries another.

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
        rounds = self._rounds(arms, query, k)
        for pending, n, apart in rounds:
            for arm in pending:
                rounds.outcomes[arm.name] = _tried(arm, query, text, n, options, apart)
        return rounds.found

    async def asearch(
        self, arms: Sequence[Arm], query: Query, text: str, k: int, options: Mapping[str, Any]
    ) -> Found:
        """Search all arms at once."""
        rounds = self._rounds(arms, query, k)
        for pending, n, apart in rounds:
            outcomes = await asyncio.gather(
                *(asyncio.to_thread(_tried, arm, query, text, n, options, apart) for arm in pending)
            )
            rounds.outcomes |= {a.name: o for a, o in zip(pending, outcomes, strict=True)}
        return rounds.found

    def _rounds(self, arms: Sequence[Arm], query: Query, k: int) -> _Rounds:
        if k < 1:
            raise DataError(f"k={k}; ask for at least 1 document.")
        return _Rounds(self, arms, query.modality, k)


class _Rounds:
    """The searches of one question: which arms to ask next and how deep, until k are settled."""

    def __init__(self, plan: Plan, arms: Sequence[Arm], query: str, k: int) -> None:
        self.outcomes: dict[str, Outcome] = {}
        self.found = Found([], {})
        self._plan, self._arms, self._query, self._k = plan, arms, query, k

    def __iter__(self) -> Iterator[tuple[Sequence[Arm], int, bool]]:
        """Yield arms to search, how many hits of a modality to ask for, and whether apart."""
        n, number, pending = max(_LEAST, _DEPTH * self._k), 1, self._arms
        while pending:
            yield pending, n, number > 1
            pending = self._pending(number)
            n, number = n * _DEEPER, number + 1

    def _pending(self, number: int) -> Sequence[Arm]:
        """Fuse what was found; return the arms that may hold more of the best k."""
        plan, k = self._plan, self._k
        failed = {n: o for n, o in self.outcomes.items() if isinstance(o, Exception)}
        if failed and (plan.on_error == "raise" or len(failed) == len(self._arms)):
            raise next(iter(failed.values()))
        found = {n: o for n, o in self.outcomes.items() if not isinstance(o, Exception)}
        how: dict[str, Any] = {
            "query": self._query,
            "method": plan.method,
            "calibration": plan.calibration,
            "weights": plan.weights,
        }
        documents = fuse(found, **how, k=k)
        said = {name: f"{type(error).__name__}: {error}" for name, error in failed.items()}
        self.found = Found(documents, said)
        least = documents[k - 1].score if len(documents) >= k else -np.inf
        open_to = {side for side, most in unfound(found, **how).items() if most > least}
        if number >= _ROUNDS and len(documents) >= k:  # what is left lies deep, if it is there
            return []
        return [
            arm
            for arm in self._arms
            if arm.name in found and open_to & set(found[arm.name].further)
        ]


def warn_of(failed: Mapping[str, str], stacklevel: int) -> None:
    """Warn once a search of the arms that failed."""
    for name, reason in failed.items():
        warnings.warn(
            f"The arm {name!r} failed and the others answered without it: {reason}",
            DegradedWarning,
            stacklevel=stacklevel + 1,
        )


def _tried(
    arm: Arm, query: Query, text: str, n: int, options: Mapping[str, Any], apart: bool
) -> Outcome:
    try:
        return arm.search(query, text, n, options, apart=apart)
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


class Reading:
    """How an arm reads the modality of a document.

    Args:
        declared: of all documents of the arm; without it the metadata of each name it.
        field: the metadata field in which they do.
        unnamed: of a document whose metadata say nothing, ``"auto"`` to let the router read its
            text: as it was embedded, where it was embedded by the same object.
    """

    def __init__(self, space: Space, declared: str | None, field: str, unnamed: str) -> None:
        self.names, self.possible = space.modalities, space.modalities
        if declared is not None:
            self.possible = (declared,)
        self._space, self._declared, self._field, self._unnamed = space, declared, field, unnamed
        self._routed: dict[str, str] = {}

    def modality(self, metadata: Mapping[str, Any], text_of: Callable[[], str]) -> str | None:
        """Return the modality of a document; None where its metadata name an unknown one."""
        found = self._declared or metadata.get(self._field)
        if found is None:
            return self._route(text_of()) if self._unnamed == AUTO else self._unnamed
        return found if found in self.names else None

    def _route(self, text: str) -> str:
        found = self._routed.get(text)
        if found is None:
            [found] = read_as(self._space, [text])
            if len(self._routed) < _REMEMBERED:
                self._routed[text] = found
        return found

    def parts(self, scored: bool) -> dict[str, str | None]:
        """Return the parts of a store by what their documents name, by the name of each part.

        A part names its modality. The last, whose value is None, is of all the others: those that
        name nothing, or the modality that such documents are of. Where the router reads them they
        are of any modality, and only scores tell their place among the others.
        """
        if self._unnamed == AUTO and not scored:
            return {}
        named = [name for name in self.names if name != self._unnamed]
        return {**dict(zip(named, named, strict=True)), self._unnamed: None}


def in_parts(
    search: Callable[[str | None, int], list[Hit]],
    n: int,
    *,
    parts: Sequence[str] = (),
    names: Sequence[str],
) -> Searched:
    """Search a store as it is, or each part of its documents by itself.

    Args:
        search: returns the hits in a part (None: in the whole store), and at most so many.
        n: hits that are wanted of each modality.
        names: the modalities that documents of the store may be of.
    """
    hits: list[Hit] = []
    further: dict[str, Hit] = {}
    depth = n if parts or len(names) == 1 else n * _WIDER
    asked: Sequence[str | None] = parts or [None]
    for part in asked:
        found = search(part, depth)
        hits += found
        if len(found) >= depth:
            of = names if part is None or part not in names else (part,)
            further |= dict.fromkeys(of, found[-1])
    hits.sort(key=lambda hit: -(hit.similarity or 0.0))  # without scores they stay as they are
    return Searched(hits, further)


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
        return [hit._replace(similarity=float(convert(float(hit.raw or 0.0)))) for hit in hits]

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


def in_words(hits: Sequence[Hit], n: int) -> Searched:
    """Return hits of a search by words, each score as a share of the best of its modality.

    Args:
        n: how many of each modality were asked for.
    """
    by_side: dict[str | None, list[Hit]] = {}
    for hit in hits:
        by_side.setdefault(hit.modality, []).append(hit)
    best = {side: max(hit.raw or 0.0 for hit in own) or 1.0 for side, own in by_side.items()}
    shares = [hit._replace(lexical=(hit.raw or 0.0) / best[hit.modality]) for hit in hits]
    further = {hit.modality: hit for hit in shares if len(by_side[hit.modality]) >= n}
    return Searched(shares, {side: hit for side, hit in further.items() if side is not None})
