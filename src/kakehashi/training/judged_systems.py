"""The systems that held-out questions judge: maps, and what finds documents without one.

A system is a function of the number of a part that judges and of a relevance: it ranks the
questions of that part among the documents of the relevance, or the first of them where the
relevance is of fewer (those about new documents stand first). A map is asked as it was fitted
without the part: ``candidate.data.judging[k]`` has the statistics of the rows that were fitted, and
the queries as its feature set reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from ..metrics.ranking import ranks
from ..metrics.relevance import Relevance
from ..report import BM25, TARGET_ENCODER, UNTOUCHED
from ..retrieval.bm25 import bm25_ranks, tokenize
from ..types import Metric
from .candidates import Candidate
from .held_out_ranks import NOT_ASKED, Ranks
from .map_ranks import rank
from .prepare import Prepared

System = Callable[[int, Relevance], Ranks]
_CUT = 2**14  # texts whose words are remembered: all folds search nearly the same documents


def ask(system: System, relevances: Sequence[Relevance]) -> Ranks:
    """Rank the questions of all parts, part after part."""
    return np.concatenate([system(k, relevance) for k, relevance in enumerate(relevances)])


def map_of(by_part: Sequence[Candidate], metric: Metric) -> System:
    """Make the system of a map.

    Args:
        by_part: the candidate that each part judges.
    """

    def search(k: int, relevance: Relevance) -> Ranks:
        candidate = by_part[k]
        part = candidate.data.judging[k]
        asked = part.queries.source[: len(relevance.answers)]
        queries = replace(part.queries, source=asked, relevance=relevance)
        return rank(candidate.lifted(part.statistics), queries, metric)

    return search


def rivals(prepared: Prepared, identity: Candidate | None) -> dict[str, System]:
    """Make the systems that need no map, as far as they are known."""
    parts = prepared.plan.judged
    found: dict[str, System] = {}
    if identity is not None:
        found[UNTOUCHED] = map_of([identity] * len(parts), prepared.metric)
    if (target_encoder := _target_encoder(prepared)) is not None:
        found[TARGET_ENCODER] = target_encoder
    texts, asked = prepared.plan.pool.texts, [part.questions.source_texts for part in parts]
    if texts is not None and None not in asked:
        cut = lru_cache(_CUT)(tokenize)
        found[BM25] = lambda k, relevance: bm25_ranks(
            (asked[k] or ())[: len(relevance.answers)], texts, relevance=relevance, tokenizer=cut
        )
    return found


def _target_encoder(prepared: Prepared) -> System | None:
    """Make the system of the target encoder; a question that it did not read has no rank."""
    plan, read = prepared.plan, prepared.target_encoder
    if read.vectors is None or read.rows is None or plan.pool.vectors is None:
        return None
    queries, rows = np.asarray(read.vectors, np.float32), read.rows
    documents = np.asarray(plan.pool.vectors, np.float32)
    starts = np.cumsum([0, *(len(part.questions) for part in plan.judged)])

    def search(k: int, relevance: Relevance) -> Ranks:
        found = np.full(len(relevance.answers), NOT_ASKED)
        mine = (rows >= starts[k]) & (rows < starts[k] + len(found))
        asked = rows[mine] - starts[k]
        of_asked = replace(relevance, answers=[relevance.answers[i] for i in asked])
        found[asked] = ranks(queries[mine], documents, prepared.metric, relevance=of_asked)
        return found

    return search
