"""The searches of one question: which arms, how deep, and one list of what they found."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

import numpy as np

from ..errors import DataError, DegradedWarning
from .fusion import Fused, Fusion
from .hits import Searched
from .query import Query

OnError = Literal["raise", "degrade"]
_DEPTH, _LEAST = 4, 20
"""Documents of a modality that an arm is asked for at first: so many times k, but not fewer."""
_MOST = 1_000_000
_ROUNDS, _DEEPER = 3, 4
"""How often, and how much deeper each time, is searched for what might still belong among k."""


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


@dataclass(frozen=True)
class Plan:
    """How the arms are searched and fused.

    A first search takes each store as it is, which is what stores are fast at. What was not found
    can then be no better than the last hit; only where that might belong among the k best is an
    arm searched again: deeper, and each modality by itself, so that none buries another.

    Attributes:
        fusion: how what they found becomes one list.
        on_error: whether an arm that fails raises, or the others answer with a warning.

    Raises:
        DataError: another on_error.
    """

    fusion: Fusion
    on_error: OnError

    def __post_init__(self) -> None:
        """Refuse what would otherwise show when an arm fails."""
        if self.on_error not in get_args(OnError):
            raise DataError(
                f"on_error={self.on_error!r} is not known; choose one of "
                f"{', '.join(get_args(OnError))}."
            )

    def search(
        self, arms: Sequence[Arm], query: Query, text: str, k: int, options: Mapping[str, Any]
    ) -> Found:
        """Search one arm after the other."""
        rounds = self._rounds(arms, query, k)
        for pending, n, apart in rounds:
            for arm in pending:
                rounds.take(arm, _tried(arm, query, text, n, options, apart))
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
            for arm, outcome in zip(pending, outcomes, strict=True):
                rounds.take(arm, outcome)
        return rounds.found

    def _rounds(self, arms: Sequence[Arm], query: Query, k: int) -> _Rounds:
        return _Rounds(self, arms, query.modality, check_k(k))


class _Rounds:
    """The searches of one question: which arms to ask next and how deep, until k are settled.

    Whoever goes through it has :meth:`take` keep what each arm gave before going on.
    """

    def __init__(self, plan: Plan, arms: Sequence[Arm], query: str, k: int) -> None:
        self.found = Found([], {})
        self._outcomes: dict[str, Searched] = {}
        self._failed: dict[str, Exception] = {}
        self._plan, self._arms, self._query, self._k = plan, arms, query, k

    def __iter__(self) -> Iterator[tuple[Sequence[Arm], int, bool]]:
        """Yield arms to search, how many hits of a modality to ask for, and whether apart."""
        n, number, pending = max(_LEAST, _DEPTH * self._k), 1, self._arms
        while pending:
            yield pending, n, number > 1
            pending = self._pending(number)
            n, number = n * _DEEPER, number + 1

    def take(self, arm: Arm, outcome: Searched | Exception) -> None:
        """Keep what an arm found, or why it failed; what it found before then stays.

        Raises:
            Exception: what the arm raised, unless the others are to answer.
        """
        if isinstance(outcome, Exception):
            if self._plan.on_error == "raise":
                raise outcome
            self._failed[arm.name] = outcome
            if (before := self._outcomes.get(arm.name)) is not None:
                self._outcomes[arm.name] = before._replace(further={})  # it is not asked again
        else:
            self._outcomes[arm.name] = outcome

    def _pending(self, number: int) -> Sequence[Arm]:
        """Fuse what was found; return the arms that may hold more of the best k."""
        plan, k, found = self._plan, self._k, self._outcomes
        if not found:
            raise next(iter(self._failed.values()))
        fusion, query = plan.fusion, self._query
        documents = fusion.fuse(found, query, k)
        said = {name: f"{type(error).__name__}: {error}" for name, error in self._failed.items()}
        self.found = Found(documents, said)
        if number >= _ROUNDS and len(documents) >= k:  # what is left lies deep, if it is there
            return []
        deeper = fusion.unsettled(found, query, documents, k)
        return [arm for arm in self._arms if arm.name in deeper]


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
) -> Searched | Exception:
    try:
        return arm.search(query, text, n, options, apart=apart)
    except Exception as error:  # a store of the caller's raises what it likes
        return error


def check_k(k: Any, name: str = "k") -> int:
    """Return how many documents are wanted, or raise DataError where that is no number of them."""
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or not 1 <= k <= _MOST:
        raise DataError(f"{name}={k!r}; ask for a whole number of documents, 1 to {_MOST}.")
    return int(k)


def check_arms(arms: Sequence[Any], fusion: Fusion) -> None:
    """Find what is wrong with a list of arms before anything is searched.

    Raises:
        DataError: none, no arm, two of one name; weights in calibrated fusion, a weight of none of
            the arms, or one that is not positive.
    """
    for arm in arms:
        if not hasattr(arm, "search"):
            raise DataError(f"arms hold {arm!r:.80}; give VectorSearch or BM25Search.")
    weights = fusion.weights
    if weights and fusion.reads_scores:
        raise DataError(
            f"weights={dict(weights)!r} are for fusion='rank'; calibrated fusion has learned its "
            "own."
        )
    names = [arm.name for arm in arms]
    if not names:
        raise DataError("searches=[] searches nothing; give at least one arm.")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"two arms are called {twice!r}; give each its own name=.")
    for name, weight in weights.items():
        if name not in names:
            raise DataError(f"weights name the arm {name!r}; the arms are {', '.join(names)}.")
        if not 0 < weight < np.inf:
            raise DataError(f"the weight of the arm {name!r} is {weight}; it has to be positive.")
