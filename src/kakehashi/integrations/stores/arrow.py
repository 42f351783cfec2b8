"""Tables of Arrow with a column of vectors, as LanceDB and Parquet hold them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...retrieval.index_record import KEY
from ...retrieval.move_note import NOTE_KEY
from ...vectors import Float32Array

_NOT_KEPT = (KEY.encode(), NOTE_KEY.encode(), b"embedding_functions")
"""Of the metadata of a schema: they belong to the old vectors, LanceDB's function among them."""


def list_vectors(column: Any) -> Float32Array:
    """Return the (n, d) vectors of an array of lists, without a Python object for each number.

    Raises:
        ValueError: lists of several lengths, or a row without one.
    """
    import pyarrow.compute as pc

    lengths = pc.list_value_length(column).unique().to_pylist() or [0]
    if len(lengths) > 1 or lengths == [None]:
        raise ValueError(f"lists of lengths {', '.join(map(str, lengths[:5]))}")
    return np.asarray(column.flatten(), np.float32).reshape(len(column), lengths[0])


def vectors_of(column: Any) -> list[Float32Array | None]:
    """Return the vector of each row of a column; None where there is none."""
    chunk = column.combine_chunks()
    chunks = chunk.chunks if hasattr(chunk, "chunks") else [chunk]
    found: list[Float32Array | None] = []
    for part in chunks:
        lengths = part.value_lengths().to_pylist() if len(part) else []
        flat, at = np.asarray(part.flatten(), np.float32), 0
        for length in lengths:
            found.append(None if length is None else flat[at : at + length])
            at += length or 0
    return found


def vector_array(vectors: Float32Array, kind: Any) -> Any:
    """Return vectors as an array of a type of lists.

    Args:
        vectors: (n, d).
        kind: of Arrow: a list of numbers, of d of them where it declares a length.
    """
    import pyarrow as pa

    flat = pa.array(np.ascontiguousarray(vectors).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1]).cast(kind)


def rows_without(table: Any, column: str) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Yield each row without a column: as a table of one row, and as values by name."""
    rest = table.drop_columns(column)
    for number, fields in enumerate(rest.to_pylist()):
        yield rest.slice(number, 1), fields


def schema_of(schema: Any, column: str, dimension: int) -> Any:
    """Return the schema of a table of vectors of another dimension, without our metadata."""
    import pyarrow as pa

    at = schema.get_field_index(column)
    field = schema.field(at)
    number = field.type.value_type
    number = number if pa.types.is_floating(number) else pa.float32()
    kind = pa.list_(number, dimension) if pa.types.is_fixed_size_list(field.type) else field.type
    made = field.with_type(kind).with_metadata(_kept(field.metadata))
    return schema.set(at, made).with_metadata(_kept(schema.metadata))


def _kept(metadata: dict[bytes, bytes] | None) -> dict[bytes, bytes]:
    return {name: value for name, value in (metadata or {}).items() if name not in _NOT_KEPT}
