"""Vectors on disk: each text is encoded once, and an interrupted run resumes."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np

from ..errors import CacheError, EncoderError
from ..printable import printable
from ..progress import track
from ..types import Role
from ..vectors import Float32Array
from .functions import FrameworkEncoder
from .identity import EncoderIdentity
from .protocol import Encoder, checked_encode

BATCH_SIZE = 64
"""Texts in a call of an encoder, by default."""

_DIGEST = 8  # bytes after each stored vector
_TABLES = {"encoders", "vectors"}
_SCHEMA = """
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS encoders (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, dimension INTEGER NOT NULL, probes BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS vectors (
    encoder INTEGER NOT NULL, role TEXT NOT NULL, text BLOB NOT NULL, vector BLOB NOT NULL,
    PRIMARY KEY (encoder, role, text)) WITHOUT ROWID;
COMMIT;
"""


class VectorCache:
    """One SQLite file of vectors, by the identity of the encoder that made them.

    Raises:
        CacheError: the file is no database, or another program's; it is left as it is.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except (OSError, ValueError) as error:
            raise CacheError(f"{printable(path)} cannot be a cache of vectors: {error}.") from error
        with self.readable():
            # Whoever shares one among threads takes turns (retrieval/second_model/side_table.py).
            self.database = self._connection()
            self._refuse_another()
            self.database.executescript(_SCHEMA)
            self.database.execute("SELECT id, name, dimension, probes FROM encoders LIMIT 1")
            self.database.execute("SELECT encoder, role, text, vector FROM vectors LIMIT 1")

    def _connection(self) -> sqlite3.Connection:
        try:
            return sqlite3.connect(self._path, timeout=60, check_same_thread=False)
        except ValueError as error:  # a NUL
            raise CacheError(f"{printable(self._path)} is no name of a file: {error}.") from error

    def _refuse_another(self) -> None:
        """Raise CacheError for the database of another program, before anything is added to it."""
        rows = self.database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        tables = {name for (name,) in rows}
        if tables and not tables >= _TABLES:
            self.database.close()
            raise CacheError(
                f"{self._path} is a database of something else (tables {', '.join(sorted(tables))})"
                ", no cache of vectors. Give another name; a cache is made there."
            )

    def encoder_id(self, identity: EncoderIdentity) -> int:
        """Return the number of this encoder; a changed model under an old name is a new one."""
        rows = self.database.execute(
            "SELECT id, probes FROM encoders WHERE name = ? AND dimension = ?",
            (identity.name, identity.dimension),
        )
        for number, blob in rows:
            one_answer = identity.answers[0].size * 4
            if not isinstance(blob, bytes) or not blob or len(blob) % one_answer:
                continue
            probes = np.frombuffer(blob, dtype="<f4").reshape(-1, identity.dimension)
            stored = EncoderIdentity(identity.name, identity.dimension, None, probes)
            if stored.matches(identity):
                return int(number)
        with self.database:
            cursor = self.database.execute(
                "INSERT INTO encoders (name, dimension, probes) VALUES (?, ?, ?)",
                (identity.name, identity.dimension, identity.probes.astype("<f4").tobytes()),
            )
        return int(cursor.lastrowid or 0)

    def get(
        self, encoder: int, role: Role, texts: Sequence[str], dimension: int
    ) -> dict[str, Float32Array]:
        """Return the stored vectors by text; a damaged vector is left out."""
        vectors = {}
        for text in texts:
            row = self.database.execute(
                "SELECT vector FROM vectors WHERE encoder = ? AND role = ? AND text = ?",
                (encoder, role, key_of(text)),
            ).fetchone()
            vector = entry_vector(key_of(text), row[0], dimension) if row else None
            if vector is not None:
                vectors[text] = vector
        return vectors

    def put(self, encoder: int, role: Role, texts: Sequence[str], vectors: Float32Array) -> None:
        """Store the vectors of these texts in one transaction."""
        with self.database:
            self.database.executemany(
                "INSERT OR REPLACE INTO vectors VALUES (?, ?, ?, ?)",
                [
                    (encoder, role, key_of(text), content + _digest(key_of(text), content))
                    for text, content in zip(
                        texts, (v.astype("<f4").tobytes() for v in vectors), strict=True
                    )
                ],
            )

    @contextmanager
    def readable(self) -> Iterator[None]:
        """Turn errors of SQLite into CacheError, with the next step."""
        try:
            yield
        except (sqlite3.Error, UnicodeError) as error:  # a damaged schema is no text, either
            raise CacheError(
                f"{self._path} is no cache of vectors, or cannot be used as one: {error}. Give "
                "another name; a cache is made there."
            ) from error

    def __len__(self) -> int:
        """Return the number of vectors."""
        return int(self.database.execute("SELECT COUNT(*) FROM vectors").fetchone()[0])

    def close(self) -> None:
        """Close the file."""
        self.database.close()


def encode_texts(
    encoder: Encoder,
    texts: Sequence[str],
    role: Role,
    *,
    cache: str | Path | None = None,
    batch_size: int = BATCH_SIZE,
    label: str = "encoding",
) -> Float32Array:
    """Encode n texts -> (n, d) float32, each different text once.

    Args:
        cache: a file that keeps vectors between runs; an interrupted run continues from it.

    Raises:
        EncoderError, VectorError: the encoder does not return one vector a text, all of one
            width. Errors of the encoder itself are passed on.
        CacheError: the cache is damaged, or the file is no cache.
    """
    unique = list(dict.fromkeys(texts))
    unique.sort(key=len)  # texts of one length together: less padding in a batch
    ask = partial(checked_encode, encoder, role=_asked_as(encoder, role))
    if cache is None:
        vectors = _encode_missing(ask, encoder.name, unique, batch_size, label, {}, None)
        return np.stack([vectors[text] for text in texts])
    store = VectorCache(cache)
    try:
        identity = EncoderIdentity.of(encoder)
        with store.readable():
            number = store.encoder_id(identity)
            stored = store.get(number, role, unique, identity.dimension)

        def put(batch: list[str], new: Float32Array) -> None:
            with store.readable():
                store.put(number, role, batch, new)

        width = identity.dimension
        vectors = _encode_missing(ask, encoder.name, unique, batch_size, label, stored, width, put)
    finally:
        store.close()
    return np.stack([vectors[text] for text in texts])


def _asked_as(encoder: Encoder, role: Role) -> Role:
    """Return the role in which to ask for many texts.

    A model of LangChain or LlamaIndex takes one query in a call, but many documents. Where it
    encodes both alike, as its answers to the probe texts show, a call has a batch of queries too.
    """
    if role == "query" and isinstance(encoder, FrameworkEncoder):
        return "query" if EncoderIdentity.of(encoder).tells_roles else "document"
    return role


def _encode_missing(
    ask: Callable[[list[str]], Float32Array],
    name: str,
    texts: list[str],
    batch_size: int,
    label: str,
    vectors: dict[str, Float32Array],
    width: int | None,
    put: Callable[[list[str], Float32Array], None] | None = None,
) -> dict[str, Float32Array]:
    """Encode the texts that have no vector yet, and add theirs; ``put`` stores each batch.

    Raises:
        EncoderError: a batch has another width than those before it.
    """
    missing = [text for text in texts if text not in vectors]
    batches = [missing[i : i + batch_size] for i in range(0, len(missing), batch_size)]
    for batch in track(batches, f"{label} ({len(missing)}, {name})"):
        new = ask(batch)
        width = width or new.shape[1]
        if new.shape[1] != width:
            raise EncoderError(
                f"Encoder {name!r} gave {width} dimensions, then {new.shape[1]} "
                f"for a batch that begins with {batch[0][:60]!r}; every text needs as many."
            )
        vectors.update(zip(batch, new, strict=True))
        if put is not None:
            put(batch, new)
    return vectors


def key_of(text: str) -> bytes:
    """Return the 32 bytes that a text is kept under, from which it cannot be read."""
    return hashlib.sha256(text.encode()).digest()


def entry_vector(key: bytes, content: object, dimension: int) -> Float32Array | None:
    """Return the vector of an entry; None where it is damaged, or of another dimension."""
    if not isinstance(content, bytes):
        return None
    vector, digest = content[:-_DIGEST], content[-_DIGEST:]
    if len(vector) != 4 * dimension or digest != _digest(key, vector):
        return None
    return np.frombuffer(vector, dtype="<f4")


def _digest(key: bytes, vector: bytes) -> bytes:
    """Return a check of an entry, so that a damaged one is encoded again."""
    return hashlib.blake2b(key + vector, digest_size=_DIGEST).digest()
