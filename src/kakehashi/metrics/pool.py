"""The pool of a search: all documents of an index, and which of them answer a question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..data.hashing import Keys, vector_keys
from ..data.pairs import Pairs
from ..vectors import FloatArray, drawn
from .relevance import Relevance

Positions = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Pool:
    """The documents of an index, each once, and what is known of the questions that they answer.

    A store holds a document once, however many pairs name it. Equal texts are one document; where
    a set has vectors only, equal vectors are.

    Attributes:
        texts: m texts; None where a set has vectors only.
        vectors: (m, d) as they are stored; None where a set has texts only.
        keys: (m,) by which a document is recognised.
        n_index: documents of the whole index; more than m where a sample stands in for it.
        asked: (k, 2) the key of a question and the position of a document that answers it; None
            where questions have no texts, so that each row asks for itself.
    """

    texts: tuple[str, ...] | None
    vectors: FloatArray | None
    keys: Keys
    n_index: int
    asked: tuple[Keys, Positions] | None

    @classmethod
    def of(
        cls,
        pairs: Sequence[Pairs],
        others: Sequence[Pairs] = (),
        *,
        at_most: int | None = None,
        always: Sequence[Pairs] = (),
        seed: int = 0,
    ) -> Pool:
        """Take the targets of some sets.

        Args:
            pairs: their sources are questions, which their targets answer.
            others: rows whose targets are documents, too; they answer nothing.
            at_most: so many documents are drawn where there are more.
            always: pairs whose targets are never left out.
            seed: decides what is drawn.
        """
        sets = [*pairs, *others]
        by_text = all(part.target_texts is not None for part in sets)
        keys = [_keys(part, by_text=by_text) for part in sets]
        first = np.sort(np.unique(np.concatenate(keys), return_index=True)[1])
        n_index = len(first)
        if at_most is not None and n_index > at_most:
            wanted = [_keys(part, by_text=by_text) for part in always]
            needed = np.isin(np.concatenate(keys)[first], np.concatenate([keys[0][:0], *wanted]))
            free = np.flatnonzero(~needed)
            picked = free[drawn(len(free), max(0, at_most - int(needed.sum())), seed)]
            first = np.sort(np.concatenate([first[needed], first[picked]]))
        pool = cls(
            texts=_texts(sets, first) if by_text else None,
            vectors=_vectors(sets, first),
            keys=np.concatenate(keys)[first],
            n_index=n_index,
            asked=None,
        )
        if any(part.source_texts is None for part in pairs):
            return pool
        questions = np.concatenate([part.keys("source") for part in pairs])
        documents = np.concatenate([pool.positions(part) for part in pairs])
        there = np.flatnonzero(documents >= 0)
        there = there[np.lexsort((documents[there], questions[there]))]
        return replace(pool, asked=(questions[there], documents[there]))

    def __len__(self) -> int:
        return len(self.keys)

    def positions(self, pairs: Pairs) -> Positions:
        """Return the position of the target of each row, (n,); -1 where it is not in the pool."""
        keys, (in_order, place) = _keys(pairs, by_text=self.texts is not None), self._sorted
        found = np.minimum(np.searchsorted(in_order, keys), len(in_order) - 1)
        return np.where(in_order[found] == keys, place[found], -1)

    def without(self, pairs: Pairs) -> Positions:
        """Return the positions of the documents that are no target of these pairs."""
        return np.setdiff1d(np.arange(len(self)), self.positions(pairs))

    def relevance(self, questions: Pairs, *, rows: Positions | None = None) -> Relevance:
        """Return the answers to the sources of some pairs among these documents.

        Every target that is paired with a question's text answers it, in whichever set.

        Args:
            questions: their own targets are in the pool.
            rows: the positions that are searched; by default all.
        """
        own = self.positions(questions)
        place = np.full(len(self) + 1, -1)  # the last one is of documents that are not here
        searched = np.arange(len(self)) if rows is None else rows
        place[searched] = np.arange(len(searched))
        if self.asked is None or questions.source_texts is None:
            return Relevance(searched, [place[[position]] for position in own])
        keys, documents = self.asked
        asked = questions.keys("source")
        bounds = zip(
            np.searchsorted(keys, asked), np.searchsorted(keys, asked, "right"), own, strict=True
        )
        answers = [place[np.unique([*documents[a:b], position])] for a, b, position in bounds]
        return Relevance(searched, [found[found >= 0] for found in answers])

    @cached_property
    def _sorted(self) -> tuple[Keys, Positions]:
        order = np.argsort(self.keys)
        return self.keys[order], order


def _keys(part: Pairs, *, by_text: bool) -> Keys:
    return part.keys("target") if by_text else vector_keys(part.required_vectors("target"))


def _texts(sets: Sequence[Pairs], rows: Positions) -> tuple[str, ...]:
    every = [text for part in sets for text in part.target_texts or ()]
    return tuple(every[i] for i in rows)


def _vectors(sets: Sequence[Pairs], rows: Positions) -> FloatArray | None:
    """Return the vectors of some rows of all sets; a single set that is taken whole, as it is."""
    vectors = [part.target_vectors for part in sets]
    if any(v is None for v in vectors):
        return None
    ends = np.cumsum([len(part) for part in sets])
    if len(sets) == 1 and len(rows) == ends[0]:
        return vectors[0]
    cuts = np.split(rows, np.searchsorted(rows, ends)[:-1])
    starts = ends - [len(part) for part in sets]
    return np.concatenate(
        [
            np.asarray(v[cut - start], np.float32)
            for v, cut, start in zip(vectors, cuts, starts, strict=True)
            if v is not None
        ]
    )
