"""Which documents of a pool answer which query, and which queries form one cluster."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..data.hashing import numbered
from ..data.pairs import Pairs

MIN_GROUPS, FEW_GROUPS = 6, 20
"""Whole groups count in tests from so many on: five cannot show a difference at the 5% level, for
all signs are equal in one of sixteen flips. With few, intervals are a little too narrow."""

Clusters = NDArray[np.intp] | None
"""The cluster of each query, (n,), or None where queries count one by one."""


@dataclass(frozen=True, eq=False)
class Relevance:
    """The pool of different targets, and the answers to each source in it.

    A store holds a document once, however many queries it answers. Every target that is paired
    with a query's text answers it.

    Attributes:
        pool: (m,) row of each different target.
        answers: for each of the n queries the positions in the pool that answer it.
    """

    pool: NDArray[np.intp]
    answers: list[NDArray[np.intp]]

    @classmethod
    def of(cls, pairs: Pairs) -> Relevance:
        """Read it off the pairs: equal target texts (or, without texts, vectors) are one document.

        Equal source texts are one question, which all their targets answer. Equal source *vectors*
        are not: two notes that an encoder cannot tell apart still ask for different things.
        """
        one_by_one = pairs.source_texts is None
        questions = np.arange(len(pairs)) if one_by_one else pairs.keys("source")
        _, query = np.unique(questions, return_inverse=True)
        _, first, stored = np.unique(pairs.keys("target"), return_index=True, return_inverse=True)
        order = np.argsort(first)  # the pool in the order of the rows
        position = np.empty_like(order)
        position[order] = np.arange(len(order))
        first, stored = first[order], position[stored]
        by_query = np.argsort(query, kind="stable")
        groups = np.split(stored[by_query], np.cumsum(np.bincount(query))[:-1])
        distinct = [np.unique(group) for group in groups]
        return cls(first, [distinct[i] for i in query])


def renumbered(clusters: NDArray[np.intp]) -> NDArray[np.intp]:
    """Number the clusters of some of the queries from zero on."""
    labels: NDArray[np.intp] = np.unique(clusters, return_inverse=True)[1]
    return labels


def groups_of(*parts: Pairs) -> Clusters:
    """Return the cluster of each query in an interval, (n,), or None where each counts by itself.

    As :func:`clusters_of`, but of two groups on: an interval over few groups is wide, and true.
    """
    return clusters_of(*parts, at_least=2)


def clusters_of(*parts: Pairs, at_least: int = MIN_GROUPS) -> Clusters:
    """Return the cluster of each query in a test, (n,), or None where each counts by itself.

    Queries of one document rise and fall together. Where there are at least six groups they are
    flipped whole; with fewer, whole groups could show nothing at all. There, and without groups,
    rows that ask the same are one cluster: a query that stands in a file ten times is one query.
    """
    groups = [group for part in parts for group in part.groups or ()]
    if groups and all(part.groups is not None for part in parts):
        labels = numbered(groups)
        if labels.max() + 1 >= at_least:
            return labels
    keys = np.concatenate([part.keys("source") for part in parts])
    names, labels = np.unique(keys, return_inverse=True)
    return labels if len(names) < len(labels) else None
