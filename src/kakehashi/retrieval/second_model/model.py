"""A second model: an encoder of the caller's that looks at the first hits of a search again.

The index is not touched. The model embeds a document once, when a question first finds it, and the
vector is kept beside the index (:mod:`.side_table`). So an index moves to a new model as it is
asked. Questions are embedded by the same model, as they are.
"""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...data.arguments import is_whole, text_problem
from ...encoders.adapters import as_encoder
from ...encoders.cache import BATCH_SIZE
from ...errors import CacheError, DataError, DegradedWarning, SearchTimeoutError
from ...projection.rescoring import MAX_HITS
from ...vectors import Float32Array, unit_rows
from ..time_limit import call_within, check_timeout
from .encoder import ModelFailedError, SecondEncoder, as_raised
from .side_table import Embedded, SideTable

N_HITS = 50
"""Hits that a second model orders, by default. With 20, .05 to .10 fewer answers came first
after a fit of 200 pairs (benchmarks/second_model.py)."""
_PAUSE, _IN_A_ROW = 30.0, 2
"""Seconds for which a model is not asked that failed so often in a row: each query would wait."""
_RUNNING = 16
"""Calls that may run at a time under a limit of seconds: one that hangs cannot be ended."""

_DEGRADED = "the first order stays"

Document = tuple[str | None, str]
"""The id of a document in its index, None where it has none, and its text."""


class Look(NamedTuple):
    """What the second model says to one question.

    Attributes:
        similarities: cosine of each document with the question; None for one that is not embedded.
        nearest: the best of all documents that were ever embedded.
    """

    similarities: list[float | None]
    nearest: list[Embedded]


