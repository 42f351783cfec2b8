"""The vectors that a second model made so far, in a SQLite file, and a search among them.

The file is a cache of vectors (:mod:`kakehashi.encoders.cache`): a vector is kept by the identity
of its encoder and by its text, with a check of its bytes. A table beside it says which documents
of the index were embedded: their ids, and under which text. No text is written. Many threads and
processes may share the file.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...encoders.cache import VectorCache, entry_vector, key_of
from ...encoders.identity import EncoderIdentity
from ...vectors import CHUNK_ROWS, Float32Array, unit_rows

MAX_SEARCHED = 100_000
"""Documents that are searched as a whole: 200 MB of 512 float32."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
    number INTEGER PRIMARY KEY AUTOINCREMENT, encoder INTEGER NOT NULL, id TEXT NOT NULL,
    text BLOB NOT NULL, UNIQUE (encoder, id));
"""
_NEW = """
SELECT d.number, d.id, d.text, v.vector FROM (
    SELECT * FROM (
        SELECT * FROM documents WHERE encoder = ? AND number > ? ORDER BY number LIMIT ?)
    ORDER BY text) d
CROSS JOIN vectors v ON v.encoder = d.encoder AND v.role = 'document' AND v.text = d.text
"""
"""In the order of the texts, as the vectors lie in the file."""


class Embedded(NamedTuple):
    """A document that was embedded, as a search among all of them finds it.

    Attributes:
        id: in the index.
        text: the key of its text (:func:`kakehashi.encoders.cache.key_of`) when it was embedded.
        similarity: cosine with the query.
    """

    id: str
    text: bytes
    similarity: float


class SideTable:
    """The vectors of one encoder in one file.

    Args:
        path: of the file; it may be one that ``cache=`` or ``--cache`` names.

    Raises:
        CacheError: the file is no cache of vectors. Any other method raises it over a disk that
            is full, or a file that cannot be read.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._lock = threading.RLock()
        self._identity: EncoderIdentity | None = None
        self._open()

    def _open(self) -> None:
        self._file, self._process, self._encoder = VectorCache(self.path), os.getpid(), 0
        with self._file.readable():
            self._file.database.executescript(_SCHEMA)
        self._ids: list[str] = []
        self._texts: list[bytes] = []
        self._row_of: dict[str, int] = {}
        self._row_with: dict[bytes, int] = {}
        self._matrix = np.empty((0, 0), np.float32)
        self._last = 0

    @contextmanager
    def _using(self) -> Iterator[VectorCache]:
        """Yield the file, to one thread at a time; a forked process opens its own."""
        with self._lock:
            if self._process != os.getpid():
                self._open()
            with self._file.readable():
                if self._identity is not None and self._encoder == 0:
                    self._encoder = self._file.encoder_id(self._identity)
                yield self._file

    def use(self, identity: EncoderIdentity) -> None:
        """Take the vectors of this encoder; to be called before any other method."""
        with self._lock:
            self._identity = identity

    @property
    def dimension(self) -> int:
        """The dimension of the vectors."""
        assert self._identity is not None
        return self._identity.dimension

    def get(self, texts: Sequence[str]) -> dict[str, Float32Array]:
        """Return the vectors that are there, by text; a damaged one is left out.

        Those of named documents are in memory, at unit length.
        """
        with self._using() as file:
            self._read_new(file)
            known = {}
            for text in texts:
                row = self._row_with.get(key := key_of(text), -1)
                if row >= 0 and self._texts[row] == key:  # another text may have taken its place
                    known[text] = self._matrix[row].copy()
            missing = [text for text in texts if text not in known]
            return known | file.get(self._encoder, "document", missing, self.dimension)

    def put(self, texts: Sequence[str], vectors: Float32Array) -> None:
        """Keep the (n, d) vectors of n texts."""
        with self._using() as file:
            file.put(self._encoder, "document", texts, vectors)

    def name(self, documents: Sequence[tuple[str, str]]) -> None:
        """Say under which id the index holds each text; a changed text takes its place."""
        with self._using() as file:
            self._read_new(file)
            new = [
                (self._encoder, name, key)
                for name, key in ((name, key_of(text)) for name, text in documents)
                if name not in self._row_of or self._texts[self._row_of[name]] != key
            ]
            if new and len(self._ids) < MAX_SEARCHED:
                with file.database:
                    sql = "INSERT OR REPLACE INTO documents (encoder, id, text) VALUES (?, ?, ?)"
                    file.database.executemany(sql, new)

    def nearest(self, query: Float32Array, n: int) -> list[Embedded]:
        """Return the n documents with the highest cosine with a (d,) query, the best first."""
        with self._using() as file:
            self._read_new(file)
            ids, texts, known = self._ids, self._texts, self._matrix[: len(self._ids)]
        if not len(known):
            return []
        scores = known @ unit_rows(query[None])[0]
        best = np.argpartition(-scores, min(n, len(scores)) - 1)[:n]
        best = best[np.argsort(-scores[best], kind="stable")]
        return [Embedded(ids[row], texts[row], float(scores[row])) for row in best]

    def __len__(self) -> int:
        """Return the number of documents that can be found."""
        with self._using() as file:
            self._read_new(file)
            return len(self._ids)

    def _read_new(self, file: VectorCache) -> None:
        """Read what this or another process added since the last look."""
        if self._identity is None:
            return
        room = MAX_SEARCHED - len(self._ids)
        rows = file.database.execute(_NEW, (self._encoder, self._last, max(0, room)))
        while part := rows.fetchmany(CHUNK_ROWS):
            self._last = max(self._last, *(number for number, *_ in part))
            checked = [(n, key, entry_vector(key, v, self.dimension)) for _, n, key, v in part]
            sound = [(name, key, vector) for name, key, vector in checked if vector is not None]
            if sound:
                self._hold(*zip(*sound, strict=True))

    def _hold(
        self, names: Sequence[str], keys: Sequence[bytes], vectors: Sequence[Float32Array]
    ) -> None:
        """Keep documents in memory; one whose text has changed takes its old place."""
        places = []
        for name, key in zip(names, keys, strict=True):
            row = self._row_of.setdefault(name, len(self._ids))
            if row == len(self._ids):
                self._ids.append(name)
                self._texts.append(key)
            self._texts[row] = key
            self._row_with[key] = row
            places.append(row)
        self._room_for(len(self._ids))[places] = unit_rows(np.stack(vectors))

    def _room_for(self, n: int) -> Float32Array:
        """Return the matrix, made larger where it holds fewer than n rows."""
        if n > len(self._matrix):
            larger = np.empty((max(256, n, 2 * len(self._matrix)), self.dimension), np.float32)
            if len(self._matrix):
                larger[: len(self._matrix)] = self._matrix
            self._matrix = larger
        return self._matrix
