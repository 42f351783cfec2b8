"""What a second model finds over the first hits of an aligner, and in an index embedded by it.

Each held-out question is asked as a first one: nothing was embedded before it. So the row of the
second model is the least that it finds (:class:`kakehashi.SecondModel` also searches all that it
has embedded), and the row of the index embedded again is where it ends.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..aligner import Aligner
from ..data.pairs import Pairs
from ..encoders import Encoder, as_encoder
from ..errors import DataError
from ..metrics.pool import Pool
from ..metrics.relevance import clusters_of, groups_of
from ..metrics.statistics import Scores, paired_test
from ..retrieval.second_model.candidates import mean_similarity
from ..retrieval.second_model.model import N_HITS
from ..training.held_out_ranks import mrr
from ..vectors import Float32Array, thinned, unit_rows
from .baselines import Aligned, Both, second_map_scores
from .comparison_verdict import ALIGNER
from .scoring import documents_beside
from .second_verdict import SecondVerdict
from .systems import TwoStage
from .task import CannotRunError, System, SystemFactory, Task, guarded

SECOND, AGAIN = "second model: ", "both: "
"""Begin the names of the rows of an encoder over first hits, and on both sides."""
_TIMED = 5
"""Questions whose hits are embedded once more, on the clock."""

Ranks = NDArray[np.intp]


@dataclass(frozen=True)
class Second:
    """A row of a comparison: an encoder orders the first hits of an aligner again.

    Args:
        encoder: as :func:`kakehashi.encoders.as_encoder` takes it.
        n_hits: as of :class:`kakehashi.SecondModel`.
    """

    name: str
    aligner: Aligner
    encoder: Any
    n_hits: int = N_HITS

    def fit(self, task: Task) -> SystemFactory:
        """Fit nothing; the hits are embedded when the index is prepared."""
        again = self.aligner.rescoring
        if again is not None:  # as it serves under a second model
            again = replace(again, n_hits=max(again.n_hits, self.n_hits))
        first = Aligned(self.name, replace(self.aligner, rescoring=again)).fit(task)
        return lambda: self._index(task, first())

    def _index(self, task: Task, first: System) -> System:
        encoder, again = as_encoder(self.encoder), self.aligner.rescoring
        texts = task.document_texts
        asked = unit_rows(task.encode(encoder, task.texts("source"), "query"))
        hits = [_first(first.scores(query), self.n_hits) for query in range(len(asked))]
        rows = np.unique(np.concatenate(hits))
        embedded = task.encode(encoder, [texts[row] for row in rows], "document")
        vectors = dict(zip(rows.tolist(), unit_rows(embedded), strict=True))

        def rerank(query: int, best: NDArray[np.intp]) -> Float32Array:
            by_model = np.stack([vectors[int(row)] for row in best]) @ asked[query]
            of_map = None if again is None else second_map_scores(task, again, query, best)
            return mean_similarity(by_model, of_map).astype(np.float32)

        return SecondSystem(task, first, rerank, self.n_hits, encoder, hits)


@dataclass(frozen=True, eq=False)
class SecondSystem(TwoStage):
    """A search whose first hits a second model orders.

    Attributes:
        hits: positions of the first documents of each query.
    """

    encoder: Encoder
    hits: list[NDArray[np.intp]]

    def ask(self, query: int) -> Float32Array:
        """Search and order one query, (m,); the time of embedding the question counts."""
        guarded(self.encoder).encode([self.task.texts("source")[query]], "query")
        return super().ask(query)

    @property
    def n_embedded(self) -> int:
        """The documents that all queries together embed."""
        return len(np.unique(np.concatenate(self.hits)))

    def seconds_of_new_hits(self) -> float:
        """Return the mean seconds of embedding all hits of one query."""
        texts, encoder = self.task.document_texts, guarded(self.encoder)
        some = self.hits[thinned(len(self.hits), _TIMED)]
        started = time.perf_counter()
        for hits in some:
            encoder.encode([texts[row] for row in hits], "document")
        return (time.perf_counter() - started) / len(some)


def _first(scores: Float32Array, n: int) -> NDArray[np.intp]:
    return np.argsort(-scores, kind="stable")[:n]


def second_verdict(
    system: SecondSystem, ranks: Ranks, aligner: Ranks, again: Ranks
) -> SecondVerdict:
    """Hold a second model against the aligner, and against the index embedded again.

    Args:
        ranks, aligner, again: (n,) rank of the best answer to each query, by each.
    """
    task = system.task
    test = partial(paired_test, clusters=clusters_of(task.test))
    return SecondVerdict(
        model=system.encoder.name,
        gain=test(mrr(ranks), mrr(aligner)),
        short=test(mrr(ranks), mrr(again)),
        n_queries=len(np.unique(task.test.keys("source"))),
        n_embedded=system.n_embedded,
        n_documents=len(task.relevance.pool),
        n_hits=system.top,
        seconds_new=system.seconds_of_new_hits(),
    )


@contextmanager
def kept_for(second: Encoder | None, cache: str | Path | None) -> Iterator[str | Path | None]:
    """Yield the cache; without one, a file for a second model, whose two rows share its vectors."""
    if second is None or cache is not None:
        yield cache
        return
    with TemporaryDirectory(prefix="kakehashi-") as folder:
        yield Path(folder) / "vectors.sqlite"


def verdict_of_rows(
    name: str, ranks: Mapping[str, Ranks], systems: Mapping[str, System]
) -> SecondVerdict | None:
    """Return whether a second model pays; None where one of the rows could not be scored."""
    mine, again = f"{SECOND}{name}", f"{AGAIN}{name}"
    if not {mine, again, ALIGNER} <= ranks.keys():
        return None
    system = systems[mine]
    assert isinstance(system, SecondSystem)
    return second_verdict(system, ranks[mine], ranks[ALIGNER], ranks[again])


class SecondLook(NamedTuple):
    """The scores of a second model, and of an index that it embedded again."""

    hits: Scores
    again: Scores
    verdict: SecondVerdict


def second_look(
    aligner: Aligner,
    pairs: Pairs,
    encoder: Any,
    *,
    index: Any = None,
    trained_on: Pairs | None = None,
    cache: str | Path | None = None,
) -> SecondLook:
    """Score a second model in the index that :func:`.scoring.evaluate` searches.

    It reads every document, which may cost money or hours.

    Args:
        pairs: with vectors of both sides, and with texts.
        encoder: as :func:`kakehashi.encoders.as_encoder` takes it.
        index, trained_on, cache: as :func:`.scoring.evaluate` takes them.

    Raises:
        DataError: there are no texts, or a model fails.
    """
    model = as_encoder(encoder)
    pool = Pool.of([pairs], documents_beside(aligner, index, trained_on, cache))
    task = Task(pairs, pairs, pool, dict(aligner.encoders), aligner.mode, 0, cache)
    rows = (
        Aligned("", aligner),
        Second(model.name, aligner, model),
        Both(model.name, model),
    )
    try:
        systems = [row.fit(task)() for row in rows]
        ranks = [system.ranks() for system in systems]
    except CannotRunError as error:
        raise DataError(f"The second model {model.name!r} cannot be scored: {error}") from error
    assert isinstance(systems[1], SecondSystem)
    verdict = second_verdict(systems[1], ranks[1], ranks[0], ranks[2])
    hits, again = (
        Scores.of_ranks(each, len(pool), clusters=groups_of(pairs)) for each in ranks[1:]
    )
    return SecondLook(hits, again, verdict)
