"""Tables of Arrow with a column of vectors, as LanceDB and Parquet hold them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import DataError
from ...retrieval.index_record import KEY
from ...retrieval.move_note import NOTE_KEY
from ...vectors import Float32Array
from .address import Address

_NOT_KEPT = (KEY.encode(), NOTE_KEY.encode(), b"embedding_functions")
"""Of the metadata of a schema: they belong to the old vectors, LanceDB's function among them."""


def columns_of_vectors(schema: Any) -> list[str]:
    """Return the names of the columns that hold lists of floating numbers."""
    import pyarrow as pa

    lists = [pa.types.is_fixed_size_list, pa.types.is_list, pa.types.is_large_list]
    return [
        field.name
        for field in schema
        if any(is_one(field.type) for is_one in lists)
        and pa.types.is_floating(field.type.value_type)
    ]


def vector_column(schema: Any, address: Address) -> str:
    """Return the name of the column of vectors: the one that is named, ``vector``, or the only one.

    Args:
        schema: of Arrow.

    Raises:
        DataError: none, or several to choose from.
    """
    found = columns_of_vectors(schema)
    wanted = address.vector or ("vector" if "vector" in found or len(found) != 1 else found[0])
    if wanted not in found:
        listed = ", ".join(map(repr, found)) or "none"
        mark = "&" if "?" in address.text else "?"
        raise DataError(
            f"{address.text}: no column {wanted!r} of vectors; there are: {listed}. Name one with "
            f"{mark}vector=NAME."
        )
    return wanted


def texts_kept(schema: Any, vector: str) -> dict[str, str]:
    """Return what a schema holds under keys, in its own metadata or that of its column of vectors.

    LanceDB keeps texts of ours with the column, Parquet with the table.
    """
    stated = {**(schema.metadata or {}), **(schema.field(vector).metadata or {})}
    return {name.decode(): value.decode(errors="replace") for name, value in stated.items()}


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


def schema_of(schema: Any, column: str, dimension: int) -> Any:
    """Return the schema of a table of vectors of another dimension, without our metadata."""
    import pyarrow as pa

    at = schema.get_field_index(column)
    field = schema.field(at)
    number = field.type.value_type
    number = number if pa.types.is_floating(number) else pa.float32()
    kind = pa.list_(number, dimension) if pa.types.is_fixed_size_list(field.type) else field.type
    return without_ours(schema.set(at, field.with_type(kind)))


def without_ours(schema: Any) -> Any:
    """Return a schema without our metadata, and without those that belong to the old vectors."""
    for at, field in enumerate(schema):
        schema = schema.set(at, field.with_metadata(_kept(field.metadata)))
    return schema.with_metadata(_kept(schema.metadata))


def _kept(metadata: dict[bytes, bytes] | None) -> dict[bytes, bytes] | None:
    there = metadata or {}
    return {name: value for name, value in there.items() if name not in _NOT_KEPT} or None
