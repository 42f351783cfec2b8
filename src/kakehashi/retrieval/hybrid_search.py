"""Hybrid search: run several searches for one query, and fuse their results.

The first round searches each store as it is, which stores do fast. A document that was not
returned can then be no better than the last hit. Only where such a document may belong among the
best k is a search repeated. It then goes deeper, and searches each modality by itself, because one
modality may bury another.
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, get_args

import numpy as np

from ..data.arguments import check_choice
from ..errors import AlignerMismatchError, DataError, DegradedWarning, EncoderMismatchError
from .answer_probability import MinScore, check_min_score
from .hits import SearchResult
from .merging import FusedDocument, Fusion
from .rank_fusion import RankFusion
from .search import Search, SearchRequest
from .search_threads import in_search_thread
from .time_limit import call_within, check_timeout

OnError = Literal["raise", "degrade"]
_FIRST_DEPTH_PER_K, _MIN_FIRST_DEPTH = 4, 20
"""The first round asks for this many documents of each modality: a multiple of k, and a minimum."""
_NEVER_DEGRADED = (DataError, AlignerMismatchError, EncoderMismatchError)
_MAX_ROUNDS, _DEPTH_FACTOR = 3, 4
"""Rounds of searches for a query, and how much deeper each round is than the one before."""


@dataclass(frozen=True)
class HybridResult:
    """The fused documents, and the reason of each failed search by name."""

    documents: list[FusedDocument]
    failed: Mapping[str, str]


@dataclass(frozen=True)
class HybridSearch:
    """Runs searches and fuses their results.

    Attributes:
        fusion: makes one list of the results.
        on_error: ``"raise"`` the error of a failed search, or ``"degrade"`` to the results of the
            others.
        timeout: seconds for each search, after which it has failed; None without a limit.
        min_score: the least probability that a document answers, or ``"recommended"``. A document
            that holds all identifiers of the query is kept in any case.

    Raises:
        DataError: another on_error, no seconds, no probability, or a fusion that tells none.
    """

    fusion: Fusion
    on_error: OnError
    timeout: float | None = None
    min_score: MinScore | None = None

    def __post_init__(self) -> None:
        """Refuse a wrong option now, and not when a search fails."""
        check_choice("on_error", self.on_error, get_args(OnError))
        check_timeout(self.timeout)
        if self.min_score is not None:
            check_min_score(self.min_score)
            self.fusion.check_probabilities()

    def run(self, searches: Sequence[Search], request: SearchRequest) -> HybridResult:
        """Run the searches one after the other, and return the best k documents."""
        state = _SearchState(self, searches, request)
        while state.pending:
            state.next_round(state.find(search) for search in state.pending)
        return self._without_unlikely(state.result, request.query.modality)

    async def arun(self, searches: Sequence[Search], request: SearchRequest) -> HybridResult:
        """Run the searches of a round at the same time, each in a thread."""
        state = _SearchState(self, searches, request)
        while state.pending:
            running = (in_search_thread(state.find, search) for search in state.pending)
            state.next_round(await asyncio.gather(*running))
        return self._without_unlikely(state.result, request.query.modality)

    def _without_unlikely(self, result: HybridResult, query_modality: str) -> HybridResult:
        """Return the result without documents below the least probability."""
        if self.min_score is None:
            return result
        least = self.fusion.least_probability(self.min_score, query_modality)
        kept = [d for d in result.documents if d.named == 1 or (d.probability or 0.0) >= least]
        return replace(result, documents=kept)


class _SearchState:
    """The state of one hybrid search between its rounds.

    Attributes:
        pending: the searches of this round; empty where the result is final.
        result: fused from all rounds before this one.
    """

    def __init__(
        self, hybrid: HybridSearch, searches: Sequence[Search], request: SearchRequest
    ) -> None:
        self.pending, self.result = searches, HybridResult([], {})
        self._hybrid, self._searches, self._request = hybrid, searches, request
        self._round, self._depth = 1, max(_MIN_FIRST_DEPTH, _FIRST_DEPTH_PER_K * request.k)
        self._results: dict[str, SearchResult] = {}
        self._errors: dict[str, Exception] = {}

    def find(self, search: Search) -> SearchResult | Exception:
        """Run one search as deep as this round wants; return its result or its error."""
        limit = self._hybrid.timeout
        find = partial(search.find, self._request, self._depth, per_modality=self._round > 1)
        try:
            return (
                find() if limit is None else call_within(limit, find, f"the search {search.name!r}")
            )
        except Exception as error:  # a store may raise anything
            return error

    def _record(self, search: Search, outcome: SearchResult | Exception) -> None:
        """Keep the result of a search. After an error, the result of the round before stays.

        Raises:
            Exception: the error of the search, unless the search is to degrade.
        """
        if not isinstance(outcome, Exception):
            self._results[search.name] = outcome
            return
        # Data and aligners that do not fit are no failure of a store.
        if self._hybrid.on_error == "raise" or isinstance(outcome, _NEVER_DEGRADED):
            raise outcome
        self._errors[search.name] = outcome
        if search.name in self._results:  # no last hits: it is not repeated
            self._results[search.name] = self._results[search.name]._replace(last_hits={})

    def next_round(self, outcomes: Iterable[SearchResult | Exception]) -> None:
        """Fuse the results, and set the searches and the depth of the next round.

        Args:
            outcomes: of :meth:`find` for each pending search. One that is to be raised is, before
                the next is found.

        Raises:
            Exception: the first error, where all searches failed.
        """
        for search, outcome in zip(self.pending, outcomes, strict=True):
            self._record(search, outcome)
        if not self._results:
            raise next(iter(self._errors.values()))
        fusion, k, modality = self._hybrid.fusion, self._request.k, self._request.query.modality
        documents = fusion.fuse(self._results, modality, k)
        failed = {name: f"{type(e).__name__}: {e}" for name, e in self._errors.items()}
        self.result, self.pending = HybridResult(documents, failed), []
        if self._round < _MAX_ROUNDS or len(documents) < k:
            names = fusion.not_final(self._results, modality, documents, k)
            self.pending = [search for search in self._searches if search.name in names]
        self._round, self._depth = self._round + 1, self._depth * _DEPTH_FACTOR


def warn_of_failed(failed: Mapping[str, str], stacklevel: int) -> None:
    """Warn of each failed search, with its reason."""
    for name, reason in failed.items():
        warnings.warn(
            f"The search {name!r} failed and the others answered without it: {reason}",
            DegradedWarning,
            stacklevel=stacklevel + 1,
        )


def check_searches(searches: Sequence[Search], hybrid: HybridSearch) -> None:
    """Check a list of searches before the first query.

    Raises:
        DataError: an empty list, two searches of one name, a weight of an unknown search, a weight
            that is not positive, a least probability without a search by vector, or without the
            rescoring that it was learned with.
    """
    fusion = hybrid.fusion
    names = [search.name for search in searches]
    if not names:
        raise DataError("searches=[] searches nothing; give at least one search.")
    if len(set(names)) < len(names):
        repeated = next(name for name in names if names.count(name) > 1)
        raise DataError(f"two searches are called {repeated!r}; give each its own name=.")
    weights = fusion.weights if isinstance(fusion, RankFusion) else {}
    for name, weight in weights.items():
        if name not in names:
            raise DataError(f"weights name the search {name!r}; searches are {', '.join(names)}.")
        if not 0 < weight < np.inf:
            raise DataError(f"the weight of the search {name!r} is {weight}; it must be positive.")
    if hybrid.min_score is not None and not any(search.by_vector for search in searches):
        raise DataError(
            "min_score needs a search by vector: words alone do not tell how likely a document "
            "answers."
        )
    if hybrid.min_score is not None and any(search.not_rescored for search in searches):
        raise DataError(
            "min_score was learned on the scores of rescored searches, which rescore=False turns "
            "off; drop one of the two."
        )
