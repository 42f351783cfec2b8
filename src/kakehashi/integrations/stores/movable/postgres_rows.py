"""Rows of PostgreSQL as its own bytes: what was read of a column is written as it was.

A COPY in binary gives the bytes of every type, and takes them again. So a row needs no conversion,
and no type of a column has to be known.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ....vectors import Float32Array
from ..node_text import node_of
from ..postgres.catalogue import Column
from ..postgres.table import Table
from ..postgres.transactions import literal, quoted
from ..rows import is_node_of_llama_index
from .protocol import StoredRow

_NUMBERS = {"vector": ">f4", "halfvec": ">f2"}
"""By type, the numbers that follow the dimension and two empty bytes."""
_LENGTH = struct.Struct(">i")


class RawRows:
    """Reads and writes rows of a table.

    Args:
        table: see :class:`Table`.
        columns: of the table.
    """

    def __init__(self, table: Table, columns: Sequence[Column]) -> None:
        self._table = table
        self._kinds = {column.name: column.kind for column in columns}
        self._stored = [
            column.name
            for column in columns
            if not column.is_generated
            and column.name != table.vector
            and (table.collection is None or column.name != "collection_id")
        ]
        self._numbers = np.dtype(_NUMBERS[self._kinds[table.vector]])

    def select(self, condition: str = "true") -> str:
        """Return the statement that reads rows, for :meth:`row`."""
        table = self._table
        fields = ", ".join(f"{literal(name)}, {quoted(name)}" for name in table.also)
        also = f"CAST(json_build_object({fields}) AS text)" if fields else "CAST(NULL AS text)"
        columns = ", ".join(map(quoted, self._stored))
        return (
            f"COPY (SELECT CAST({quoted(table.id)} AS text), {quoted(table.vector)}, {also}, "
            f"{columns} FROM {table.written} WHERE {table.rows} AND {condition})"
            " TO STDOUT (FORMAT BINARY)"
        )

    def row(self, raw: Sequence[bytes | None]) -> StoredRow:
        """Return a row of the bytes that :meth:`select` gave."""
        name, vector, also, *payload = raw
        fields: dict[str, Any] = dict(zip(self._stored, payload, strict=True))
        text = fields[self._table.text]
        written = None if text is None else bytes(text).decode()
        metadata = self._metadata(fields)
        if also is not None:
            metadata |= json.loads(bytes(also).decode())
        if is_node_of_llama_index(metadata):
            written, shown = node_of(metadata, written)
            metadata = dict(shown)
        return StoredRow(
            bytes(name or b"").decode(),
            None if vector is None else np.frombuffer(vector, self._numbers, offset=4).astype("f4"),
            written,
            metadata,
            b"".join(_with_length(each) for each in payload),
            payload,
        )

    def _metadata(self, fields: Mapping[str, bytes | None]) -> dict[str, Any]:
        column = self._table.metadata
        stored = None if column is None else fields[column]
        if stored is None:
            return {}
        # A jsonb begins with the number of its version.
        written = stored[1:] if self._kinds[str(column)] == "jsonb" else stored
        read = json.loads(bytes(written).decode())  # of bytes, it would guess the encoding
        return read if isinstance(read, dict) else {}

    @property
    def copy(self) -> str:
        """The statement that takes the rows of :meth:`raw`."""
        columns = ", ".join(map(quoted, [*self._stored, self._table.vector]))
        return f"COPY {self._table.written} ({columns}) FROM STDIN (FORMAT BINARY)"

    def raw(
        self, rows: Sequence[StoredRow], vectors: Float32Array
    ) -> Iterator[Sequence[bytes | None]]:
        """Yield the bytes of rows with other vectors."""
        head = struct.pack(">hh", vectors.shape[1], 0)
        numbers = vectors.astype(self._numbers)
        for row, vector in zip(rows, numbers, strict=True):
            yield (*row.payload, head + vector.tobytes())


def _with_length(value: bytes | None) -> bytes:
    """Return the bytes of a column after their number, so that no two rows give the same."""
    return _LENGTH.pack(-1) if value is None else _LENGTH.pack(len(value)) + bytes(value)
