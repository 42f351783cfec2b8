"""Probe pairs: questions whose answer is known, asked before a move and after it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..aligner import Aligner
from ..data.pairs import Pairs
from ..data.readers import read_pairs
from ..encoders.protocol import checked_encode
from ..errors import DataError
from ..integrations.stores.movable.protocol import StoredRow
from ..training.seen_pairs import seen_in
from ..vectors import Float32Array, drawn
from .ends import Say
from .nearest import Nearest
from .new_vectors import NewVectors, is_source

_QUESTIONS = 500
"""Pairs that are asked at most, drawn evenly."""
Pages = Iterable[Sequence[StoredRow]]
Hits = NDArray[np.float64]
"""(n,), 1 for each question whose answer comes first, else 0."""


@dataclass(frozen=True)
class Probes:
    """Questions of the source, and the texts of the target that answer them.

    Attributes:
        questions: the n texts; None where they came as vectors.
        vectors: (n, d) of the source encoder.
        answers: the n texts of the documents that answer.
    """

    questions: list[str] | None
    vectors: Float32Array
    answers: list[str]

    @classmethod
    def read(cls, pairs: Pairs | str | Path, aligner: Aligner, say: Say) -> Probes:
        """Read pairs, and embed their questions.

        Args:
            say: is told where the aligner was fitted on some of them.

        Raises:
            DataError: the pairs have no texts of the target.
            EncoderError: the questions have to be embedded, and no source encoder is at hand.
        """
        if not isinstance(pairs, Pairs):
            pairs = read_pairs(pairs, on_invalid="drop")
        if pairs.target_texts is None:
            raise DataError("The probe pairs have no texts of the target, by which to find them.")
        if (seen := seen_in(aligner.data, pairs)).n:
            say(
                f"{seen.n} of {seen.checked} probe pairs were fitted: the recall is too high. Take "
                "pairs that the fit did not see."
            )
        pairs = pairs.select(drawn(len(pairs), _QUESTIONS, 0))
        questions = None if pairs.source_texts is None else list(pairs.source_texts)
        vectors = pairs.source_vectors
        if vectors is None:
            vectors = checked_encode(aligner.encoder("source"), questions or [], "query")
        return cls(questions, np.asarray(vectors, np.float32), list(pairs.target_texts or ()))

    def answered_by(self, texts: AbstractSet[str | None]) -> Probes:
        """Return those whose answer is among the texts of an index."""
        return self._chosen([i for i, answer in enumerate(self.answers) if answer in texts])

    def of_different_answers(self) -> Probes:
        """Return the first question of each answer."""
        first = {answer: i for i, answer in reversed([*enumerate(self.answers)])}
        return self._chosen(sorted(first.values()))

    def _chosen(self, rows: Sequence[int]) -> Probes:
        asked = None if self.questions is None else [self.questions[i] for i in rows]
        return Probes(asked, self.vectors[list(rows)], [self.answers[i] for i in rows])

    def ask_old(self, aligner: Aligner, pages: Pages) -> tuple[Hits, Hits | None]:
        """Ask the index as it is, by an aligner of mode keep.

        Args:
            pages: documents with the target encoder's vectors.

        Returns:
            the hits, and those after rescoring; None where the aligner does not rescore.
        """
        second = aligner.rescoring
        nearest = Nearest(self._queries(aligner), 1 if second is None else second.n_hits)
        for rows in _of_target(pages):
            nearest.add(rows, _stored(rows))
        lists = [nearest.of(i) for i in range(len(self.answers))]
        first = self._hits([rows[:1] for rows in lists])
        if second is None:
            return first, None
        found = {row.id: row for rows in lists for row in rows}
        projected = second.documents(
            _stored([*found.values()]), texts=[row.text or "" for row in found.values()]
        )
        new, best = dict(zip(found, projected, strict=True)), []
        for query, rows in zip(
            second.query(self.vectors, texts=self.questions), lists, strict=True
        ):
            scores = np.stack([new[row.id] for row in rows]) @ query
            best.append([rows[int(np.argmax(scores))]])
        return first, self._hits(best)

    def ask_moved(self, shared: Aligner, pages: Pages) -> Hits:
        """Ask a new collection.

        Args:
            pages: documents with their new vectors.
        """
        nearest = Nearest(self._queries(shared), 1)
        for rows in _of_target(pages):
            nearest.add(rows, _stored(rows))
        return self._hits([nearest.of(i) for i in range(len(self.answers))])

    def ask_projected(self, shared: Aligner, rows: Sequence[StoredRow]) -> Hits:
        """Ask documents with the target encoder's vectors, which are projected in memory."""
        vectors = NewVectors(shared).of(rows)
        moved = [row._replace(vector=v) for row, v in zip(rows, vectors, strict=True)]
        return self.ask_moved(shared, [moved])

    def _queries(self, aligner: Aligner) -> Float32Array:
        return aligner.project(self.vectors, texts=self.questions, modality="source")

    def _hits(self, lists: Sequence[Sequence[StoredRow]]) -> Hits:
        both = zip(lists, self.answers, strict=True)
        return np.array([[r.text for r in rows] == [answer] for rows, answer in both], np.float64)


def _of_target(pages: Pages) -> Iterable[list[StoredRow]]:
    """Yield the documents of the target: those of the source are no answers."""
    for page in pages:
        if rows := [row for row in page if not is_source(row) and row.vector is not None]:
            yield rows


def _stored(rows: Sequence[StoredRow]) -> Float32Array:
    return np.stack([row.vector for row in rows if row.vector is not None])
