"""What finding.py asks, and what a fit may learn from: a split, its index, other fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
from datasets import DataSet, encoder
from protocol import Parts

from kakehashi import Pairs
from kakehashi.data.duplicates import find_leaks
from kakehashi.data.index import IndexDocuments
from kakehashi.data.pairs import concatenated
from kakehashi.encoders.cache import encode_texts
from kakehashi.errors import DataError
from kakehashi.pairing import starter_pairs
from kakehashi.training.sources import TARGETS, as_both_see
from kakehashi.types import SIDES
from kakehashi.vectors import unit_rows

INDEX, STARTER, SHIPPED = "index", "other sets", "shipped starter"
SOURCES = (INDEX, STARTER, SHIPPED)
N_QUESTIONS = 300
"""Questions without answers that a fit without pairs is given."""


@dataclass(frozen=True, eq=False)
class Corpus:
    """A set with its vectors, and pairs of other fields in the same two modalities.

    Attributes:
        seen: (n, d_x), the targets as the source encoder sees them when it asks.
        others: pairs of the other sets; None where there is none.
        cache: of vectors.
    """

    data_set: DataSet
    pairs: Pairs
    seen: np.ndarray
    others: Pairs | None
    cache: Path

    @classmethod
    def read(cls, data_set: DataSet, data: Path, cache: Path, others: Sequence[str]) -> Corpus:
        """Read the set and those of ``others`` that have its modalities."""
        pairs = _loaded(data_set, data, cache)
        seen = data_set.targets_as_source(pairs, data, cache)
        alike = [
            _loaded(DataSet(name, data_set.source, data_set.target), data, cache)
            for name in others
            if name != data_set.name and modalities(name) == modalities(data_set.name)
        ]
        gathered = concatenated(alike) if alike else None
        return cls(data_set, pairs, np.asarray(seen), gathered, cache)

    @cached_property
    def shipped(self) -> Pairs | None:
        """The starter set of the package, with vectors; None where it has none, or it is this."""
        if self.data_set.name.startswith("kicad"):
            return None
        try:
            starter = starter_pairs("-".join(modalities(self.data_set.name)))
        except DataError:
            return None
        names = {"source": self.data_set.source, "target": self.data_set.target}
        roles: Any = {"source": "query", "target": "document"}
        vectors = [
            encode_texts(encoder(names[s]), starter.texts(s) or (), roles[s], cache=self.cache)
            for s in SIDES
        ]
        return starter.with_vectors(*vectors)


@cache
def _loaded(data_set: DataSet, data: Path, cache: Path) -> Pairs:
    return data_set.load(data, cache)


def modalities(name: str) -> tuple[str, ...]:
    """Return the last two words of the name of a set: source and target."""
    return tuple(name.split("_")[-2:])


@dataclass(frozen=True, eq=False)
class Task:
    """One split of a corpus, with ``size`` own pairs (None: all that do not judge)."""

    corpus: Corpus
    parts: Parts
    size: int | None
    seed: int

    @classmethod
    def of(cls, corpus: Corpus, size: int | None, seed: int) -> Task | None:
        """Split by protocol.py; None where there are fewer pairs than the size."""
        parts = Parts.of(corpus.pairs, size or None, seed)
        return None if parts is None else cls(corpus, parts, size, seed)

    @property
    def own(self) -> Pairs | None:
        """The pairs of a fit; None for a size of 0."""
        return None if self.size == 0 else self.parts.pairs

    @property
    def questions(self) -> list[str]:
        """Some sources of which nobody says what answers them."""
        return list(self.parts.pairs.source_texts or ())[:N_QUESTIONS]

    def learn_from(self, given: Sequence[str]) -> list[Pairs | IndexDocuments]:
        """Return the sources that are named, as `kakehashi.fit` takes them.

        Where no index is given, the targets of the own pairs stand for it, as a fit reads them by
        itself where the source encoder is at hand.
        """
        sources = [self.index if name == INDEX else self.pairs_of(name) for name in given]
        if INDEX not in given and self.own is not None:
            sources.append(self._documents(self._rows_of(self.own), TARGETS))
        return sources

    @cached_property
    def index(self) -> IndexDocuments:
        """All documents, half of which the source encoder has read."""
        every = self._documents(np.arange(len(self.corpus.pairs)), INDEX)
        return IndexDocuments(
            every.texts,
            every.vectors,
            source_vectors=every.source_vectors,
            learn=len(every) // 2,
            name=INDEX,
        )

    def pairs_of(self, name: str) -> Pairs:
        """Return pairs of other fields, less those that share a text with a question that judges.

        Raises:
            LookupError: there are none for this set.
        """
        pairs = self.corpus.others if name == STARTER else self.corpus.shipped
        if pairs is None:
            raise LookupError(f"no pairs of {name}")
        kept = np.setdiff1d(np.arange(len(pairs)), find_leaks(pairs, self.parts.test))
        chosen = pairs.select(kept)
        chosen.name = name
        return chosen

    def arrays(self, given: Sequence[str]) -> dict[str, np.ndarray]:
        """Return what a peer reads: the same pairs, and the same rows beside them."""
        arrays = dict(self.parts.arrays)
        if self.own is None:
            arrays |= {
                f"{p}_{s}": arrays[f"{p}_{s}"][:0] for p in ("train", "valid") for s in SIDES
            }
        beside = [self.pairs_of(name) for name in given if name != INDEX]
        found = {"starter": concatenated(beside)} if beside else {}
        indices = [s for s in self.learn_from(given) if isinstance(s, IndexDocuments)]
        if indices:
            read = as_both_see(indices[0], encoder=None, same_space=False, cache=None)
            assert read is not None
            found["identical"] = read
        for part, rows in found.items():
            for side in SIDES:
                vectors = np.asarray(rows.required_vectors(side), np.float32)
                arrays[f"{part}_{side}"] = unit_rows(vectors)
        return arrays

    @cached_property
    def again(self) -> np.ndarray:
        """The documents of the index, embedded by the source encoder as documents."""
        name, pool = self.corpus.data_set.source, self.parts.pool
        if name != "e5":  # reads a question as it reads a document
            found = np.empty((len(pool), self.corpus.seen.shape[1]), np.float32)
            found[pool.positions(self.corpus.pairs)] = self.corpus.seen
            return found
        return encode_texts(encoder(name), pool.texts or (), "document", cache=self.corpus.cache)

    def _documents(self, rows: np.ndarray, name: str) -> IndexDocuments:
        pairs = self.corpus.pairs
        texts = None if pairs.target_texts is None else [pairs.target_texts[i] for i in rows]
        return IndexDocuments(
            None if texts is None else tuple(texts),
            np.asarray(pairs.required_vectors("target"))[rows],
            source_vectors=self.corpus.seen[rows],
            name=name,
        )

    def _rows_of(self, pairs: Pairs) -> np.ndarray:
        place = {name: row for row, name in enumerate(self.corpus.pairs.ids or ())}
        return np.array([place[name] for name in pairs.ids or ()], np.intp)
