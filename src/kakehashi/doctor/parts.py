"""Parts of an index whose vectors come from different models, by the vectors alone.

The documents are divided into small clusters. Clusters whose likeness (:mod:`.likeness`) says one
model are joined, and joined groups attract further ones. What cannot be joined is another part.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..vectors import Float32Array
from .clusters import clusters_of
from .likeness import LIKE, Group

LEAST = 8
"""Documents of a cluster that are compared; of fewer, nothing is said."""
_PER_CLUSTER, _MOST = 50, 100
"""Documents of a cluster on average, and clusters at most."""
_NEIGHBOURS = 10
LEAST_DOCUMENTS, LEAST_DIMENSION = 100, 32
"""Fewer documents or dimensions have no habits that could be told from chance."""


class _Part(NamedTuple):
    group: Group
    clusters: list[int]


def can_be_divided(unit: Float32Array) -> bool:
    """Whether (n, d) vectors are enough to tell models apart."""
    return len(unit) >= LEAST_DOCUMENTS and unit.shape[1] >= LEAST_DIMENSION


def parts_of(unit: Float32Array, seed: int = 0) -> NDArray[np.intp]:
    """Return the part of each of n unit rows, (n,): 0 for the largest; -1 where nothing is said."""
    k = int(np.clip(len(unit) // _PER_CLUSTER, 2, _MOST))
    labels = clusters_of(unit, k, seed)
    sizes = np.bincount(labels, minlength=k)
    groups = {int(i): Group.of(unit[labels == i]) for i in np.flatnonzero(sizes >= LEAST)}
    parts = _joined(_grown(groups))
    found = np.full(len(unit), -1)
    for number, part in enumerate(sorted(parts, key=lambda each: -each.group.n)):
        found[np.isin(labels, part.clusters)] = number
    return _by_neighbours(unit, found) if len(parts) > 1 else found


def _by_neighbours(unit: Float32Array, parts: NDArray[np.intp]) -> NDArray[np.intp]:
    """Give each row the part of most of its neighbours: a cluster may hold a few rows of others.

    Parts that lose all their rows are gone; the largest is 0 again.
    """
    found = parts.copy()
    for start in range(0, len(unit), 1024):
        cosines = unit[start : start + 1024] @ unit.T
        nearest = np.argpartition(-cosines, _NEIGHBOURS, axis=1)[:, : _NEIGHBOURS + 1]
        votes = np.stack([(parts[nearest] == part).sum(axis=1) for part in range(parts.max() + 1)])
        found[start : start + 1024] = votes.argmax(axis=0)
    kept, sizes = np.unique(found, return_counts=True)
    number = dict(
        zip(kept[np.argsort(-sizes, kind="stable")].tolist(), range(len(kept)), strict=True)
    )
    return np.array([number[part] for part in found.tolist()], np.intp)


def _grown(groups: dict[int, Group]) -> list[_Part]:
    """Grow parts from the largest cluster that is in none."""
    left = sorted(groups, key=lambda i: -groups[i].n)
    parts = []
    while left:
        part = _Part(groups[left[0]], [left.pop(0)])
        while found := [i for i in left if part.group.likeness(groups[i]) >= LIKE]:
            for i in found:
                part = _Part(part.group.joined(groups[i]), [*part.clusters, i])
            left = [i for i in left if i not in found]
        parts.append(part)
    return parts


def _joined(parts: Sequence[_Part]) -> list[_Part]:
    """Join parts that turn out to be alike: together they have more documents to show it."""
    done: list[_Part] = []
    for part in parts:
        for i, other in enumerate(done):
            if other.group.likeness(part.group) >= LIKE:
                done[i] = _Part(other.group.joined(part.group), [*other.clusters, *part.clusters])
                break
        else:
            done.append(part)
    return done if len(done) == len(parts) else _joined(done)
