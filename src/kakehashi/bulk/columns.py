"""The columns of the input, and those that are made of them."""

from __future__ import annotations

from typing import Any

from ..errors import DataError
from ..integrations.stores.arrow import list_vectors
from ..integrations.stores.arrow_document import fields_of
from ..integrations.stores.rows import FIELD, names_the_source
from ..vectors import Float32Array


def require_columns(schema: Any, name: str) -> None:
    """Check the columns before any work.

    Args:
        name: of the input, for messages.

    Raises:
        DataError: one is missing, there twice, or of a type that cannot be used.
    """
    from pyarrow import types

    names = list(schema.names)
    if twice := sorted({each for each in names if names.count(each) > 1}):
        raise DataError(f"{name} has several columns {twice[0]!r}; keep one of them.")
    if "id" not in names or not {"text", "vector"} & {*names}:
        raise DataError(
            f"{name} has the columns {', '.join(names)}; it needs 'id', and 'text' or 'vector'."
        )
    if "text" in names:
        kind = schema.field("text").type
        if not (types.is_string(kind) or types.is_large_string(kind)):
            raise DataError(f"{name}: column 'text' is of {kind}; save it as strings.")
    if "vector" in names:
        kind = schema.field("vector").type
        lists = (types.is_list, types.is_large_list, types.is_fixed_size_list)
        if not any(check(kind) for check in lists) or not types.is_floating(kind.value_type):
            raise DataError(
                f"{name}: column 'vector' is of {kind}; save it as lists of float32. Without this "
                "column, texts are encoded."
            )


def stored_vectors(table: Any) -> Float32Array:
    """Return (n, d) vectors of the column ``vector``.

    Raises:
        DataError: a row without a vector, or vectors of several lengths.
    """
    column = table.column("vector").combine_chunks()
    if column.null_count:
        raise DataError(
            f"{column.null_count} rows have no vector. Leave them out; or leave the column "
            "'vector' out, so that all texts are encoded."
        )
    try:
        return list_vectors(column)
    except (ValueError, TypeError) as error:
        raise DataError(f"column 'vector' holds no equally long lists: {error}.") from error


def require_target(table: Any) -> None:
    """Refuse documents of the source: their vectors are projected, their texts another encoder's.

    Raises:
        DataError: the metadata of rows say ``modality: source``.
    """
    named = [name for name in ("metadata", FIELD) if name in table.column_names][:1]
    rows = table.select(named).to_pylist() if named else []
    own = [fields_of(row["metadata"]) if "metadata" in row else row for row in rows]
    if n := sum(map(names_the_source, own)):
        raise DataError(
            f"{n} rows are documents of the source ({FIELD}: source), and all are embedded as "
            "those of the target. Leave them out, and add them through the aligner."
        )


def with_texts(table: Any) -> Any:
    """Return the rows that have a text: an encoder has no vector for nothing."""
    import pyarrow.compute as pc

    trimmed = pc.utf8_trim_whitespace(table.column("text"))
    return table.filter(pc.not_equal(trimmed, ""))  # which leaves out what is null, too


def with_vectors(table: Any, vectors: Float32Array) -> Any:
    """Return a table with a column ``vector`` of lists of one length, in its place.

    A column ``text`` is added where there is none: an index has one.
    """
    import pyarrow as pa

    column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), vectors.shape[1])
    if "vector" in table.column_names:
        table = table.set_column(table.column_names.index("vector"), "vector", column)
    else:
        table = table.append_column("vector", column)
    if "text" not in table.column_names:
        table = table.append_column("text", pa.nulls(table.num_rows, pa.string()))
    return table
