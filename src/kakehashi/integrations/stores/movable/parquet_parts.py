"""The Parquet files of a folder, written one file at a time, each in one step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from ..replacing import replace_file
from .parquet_reading import HEAD, batches_of, n_rows, parts_of, span_of

_ROWS_JOINED = 131_072
"""Rows of a joined file at most."""


def remove_joined(folder: Path) -> None:
    """Delete the parts that a joined file stands for: a killed process left them."""
    kept = set(parts_of(folder))
    for path in folder.glob("part-*.parquet"):
        if path not in kept:
            path.unlink()


def next_part(folder: Path) -> Path:
    """Return the place of a new part, after all others."""
    spans = [span for span in map(span_of, folder.glob("part-*.parquet")) if span is not None]
    return folder / f"part-{max((last for _, last in spans), default=0) + 1:09d}.parquet"


def write_part(path: Path, tables: Iterable[Any], schema: Any, compression: str) -> None:
    """Write tables as a part, a row group each, in one step."""
    import pyarrow.parquet as pq

    def write(file: Any) -> None:
        with pq.ParquetWriter(file, schema, compression=compression) as writer:
            for table in tables:
                writer.write_table(table.cast(schema))

    replace_file(path, write)


def change_part(
    path: Path, change: Callable[[Any], Any], schema: Any, compression: str, size: int
) -> None:
    """Write a part again with other rows, or delete it where none are left.

    Args:
        change: returns the table that takes the place of one of at most ``size`` rows.
    """
    n_left = 0

    def changed() -> Iterator[Any]:
        nonlocal n_left
        for table in batches_of(path, size):
            made = change(table)
            n_left += made.num_rows
            if made.num_rows:
                yield made

    write_part(path, changed(), schema, compression)
    if not n_left:
        path.unlink()


def join_parts(folder: Path, schema: Any, compression: str, size: int) -> None:
    """Join small parts that follow each other, in their order."""
    group: list[Path] = []
    rows = 0
    for path in [*parts_of(folder), None]:
        ours = path is not None and path.name != HEAD and span_of(path) is not None
        more = n_rows(path) if path is not None else 0
        if group and (not ours or rows + more > _ROWS_JOINED):
            _join(group, schema, compression, size)
            group, rows = [], 0
        if ours and path is not None:
            group, rows = [*group, path], rows + more


def _join(group: list[Path], schema: Any, compression: str, size: int) -> None:
    if len(group) < 2:
        return
    first, last = span_of(group[0]), span_of(group[-1])
    assert first is not None
    assert last is not None
    joined = group[0].with_name(f"part-{first[0]:09d}-{last[1]:09d}.parquet")
    tables = (table for path in group for table in batches_of(path, size))
    write_part(joined, tables, schema, compression)
    for path in group:
        path.unlink()