class SecondModel:
    """An encoder that orders the first hits of a search again, and keeps their vectors in a file.

    Pass it to a retriever of LangChain or LlamaIndex, or to one of its searches, as
    ``rescore_with=``. Where the aligner has a second map, that has a share in the order, unless
    ``rescore=False``. Threads may share one, and processes may share its file.

    Args:
        encoder: reads questions and documents; as :func:`kakehashi.encoders.as_encoder` takes it.
        path: of a SQLite file, one for an index. It may be a cache (``cache=``, ``--cache``), whose
            vectors then count.
        n_hits: how many hits of a search are ordered again, or as many as are wanted if those are
            more. A query embeds no more texts than that.
        search_embedded: whether documents that were embedded before are found, too, where the first
            search does not find them. Up to 100,000 are searched.
        timeout: seconds that a query waits for the model; then the first order stays. What it
            embeds is kept all the same.
        max_texts: how many documents this object embeds at most; later ones keep their places.

    Raises:
        EncoderError: no encoder.
        CacheError: the file is no cache of vectors.
        DataError: a number that is none.
    """

    def __init__(
        self,
        encoder: Any,
        path: str | Path,
        *,
        n_hits: int = N_HITS,
        search_embedded: bool = True,
        timeout: float | None = None,
        max_texts: int | None = None,
    ) -> None:
        if not is_whole(n_hits) or not 1 <= n_hits <= MAX_HITS:
            raise DataError(f"n_hits={n_hits!r:.40}; give a number of hits, 1 to {MAX_HITS}.")
        if max_texts is not None and not (is_whole(max_texts) and max_texts >= 0):
            raise DataError(f"max_texts={max_texts!r:.40}; give a number of texts, 0 or more.")
        check_timeout(timeout)
        self.encoder, self.path = as_encoder(encoder), Path(path)
        self.n_hits, self.search_embedded = int(n_hits), search_embedded
        self.timeout, self.max_texts = timeout, max_texts
        self._begin()

    def _begin(self) -> None:
        self._table, self._lock = SideTable(self.path), threading.Lock()
        self._asks = SecondEncoder(self.encoder, self.max_texts)
        self._ready, self._paused_until = False, 0.0
        self._failed, self._running = 0, 0
        self._said: set[str] = set()

    def __repr__(self) -> str:
        return f"SecondModel({self.encoder.name!r}, {str(self.path)!r}, n_hits={self.n_hits})"

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if not k.startswith("_")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._begin()

    def __len__(self) -> int:
        """Return how many documents of the index were embedded so far."""
        with as_raised():
            return len(self._of_encoder())

    def __bool__(self) -> bool:
        return True  # also before the first document

    def embed(self, ids: Sequence[str], texts: Sequence[str]) -> int:
        """Embed documents ahead of any question, and return how many were new.

        Args:
            ids, texts: of n documents, as the index holds them.

        Raises:
            DataError: not one id for each text, or none of both.
            Exception: of the encoder. What it embedded before is kept.
        """
        if isinstance(ids, str) or isinstance(texts, str) or len(ids) != len(texts):
            raise DataError("embed() takes a list of ids and a list of texts, one for each.")
        documents: list[Document] = list(zip(ids, texts, strict=True))
        before = self._asks.n_embedded
        with as_raised():
            for start in range(0, len(documents), BATCH_SIZE):
                self._vectors(documents[start : start + BATCH_SIZE])
        return self._asks.n_embedded - before

    def vectors(self, texts: Sequence[str]) -> Float32Array:
        """Return the vectors of documents that were embedded: (n, d) float32 of unit length.

        So what was embedded beside the old index fills a new one.

        Args:
            texts: of n documents.

        Raises:
            DataError: one was not embedded.
            Exception: of the encoder, which is asked who it is.
        """
        with as_raised():
            known = self._of_encoder().get([text for text in texts if not text_problem(text)])
        for text in texts:
            if text not in known:
                raise DataError(
                    f"{text!r:.80} was not embedded; embed(ids, texts) embeds what is missing."
                )
        return unit_rows(np.stack([known[text] for text in texts]))

    def look(self, question: str, documents: Sequence[Document], n_nearest: int) -> Look | None:
        """Embed a question, and the documents that are new; None where that fails.

        A warning says so once, until it works again. After two failures in a row the model is not
        asked for half a minute.
        """
        if time.monotonic() < self._paused_until or self._running >= _RUNNING:
            return None
        ask = partial(self._look, question, documents, n_nearest)
        try:
            look = ask() if self.timeout is None else self._within(self.timeout, ask)
        except SearchTimeoutError as error:
            self._warn("a question did not wait for it", error)
            return None
        except (ModelFailedError, CacheError) as error:
            self._failed += 1
            if self._failed >= _IN_A_ROW:
                self._paused_until = time.monotonic() + _PAUSE
            self._warn(_DEGRADED, error.__cause__ or error)
            return None
        self._failed = 0
        self._said.discard(_DEGRADED)
        return look

    def _within(self, seconds: float, ask: Callable[[], Look]) -> Look:
        """Ask for so long; what is embedded later is kept."""

        def counted() -> Look:
            try:
                return ask()
            finally:
                with self._lock:
                    self._running -= 1

        with self._lock:
            self._running += 1
        return call_within(seconds, counted, f"the model {self.encoder.name!r}")

    def _look(self, question: str, documents: Sequence[Document], n_nearest: int) -> Look:
        table = self._of_encoder()
        [asked] = unit_rows(self._asks.query(question)[None])
        known = self._vectors(documents)
        similarities = [
            float(known[text] @ asked) if text in known else None for _, text in documents
        ]
        return Look(similarities, table.nearest(asked, n_nearest) if self.search_embedded else [])

    def _vectors(self, documents: Sequence[Document]) -> dict[str, Float32Array]:
        """Return the unit vectors of documents by text; new ones are embedded and kept."""
        table = self._of_encoder()
        texts = [t for t in dict.fromkeys(text for _, text in documents) if not text_problem(t)]
        known = table.get(texts)
        made = self._asks.documents([text for text in texts if text not in known])
        known |= made
        try:
            if made:
                table.put(list(made), np.stack(list(made.values())))
            named = [(n, t) for n, t in documents if n and not text_problem(n) and t in known]
            table.name(named)
        except CacheError as error:  # a full disk, say: the vectors are at hand
            self._warn("its vectors are not kept", error)
        return {text: unit_rows(vector[None])[0] for text, vector in known.items()}

    def _of_encoder(self) -> SideTable:
        """Return the table, after a look at who the encoder is."""
        if not self._ready:
            self._table.use(self._asks.identity())
            self._ready = True
        return self._table

    def _warn(self, what: str, error: BaseException) -> None:
        if what in self._said:
            return
        self._said.add(what)
        warnings.warn(
            f"The second model {self.encoder.name!r} failed, and {what}. "
            f"({type(error).__name__}: {error})",
            DegradedWarning,
            stacklevel=2,
        )
